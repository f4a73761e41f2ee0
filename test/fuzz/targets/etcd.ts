/** What an etcd answers: ranges, lines of a watch, logins, swaps; whole, mutated and cut. */
import assert from 'node:assert/strict';
import {
  isFailure,
  readLogin,
  readRange,
  readSwap,
  readWatch,
} from '../../../src/membership/etcd/messages.js';
import { mutated } from '../mutate.js';
import type { Random } from '../random.js';
import type { Target } from '../target.js';

const KEY = '/vine/description';
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const header = { cluster_id: '324952591200643719', revision: '12', raft_term: '2' };
const kv = { key: base64(KEY), value: base64('a description'), mod_revision: '9', version: '2' };
const MAX_REVISION = 2n ** 63n - 1n;

const RANGES = [{ header, kvs: [kv], count: '1' }, { header }];
const LINES = [
  { result: { header, created: true } },
  { result: { header, events: [{ kv }, { type: 'DELETE', kv: { key: kv.key, mod_revision: '13' } }] } },
  { result: { header, events: [{ kv }] } },
  { result: { header: {}, canceled: true, compact_revision: '5' } },
  { error: { grpc_code: 14, message: 'etcdserver: no leader' } },
];

function text(random: Random, answers: readonly object[]): string {
  const good = Buffer.from(JSON.stringify(random.pick(answers)));
  return Buffer.from(random.chance(20) ? good : mutated(good, random)).toString('utf8');
}

function work(random: Random): string {
  switch (random.below(4)) {
    case 0: {
      const answer = readRange(text(random, RANGES), KEY);
      if (isFailure(answer)) return 'range refused';
      assert.ok(answer.revision > 0n && answer.revision <= MAX_REVISION);
      return 'range taken';
    }
    case 1: {
      const answer = readWatch(text(random, LINES), KEY);
      if (!isFailure(answer)) return 'line taken';
      assert.doesNotMatch(answer.detail, /\p{Cc}/u);
      assert.ok(answer.detail.length <= 200, answer.detail);
      return 'line refused';
    }
    case 2:
      return `swap ${typeof readSwap(text(random, [{ header, succeeded: true }]))}`;
    default: {
      const token = readLogin(text(random, [{ header, token: 'SomeToken.42' }]));
      if (typeof token !== 'string') return 'login refused';
      assert.match(token, /^[\x21-\x7e]+$/);
      return 'login taken';
    }
  }
}

export const etcd: Target = {
  name: 'etcd',
  outcomes: ['range refused', 'range taken', 'line refused', 'line taken', 'swap boolean', 'login taken'],
  open: () => work,
};
