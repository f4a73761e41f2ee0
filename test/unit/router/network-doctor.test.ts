import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Finding } from '../../../src/config/finding.js';
import { checkNetwork, type NetworkSeen } from '../../../src/router/view/network-doctor.js';
import { MEMBERSHIP, NETWORK } from '../control/fake-router.js';

const line = ({ check, level, subject, message }: Finding): string =>
  `${level} ${check} ${subject}: ${message}`;

const [OWN, OTHER] = NETWORK.routers;
if (OWN === undefined || OTHER === undefined) throw new Error('the fake network has routers');
const SOUND = { ...NETWORK, etcd: null, routers: [OWN] };

function findings(over: Partial<NetworkSeen['view']>, more: Partial<NetworkSeen> = {}): string[] {
  const found = checkNetwork({
    self: 'vr-a',
    view: { ...SOUND, ...over },
    memberships: [],
    counters: {},
    ...more,
  });
  for (const { level, remedy, message } of found) assert.equal(remedy.length > 0, level !== 'ok', message);
  return found.map(line);
}

const STANDS = 'ok description network: version 5 is signed and stands';

test('a description that stands, none that is signed, one on trial', () => {
  assert.deepEqual(findings({}), [STANDS]);
  assert.deepEqual(findings({ version: null, routers: [] }), [
    'warning description network: a network key is pinned, and no signed description has been heard of: gndt.json of this machine counts',
  ]);
  const trial = { lost: [], of: 8, remainingSeconds: 43 };
  assert.deepEqual(findings({ trial }), [
    'ok description network: version 5 is on trial, for 43 s yet; no peer is lost',
  ]);
  assert.deepEqual(findings({ trial: { ...trial, lost: ['vr-x', 'vr-y'] } }), [
    'warning description network: version 5 is on trial, for 43 s yet: 2 of 8 peers are lost: vr-x, vr-y',
  ]);
});

test('a higher version that was not kept here', () => {
  const verdict = { outcome: 'undone' as const, version: 6, reason: '3 of 8 peers were lost for 60 s: vr-x' };
  assert.deepEqual(findings({ routers: [{ ...OWN, verdict }] }), [
    STANDS,
    'error description network: version 6 was undone here: 3 of 8 peers were lost for 60 s: vr-x',
  ]);
});

test('other routers that are behind, ahead, or have another one; those that are not reached are left alone', () => {
  const others = [OTHER, { ...OTHER, id: 'vr-c', version: 6, state: 'newer' as const, verdict: null }];
  const differs = { ...OTHER, id: 'vr-d', version: 5, state: 'differs' as const, verdict: null };
  assert.deepEqual(findings({ routers: [OWN, ...others, differs] }), [
    STANDS,
    'warning description routers: behind version 5: vr-b (version 3; 5 was refused: router.json: id: is not in gndt.json)',
    "warning description routers: ahead of this router's version 5: vr-c (version 6)",
    'error description routers: have another description of the same version 5: vr-d (version 5)',
  ]);
  assert.deepEqual(findings({ routers: [OWN, { ...OTHER, reachable: false }] }), [STANDS]);
  const many = Array.from({ length: 40 }, (_, i) => ({ ...OTHER, id: `vr-${i}`, verdict: null }));
  assert.match(findings({ routers: [OWN, ...many] })[1] ?? '', /vr-4 \(version 3\), …$/);
});

test('alarms: a key that has signed twice, a token that was used twice, a membership that is left out', () => {
  const counters = { descriptions_signed_twice: 2, network_keys_signed_twice: 1, tokens_used_twice: 1 };
  const leftOut = {
    ...MEMBERSHIP,
    router: 'vr-m',
    state: 'left-out' as const,
    reason: 'its key is that of "vr-b" already',
  };
  assert.deepEqual(findings({}, { counters, memberships: [MEMBERSHIP, leftOut] }), [
    STANDS,
    "error description key: the network's key has signed two descriptions of one version (seen 2 times since the start)",
    "error description key: the network's key has named two successors: the one that was heard first counts here",
    'warning memberships network: joined and left out, since they contradict the description: vr-m: its key is that of "vr-b" already',
    'error memberships tokens: a second machine has used a token (1 since the start); it is not in',
  ]);
});

test('the etcd: silent, with something that does not count, in order, not tried yet', () => {
  const { etcd } = NETWORK;
  assert.ok(etcd !== null);
  const of = (over: Partial<typeof etcd>): string[] => findings({ etcd: { ...etcd, ...over } }).slice(1);
  assert.deepEqual(of({ reached: false }), [
    'warning etcd https://192.0.2.9:2379: does not answer, since 2026-03-01T11:00:00.000Z: it says nothing; the last description stays',
  ]);
  assert.deepEqual(of({}), [
    'warning etcd /vine/description: does not count here: it is version 4, and this router has version 5',
  ]);
  assert.deepEqual(of({ refusal: null }), [
    'ok etcd https://192.0.2.9:2379: answers; /vine/description is what this router has',
  ]);
  assert.deepEqual(of({ refusal: null, reached: false, since: null }), []);
});
