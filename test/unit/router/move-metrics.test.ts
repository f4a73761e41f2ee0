/** The metrics of moves, fed from the time lines that `vinectl migrations` shows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Journal, type MoveStart } from '../../../src/mobility/journal.js';
import { Ip } from '../../../src/net/ip.js';
import type { Mac } from '../../../src/net/mac.js';
import { Metrics } from '../../../src/router/view/metrics.js';
import { SimClock } from '../../support/sim-clock.js';
import { metricsSource } from './metrics-support.js';

const START: Omit<MoveStart, 'startedMs'> = {
  vnet: 1,
  mac: 0x525400000009 as Mac,
  ips: [Ip.of('10.1.0.9'), Ip.of('fd00:1::9')],
  from: 'vr-a',
  to: 'vr-b',
  trigger: 'rarp',
  seq: 2,
  role: 'destination',
};

function bench() {
  const clock = new SimClock();
  const metrics = new Metrics(metricsSource());
  const journal = new Journal(clock, (move) => metrics.judged(move.view()));
  const move = (
    changed: Partial<MoveStart>,
    claimedMs: number,
    answeredMs: number,
    verdict: 'accepted' | 'refused',
  ) => {
    const begun = journal.begin({ ...START, startedMs: clock.nowMs(), ...changed });
    clock.advance(claimedMs);
    begun.step('claim_sent');
    clock.advance(answeredMs);
    begun.step(`${verdict}:vr-a`);
    begun.judge(verdict);
  };
  return { metrics, move };
}

/** The samples of one histogram, without its buckets. */
async function histogram(metrics: Metrics, name: string): Promise<[count: number, sum: number]> {
  const { text } = await metrics.collect();
  const of = (suffix: string): number => Number(new RegExp(`^${name}_${suffix} (.*)$`, 'm').exec(text)?.[1]);
  return [of('count'), of('sum')];
}

test('the estimated blackout of each move that was agreed to, in seconds, with both addresses once', async () => {
  const { metrics, move } = bench();
  move({}, 1, 50, 'accepted');
  move({}, 2, 148, 'accepted');
  const [count, sum] = await histogram(metrics, 'vine_move_blackout_estimated_seconds');
  assert.equal(count, 2);
  assert.ok(Math.abs(sum - (0.051 + 0.15)) < 1e-9, `${sum} s`);
  const [, claimed] = await histogram(metrics, 'vine_move_detection_to_claim_seconds');
  assert.ok(Math.abs(claimed - 0.003) < 1e-9, `${claimed} s`);
  const { text } = await metrics.collect();
  assert.match(text, /^vine_move_blackout_estimated_seconds_bucket\{le="0.1"\} 1$/m);
});

test('none of a move that is refused, that others made, or of a node that was nowhere', async () => {
  const { metrics, move } = bench();
  move({}, 1, 50, 'refused');
  move({ role: 'source' }, 1, 50, 'accepted');
  move({ role: 'observer' }, 1, 50, 'accepted');
  move({ from: undefined }, 1, 50, 'accepted');
  assert.equal((await histogram(metrics, 'vine_move_blackout_estimated_seconds'))[0], 0);
  const { text } = await metrics.collect();
  assert.match(text, /^vine_moves_total\{role="destination",verdict="refused"\} 1$/m);
});
