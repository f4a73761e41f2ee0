/**
 * A router with a valid key that sends another well-formed control messages as fast as it can takes neither its memory,
 * nor the data that goes through it, nor the moves on it.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Ip } from '../../src/net/ip.js';
import type { TableMessage } from '../../src/protocol/table-message.js';
import { Member } from '../lab/member/member.js';
import type { SiteLetter } from '../lab/plan.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { cannotRun, ping, round, untilKnownAt, withLab } from './support.js';

/** Half as much again as a member may say, on a machine that others use too; a quiet one makes 60,000. */
const LEAST_PER_SECOND = 3_000;
/** Twice what a member may say in ten seconds, with the burst that it has once. */
const LEAST_SENT = 80_000;
const FLOOD_MS = 10_000;
/** Ordered at once. */
const AT_ONCE = 10_000;
/** Also what else grows in ten seconds of work. */
const MOST_GROWTH_MIB = 60;
/** Two processors carry three routers, the flood's making, and both ends of the stream. */
const MOST_GAP_MS = 800;
const MOVES: readonly SiteLetter[] = ['b', 'a', 'b', 'a'];

function residentMiB(pid: number | undefined): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1024;
}

const QUESTION: TableMessage = {
  type: 'whoHas',
  queryId: 1,
  vnet: 1,
  mac: undefined,
  ips: [Ip.of('10.1.0.9')],
};

/** As many as the member can send, until it is ended; answers how many there were. */
function startFlood(member: Member): { readonly sent: () => number; end(): Promise<void> } {
  let [sent, isOver] = [0, false];
  const flooding = (async (): Promise<void> => {
    for (; !isOver; sent += AT_ONCE) await member.flood('a', QUESTION, AT_ONCE);
  })();
  return {
    sent: () => sent,
    end: () => {
      isOver = true;
      return flooding;
    },
  };
}

test('a member that floods with control messages', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'three-site', maxMoves: 100 }, async (lab) => {
    const flooded = lab.daemon('a');
    await ping(lab, 'b1', '10.1.0.11');
    await untilKnownAt(lab, 'b', '10.1.0.9', 'a');
    const stream = await TcpStream.open(lab, 'b1', 'a1', '10.1.0.11');
    const toMover = await TcpStream.open(lab, 'b2', 'vm', '10.1.0.9');
    await lab.daemon('c').kill();
    const member = Member.start(lab, 'c');
    await member.waitUp(['a']);
    const before = residentMiB(flooded.pid);
    const flood = startFlood(member);
    try {
      await waitFor('the flood', () => flood.sent() > LEAST_PER_SECOND);
      const [firstSent, started] = [flood.sent(), performance.now()];
      let memory = before;
      await stream.mark();
      await toMover.mark();
      for (const to of MOVES) {
        await lab.move('vm', to);
        for (const asked of ['a', 'b'] as const) await untilKnownAt(lab, asked, '10.1.0.9', to);
        await toMover.progress(100_000);
        memory = Math.max(memory, residentMiB(flooded.pid));
      }
      await waitFor(
        'ten seconds of flood',
        () => performance.now() - started > FLOOD_MS && flood.sent() - firstSent > LEAST_SENT,
        6 * FLOOD_MS,
      );
      memory = Math.max(memory, residentMiB(flooded.pid));
      const perSecond = ((flood.sent() - firstSent) / (performance.now() - started)) * 1_000;
      const counters = await flooded.counters();
      t.diagnostic(
        `${Math.round(perSecond)} messages a second; ${round(before)} MiB before, ${round(memory)} in it`,
      );
      t.diagnostic(
        `longest gap ${round(stream.gapMs)} ms; of the moving node's stream ${round(toMover.gapMs)} ms`,
      );
      t.diagnostic(
        JSON.stringify(
          Object.fromEntries(Object.entries(counters).filter(([name]) => /^control_/.test(name))),
        ),
      );
      assert.ok(perSecond > LEAST_PER_SECOND, `only ${Math.round(perSecond)} a second: this was no flood`);
      assert.ok(memory < before + MOST_GROWTH_MIB, `from ${round(before)} to ${round(memory)} MiB`);
      assert.ok(stream.gapMs < MOST_GAP_MS, `data stood still for ${round(stream.gapMs)} ms`);
      assert.ok(toMover.gapMs < MOST_GAP_MS, `a move took ${round(toMover.gapMs)} ms`);
      const refused =
        (counters.control_dropped_peer_rate ?? 0) + (counters.control_dropped_peer_queue_full ?? 0);
      assert.ok(refused > 0, 'nothing was refused');
      const peer = (await flooded.peers()).find(({ id }) => id === 'vr-b');
      assert.equal(peer?.state, 'up', 'another peer was lost');
    } finally {
      await flood.end();
    }
    await member.leave();
    await stream.finish();
    await toMover.finish();
  }),
);
