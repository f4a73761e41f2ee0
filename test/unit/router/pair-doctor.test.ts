import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Finding } from '../../../src/config/finding.js';
import type { PartnerView, RoleLanView, RoleView } from '../../../src/control/role-view.js';
import { checkSameFiles } from '../../../src/router/view/doctor.js';
import { checkPair } from '../../../src/router/view/pair-doctor.js';
import { FakeRouter, ROLE } from '../control/fake-router.js';

const line = ({ check, level, subject, message }: Finding): string =>
  `${level} ${check} ${subject}: ${message}`;

/** What is wrong; each of these has a remedy. */
function wrong(view: RoleView): string[] {
  const findings = checkPair(view).filter(({ level }) => level !== 'ok');
  for (const { remedy, message } of findings) assert.ok(remedy.length > 0, message);
  return findings.map(line);
}

function withPartner(change: Partial<PartnerView>, role: RoleView['role'] = 'active'): RoleView {
  assert.ok(ROLE.partner !== null);
  return { ...ROLE, role, partner: { ...ROLE.partner, ...change } };
}

function withLan(change: Partial<RoleLanView>): RoleView {
  return { ...ROLE, lans: ROLE.lans.map((lan) => ({ ...lan, ...change })) };
}

test('a sound pair, and a router without a partner', () => {
  assert.deepEqual(checkPair(ROLE).map(line), [
    'ok partner vr-a2: heard 12 ms ago',
    'ok advertising eth1: it can advertise VRID 17 there',
    'ok virtual-mac eth1: frames from the virtual MAC pass',
  ]);
  assert.deepEqual(checkPair({ ...ROLE, partner: null }), []);
});

test('a partner that is not heard', () => {
  assert.deepEqual(wrong(withPartner({ heardAgoMs: 1_000 })), []);
  assert.deepEqual(wrong(withPartner({ heardAgoMs: 1_001 })), [
    'error partner vr-a2: it was heard last 1.0 s ago in the session between the two',
  ]);
  const never = { heardAgoMs: null, role: null, term: null, priority: null, health: null };
  assert.deepEqual(wrong(withPartner({ ...never, advertisedAgoMs: 40 }, 'standby')), [
    'error partner vr-a2: it has never been heard in the session between the two; on the LAN it advertises that it is active',
  ]);
});

test('roles that do not go together', () => {
  assert.deepEqual(wrong(withPartner({ role: 'active' })), [
    'error partner site-a: both routers say that they are active',
  ]);
  assert.deepEqual(wrong(withPartner({ role: 'active' }, 'standby')), []);
  for (const role of ['standby', 'isolated'] as const)
    assert.deepEqual(wrong(withPartner({ role }, 'standby')), [
      'error partner site-a: neither router is active',
    ]);
  assert.deepEqual(wrong(withPartner({ role: 'isolated' })), [
    'warning partner site-a: vr-a2 could not take over: it is isolated',
  ]);
  assert.match(wrong(withPartner({}, 'isolated'))[0] ?? '', /^error partner site-a: this router has stopped/);
});

test('what is wrong on a LAN', () => {
  const cases: readonly (readonly [change: Partial<RoleLanView>, found: string])[] = [
    [
      { advertising: 'none' },
      "error advertising eth1: nothing is advertised there: this machine's kernel has no address there to send from",
    ],
    [{ advertising: 'down' }, 'error advertising eth1: nothing is advertised there: the interface is down'],
    [{ advertising: 'gone' }, 'error advertising eth1: nothing is advertised there: the interface is gone'],
    [{ advertising: 'failing' }, 'error advertising eth1: nothing is advertised there: sending fails'],
    [
      { strangers: ['10.1.0.7', '10.1.0.8'] },
      'error vrid eth1: another machine advertises VRID 17 there: 10.1.0.7, 10.1.0.8',
    ],
    [
      { otherGateways: ['fd00:1::1'] },
      'error gateway eth1: vr-a2 has not the same gateway addresses there; they differ in fd00:1::1',
    ],
    [
      { virtualMacPasses: false },
      'error virtual-mac eth1: frames from the virtual MAC of the active router do not arrive: its port lets only one MAC address pass',
    ],
  ];
  for (const [change, found] of cases) assert.deepEqual(wrong(withLan(change)), [found]);
  assert.deepEqual(wrong(withLan({ virtualMacPasses: null })), []);
});

test('files that differ: a warning, of the partner an error', () => {
  const [peer] = new FakeRouter().peers();
  assert.ok(peer !== undefined);
  const differing = { ...peer, sameGndt: false };
  assert.equal(checkSameFiles(differing, undefined).level, 'warning');
  assert.equal(checkSameFiles(differing, 'vr-a2').level, 'warning');
  assert.equal(checkSameFiles(differing, differing.id).level, 'error');
  assert.equal(checkSameFiles(peer, peer.id).level, 'ok');
});
