/**
 * One router of a pair is killed at random moments of a move: nobody may stay out of reach, and no connection break.
 *
 * VINE_CRASH_MOMENTS: moments of each router (default 20). VINE_SEED: replays the moments of a run.
 */
import type { TestContext } from 'node:test';
import { pause } from '../lab/wait.js';
import { randomOf } from '../support/sim-lan-wan.js';
import { restart, WatchedNode, withPair } from './pair-support.js';

const moments = Number(process.env.VINE_CRASH_MOMENTS ?? 20);
const seed = Number(process.env.VINE_SEED ?? Math.floor(Math.random() * 1_000_000));
/** As in crash.test.ts: half while tables and messages are under way, half while the LANs are being redirected. */
const EARLIEST_MS = -10;
const SOON_MS = 40;
const LATEST_MS = 400;

export const crashTitle = (victim: string): string =>
  `kill -9 of the ${victim} router at ${moments} random moments of a move, seed ${seed}`;

export function crashes(t: TestContext, victim: 'active' | 'standby'): Promise<void> {
  return withPair(t, async (lab, pair) => {
    const random = randomOf(seed);
    const node = await WatchedNode.open(lab);
    for (let moment = 0; moment < moments; moment++) {
      const struck = (await pair.whole())[victim];
      const [from, until] = random() < 0.5 ? [EARLIEST_MS, SOON_MS] : [SOON_MS, LATEST_MS];
      const atMs = Math.round(from + random() * (until - from));
      const announce = random() < 0.5 ? 'rarp' : 'both';
      const to = node.elsewhere;
      const began = performance.now();
      const sinceMs = (): number => Math.round(performance.now() - began);
      const killed = pause(atMs - EARLIEST_MS)
        .then(() => restart(pair, struck))
        .then(sinceMs);
      await pause(-EARLIEST_MS);
      await lab.move('vm', to, { announce });
      const reached = node.isReached().then(sinceMs);
      const [wholeMs, reachedMs] = await Promise.all([killed, reached]);
      t.diagnostic(
        `to ${to} (${announce}), ${struck.id} killed at ${atMs} ms: reached after ${reachedMs} ms, whole after ${wholeMs} ms`,
      );
    }
    await node.finish();
  });
}
