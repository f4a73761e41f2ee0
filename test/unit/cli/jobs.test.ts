/** Which job of a courier carried which move. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CourierJob, jobsOfMoves, withJobs, withOthers } from '../../../src/cli/jobs/jobs.js';
import { showEntries } from '../../../src/cli/show/migrations.js';
import { plain } from '../../../src/cli/show/text.js';
import type { MigrationView } from '../../../src/control/api.js';

const MAC = '52:54:00:00:00:09';
const NOON = Date.parse('2026-03-01T12:00:00Z');
const MINUTE = 60_000;

function move(atMs: number, seq: number, more: Partial<MigrationView> = {}): MigrationView {
  return {
    ...{ vnet: 'blue', ips: ['10.1.0.9'], mac: MAC, from: 'vr-a', to: 'vr-b', role: 'destination', seq },
    ...{ trigger: 'rarp', verdict: 'accepted', reason: '', blackoutUs: 20_800 },
    ...{ startedAt: new Date(NOON + atMs).toISOString(), startedUnixMs: NOON + atMs },
    steps: [
      { step: 'detected', atUs: 0 },
      { step: 'accepted:vr-a', atUs: 20_800 },
    ],
    ...more,
  };
}

function job(fromMs: number, toMs: number | null, more: Partial<CourierJob> = {}): CourierJob {
  return {
    ...{ job: String(fromMs), role: 'source', peer: 'site-b', destination: 'vm1', macs: [MAC] },
    ...{ state: toMs === null ? 'running' : 'complete', reason: '', speaker: 'qemu' },
    ...{
      streamBytes: 100 * 2 ** 20,
      wanBytesSent: 30 * 2 ** 20,
      wanBytesReceived: 2 ** 20,
      savedPercent: 69,
    },
    ...{ identical: toMs === null ? null : true, startedUnixMs: NOON + fromMs },
    switchUnixMs: toMs === null ? null : NOON + toMs - 60,
    endedUnixMs: toMs === null ? null : NOON + toMs,
    ...more,
  };
}

/** By the moves' numbers, the beginnings of their jobs. */
function joined(moves: readonly MigrationView[], jobs: readonly CourierJob[]): Record<number, string> {
  const carriers = jobsOfMoves(moves, jobs);
  return Object.fromEntries(
    withJobs(moves, carriers).flatMap(({ move: { seq }, job: one }) => (one ? [[seq, one.job]] : [])),
  );
}

test('a move gets the last job of its MAC that began before it', () => {
  assert.deepEqual(joined([move(0, 1)], [job(-9_000, -20), job(-5 * MINUTE, -4 * MINUTE)]), { 1: '-9000' });
  assert.deepEqual(joined([move(0, 1)], [job(-9_000, 30)]), { 1: '-9000' }, 'it ends a little later');
  assert.deepEqual(joined([move(0, 1)], [job(-9_000, null)]), { 1: '-9000' }, 'it has not ended yet');
  assert.deepEqual(joined([move(0, 1)], [job(10, 900)]), {}, 'it began later');
  assert.deepEqual(joined([move(0, 1)], [job(-30 * MINUTE, -11 * MINUTE)]), {}, 'long ago');
  assert.deepEqual(joined([move(0, 1)], [job(-9_000, -20, { macs: ['52:54:00:00:00:10'] })]), {});
  assert.deepEqual(joined([move(0, 1)], [job(-9_000, -20, { macs: [] })]), {});
  assert.deepEqual(joined([move(0, 1)], [job(-9_000, -20, { macs: ['52:54:00:00:00:10', MAC] })]), {
    1: '-9000',
  });
});

test('there, and home again: each move has its own job, and a move without one gets none', () => {
  const jobs = [job(-3 * MINUTE, -2 * MINUTE), job(-1 * MINUTE, 0, { role: 'destination' })];
  const moves = [move(-2 * MINUTE, 1), move(5, 2), move(MINUTE, 3)];
  assert.deepEqual(joined(moves, jobs), { 1: '-180000', 2: '-60000' });
  assert.deepEqual(joined([...moves].reverse(), [...jobs].reverse()), { 1: '-180000', 2: '-60000' });
});

test('a job that failed has carried nobody', () => {
  const jobs = [job(-3 * MINUTE, -2 * MINUTE, { state: 'failed', reason: 'cut' }), job(-9_000, -20)];
  assert.deepEqual(joined([move(0, 1)], jobs), { 1: '-9000' });
  assert.deepEqual(joined([move(0, 1)], jobs.slice(0, 1)), {});
});

test('for people: one time line of transfer, switch, and what the router did', () => {
  const look = { paint: plain, nowMs: NOON + 5_000 };
  const jobs = [
    job(-9_000, 12.5),
    job(-20_000, -15_000, { state: 'failed', reason: 'cut \u001b[2J', macs: [] }),
    job(1_000, null, { role: 'destination', peer: 'ab'.repeat(16), destination: 'vm2' }),
  ];
  const moves = [move(0, 1, { role: 'source' })];
  const carriers = jobsOfMoves(moves, jobs);
  assert.equal(
    showEntries(withOthers(withJobs(moves, carriers), jobs, carriers), look),
    `\
vm1  to site-b  failed: cut \\x1b[2J, no move
  no MAC is known of it: "mac" in the courier’s "send", or "vinectl courier send --mac"
  2026-03-01 11:59:40Z, 25 s ago
  courier: 100.0 MiB of memory and state, 31.0 MiB on the WAN, 69 % saved

10.1.0.9  vr-a -> vr-b  accepted
  mac 52:54:00:00:00:09, vnet blue, seq 1, trigger rarp, seen as source
  2026-03-01 12:00:00Z, 5 s ago
  courier: vm1 to site-b, complete (same bytes at both ends), 100.0 MiB of memory and state, 31.0 MiB on the WAN, 69 % saved
  -9000.000 ms  transfer_begins
    -47.500 ms  switch
     +0.000 ms  detected
    +12.500 ms  transfer_ends
    +20.800 ms  accepted:vr-a
  the guest's pause, until this router heard of it elsewhere: 47.500 ms
  estimated blackout, without the hypervisor's pause: 20.800 ms

vm2  comes here  running, no move
  mac 52:54:00:00:00:09
  2026-03-01 12:00:01Z, 4 s ago
  courier: 100.0 MiB of memory and state, 31.0 MiB on the WAN, 69 % saved
`,
  );
});

test('where it arrives, the switch is not seen: its last state comes when the WAN has taken it', () => {
  const look = { paint: plain, nowMs: NOON + 5_000 };
  const moves = [move(0, 1)];
  const carriers = jobsOfMoves(moves, [job(-9_000, 12.5, { role: 'destination' })]);
  const shown = showEntries(withJobs(moves, carriers), look);
  assert.match(shown, /courier: vm1 comes here, complete/);
  assert.match(shown, /^ +-47\.500 ms {2}last_state_comes$/m);
  assert.doesNotMatch(shown, /the guest's pause/);
});
