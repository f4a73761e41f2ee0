import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAnswers, silentChecks, silentSummary } from '../../../bench/migration/silent.js';

test('the times of ping’s answers, of whole lines only', () => {
  const text = [
    'PING 10.1.0.9 (10.1.0.9) 56(84) bytes of data.',
    '[1700000000.250000] 64 bytes from 10.1.0.9: icmp_seq=1 ttl=63 time=0.21 ms',
    '[1700000000.300000] From 10.1.0.11 icmp_seq=2 Destination Host Unreachable',
    '[1700000000.350000] 64 bytes from fd00:1::9: icmp_seq=3 ttl=63 time=0.21 ms',
    '[1700000000.400000] 64 bytes fr',
  ].join('\n');
  assert.deepEqual(parseAnswers(text), [1_700_000_000_250, 1_700_000_000_350]);
});

test('the budget holds for the worst of both pingers', () => {
  const move = (a1: number, c1: number) => ({ to: 'b', againMs: { a1, c1 }, trigger: 'search' }) as const;
  const good = { delayMs: 20, moves: [move(400, 1_499), move(500, 600)] };
  assert.equal(silentChecks(good)[0]?.holds, true);
  assert.equal(silentSummary(good).all.count, 4);
  const bad = { delayMs: 20, moves: [...good.moves, move(300, 1_501)] };
  assert.equal(silentChecks(bad)[0]?.holds, false);
});
