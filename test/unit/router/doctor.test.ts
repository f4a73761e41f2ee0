import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Finding } from '../../../src/config/finding.js';
import { checkCapabilities, checkForwarding, checkLans } from '../../../src/config/machine-checks.js';
import {
  checkClock,
  checkMissing,
  checkPeer,
  checkSameFiles,
  checkStrangers,
} from '../../../src/router/view/doctor.js';
import { checkNames } from '../../../src/router/view/name-doctor.js';
import { FakeRouter, NOW } from '../control/fake-router.js';

const [B, C] = new FakeRouter().peers();
if (B === undefined || C === undefined) throw new Error('the fake router has two peers');
const line = ({ level, subject, message }: Finding): string => `${level} ${subject}: ${message}`;

test('clocks: what half a round trip explains is no mistake', () => {
  const clock = (clockOffsetMs: number | null): string =>
    line(checkClock({ ...B, clockOffsetMs, rttMs: 400 }));
  assert.equal(clock(null), 'ok vr-b: its clock is not known yet');
  assert.equal(clock(-1200), "ok vr-b: its clock agrees with this one's to 1.2 s");
  assert.equal(clock(1201), "warning vr-b: its clock is 1.2 s ahead of this one's");
  assert.equal(clock(-3_600_000), "warning vr-b: its clock is 3600.0 s behind this one's");
});

test('peers', () => {
  assert.equal(line(checkPeer(B)), 'ok vr-b: up, at 192.0.2.2:7700');
  assert.equal(
    line(checkPeer({ ...B, state: 'refused', reason: 'x' })),
    'error vr-b: it or this router refuses: x',
  );
  assert.equal(
    line(checkPeer({ ...B, state: 'down', reason: 'no answer' })),
    'error vr-b: not reachable: no answer',
  );
  assert.equal(
    line(checkPeer({ ...C, names: [], reason: 'has no endpoint' })),
    'warning vr-c: has no endpoint',
  );
  assert.equal(
    line(checkPeer({ ...C, reason: 'vr-c.example.net is not resolved yet' })),
    'error vr-c: not reachable: vr-c.example.net is not resolved yet',
  );
  assert.equal(checkSameFiles({ ...B, sameGndt: false }).level, 'warning');
  assert.deepEqual(checkStrangers({}).map(line), ['ok callers: nobody calls with a wrong key']);
  assert.equal(checkStrangers({ handshake_drop_unknown_key: 1, handshake_drop_bad_mac1: 2 }).length, 2);
});

test('names: what does not resolve and since when, what is used meanwhile, and what cannot be used', () => {
  const [name] = B.names;
  assert.ok(name !== undefined);
  const ofB = (over: Partial<typeof name>, state: typeof B.state = 'up'): string[] =>
    checkNames([{ ...B, state, names: [{ ...name, ...over }] }]).map(line);
  assert.deepEqual(checkNames([{ ...B, names: [] }]), []);
  assert.deepEqual(ofB({}), ['ok resolver: the name resolves']);
  const failing = { problem: 'no name server answers', failingSince: '2026-03-01T11:00:00.000Z' };
  const text =
    'vr-b vr-b.example.net: does not resolve, since 2026-03-01T11:00:00.000Z: no name server answers; in use is the answer of 2026-03-01T11:59:30.000Z: 192.0.2.2, 2001:db8::2';
  assert.deepEqual(ofB(failing), [`warning ${text}`]);
  assert.deepEqual(ofB(failing, 'down'), [`error ${text}`]);
  assert.deepEqual(checkNames([C]).map(line), [
    'error vr-c vr-c.example.net: does not resolve, since 2026-03-01T11:58:00.000Z: no name server answers; it never was, so nothing can be called there',
  ]);
  assert.deepEqual(ofB({ kept: true }), [
    'warning vr-b vr-b.example.net: has not been resolved since the start',
  ]);
  assert.deepEqual(ofB({ skipped: ['127.0.1.1 is loopback'] }), [
    'warning vr-b vr-b.example.net: of its addresses some cannot be used: 127.0.1.1 is loopback',
  ]);
});

test('nodes that are missing for more than a minute: one finding, with five of them at most', () => {
  const missing = new FakeRouter().missing();
  const [longest] = missing;
  assert.ok(longest !== undefined);
  const found = checkMissing(missing, Date.parse(NOW));
  assert.equal(
    line(found),
    'warning nodes: one machine is wanted and has not answered for more than a minute, here or elsewhere: blue 10.2.0.7, fd00:2::7',
  );
  assert.match(found.remedy, /mobility\.allow/);
  const sinceMs = Date.parse(longest.missingSince);
  assert.deepEqual(
    [60_000, 60_001].map((agoMs) => checkMissing([longest], sinceMs + agoMs).level),
    ['ok', 'warning'],
  );
  assert.equal(line(checkMissing([], 0)), 'ok nodes: no node has been missing for more than a minute');
  const many = Array.from({ length: 8_000 }, (_, i) => ({ ...longest, ips: [`10.2.${i >> 8}.${i & 255}`] }));
  const { message } = checkMissing(many, Date.parse(NOW));
  assert.match(message, /^8000 machines are wanted and have not answered /);
  assert.match(message, /: blue 10\.2\.0\.0; .*; blue 10\.2\.0\.4; …$/);
});

test('the machine', () => {
  const lan = { interface: 'lan0', vnet: 'blue' };
  const up = { name: 'lan0', up: true, carrier: true, mtuBytes: 1500 };
  const lans = (link: object | undefined): string[] =>
    checkLans([lan], new Map(link === undefined ? [] : [['lan0', { ...up, ...link }]]), 1436).map(line);
  assert.deepEqual(lans({}), ['ok lan0: up, vnet blue, MTU 1500']);
  assert.deepEqual(lans(undefined), ['error lan0: this machine has no such interface']);
  assert.deepEqual(lans({ up: false }), ['error lan0: the interface is down']);
  assert.deepEqual(lans({ carrier: false }), ['error lan0: the interface has no carrier']);
  assert.deepEqual(lans({ mtuBytes: 1279 }), ['error lan0: its MTU is 1279, IPv6 needs 1280']);
  assert.match(lans({ mtuBytes: 1435 })[0] ?? '', /^warning lan0: its MTU is 1435, /);
  assert.deepEqual(checkLans([lan], 'no ip', 0).map(line), ['error ip: no ip']);
  assert.equal(checkCapabilities([]).level, 'ok');
  assert.match(
    line(checkCapabilities(['CAP_NET_ADMIN', 'CAP_NET_RAW'])),
    /^error vined: CAP_NET_ADMIN and CAP_NET_RAW are missing: /,
  );
  const levels = ([true, false, undefined] as const).map((guarded) => [
    checkForwarding([], guarded).level,
    checkForwarding(['lan0'], guarded).level,
  ]);
  assert.deepEqual(levels, [
    ['ok', 'ok'],
    ['warning', 'error'],
    ['ok', 'error'],
  ]);
});
