/** When a LAN is called dead, and who is asked before. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { LanHealth, SILENT_AFTER_MS } from '../../../src/pair/lan-health.js';

const HOST = Ip.of('10.1.0.9');
const EVERY_MS = 100;

/** Looks every 100 ms from `fromMs` to before `toMs`; how often each address was asked, and when the LAN was first unsound. */
function watch(
  health: LanHealth,
  fromMs: number,
  toMs: number,
  { carrier = true, isSuspect = false, answers = false } = {},
): { readonly asked: number; readonly deadMs: number | undefined } {
  let asked = 0;
  let deadMs: number | undefined;
  for (let nowMs = fromMs; nowMs < toMs; nowMs += EVERY_MS) {
    const { ask, isSound } = health.look(nowMs, carrier, isSuspect);
    asked += ask.length;
    if (answers && ask.length > 0) health.heard(HOST, nowMs + 1);
    if (!isSound) deadMs ??= nowMs;
  }
  return { asked, deadMs };
}

test('a LAN on which nobody was ever heard is as sound as its carrier', () => {
  const health = new LanHealth();
  assert.deepEqual(watch(health, 0, 60_000), { asked: 0, deadMs: undefined });
  assert.equal(health.look(60_000, false, false).isSound, false);
  assert.equal(health.look(60_100, true, false).isSound, true);
});

test('hosts that have nothing to say are asked, and those that answer keep it sound', () => {
  const health = new LanHealth();
  health.heard(HOST, 0);
  const { asked, deadMs } = watch(health, 0, 60_000, { answers: true });
  assert.equal(deadMs, undefined);
  assert.ok(asked >= 5 && asked <= 15, `asked ${asked} times in a minute`);
});

test('it is dead when nobody has been heard for ten seconds, and sound with the first host that is heard', () => {
  const health = new LanHealth();
  health.heard(HOST, 0);
  const { asked, deadMs } = watch(health, 0, 20_000);
  assert.equal(deadMs, SILENT_AFTER_MS);
  assert.ok(asked >= 10, `asked ${asked} times`);
  health.heard(HOST, 20_000);
  assert.equal(health.look(20_100, true, false).isSound, true);
});

test('a suspicion is looked into at once: dead within a second when nobody answers', () => {
  const health = new LanHealth();
  health.heard(HOST, 0);
  const { deadMs } = watch(health, 0, 3_000, { isSuspect: true });
  assert.ok(deadMs !== undefined && deadMs <= 1_000, `dead at ${deadMs}`);
});

test('a suspicion is no ground where hosts answer', () => {
  const health = new LanHealth();
  health.heard(HOST, 0);
  assert.equal(watch(health, 0, 3_000, { isSuspect: true, answers: true }).deadMs, undefined);
});

test('a router that was itself held up asks anew: what was answered meanwhile may be in its sockets', () => {
  const health = new LanHealth();
  health.heard(HOST, 0);
  watch(health, 0, 300, { isSuspect: true });
  assert.equal(health.look(1_400, true, true).isSound, true);
});

test('after the carrier has come back the hosts have their time again', () => {
  const health = new LanHealth();
  health.heard(HOST, 0);
  assert.equal(watch(health, 100, 30_000, { carrier: false }).deadMs, 100);
  assert.equal(health.look(30_000, true, false).isSound, true);
});

test('hosts that have been gone for long are no more missed', () => {
  const health = new LanHealth();
  health.heard(HOST, 0);
  watch(health, 0, 601_000);
  assert.equal(health.isSound, true);
  assert.equal(health.heardMs, undefined);
});
