import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { LatestAnswers } from '../../../src/tables/latest-answers.js';
import { nodeKey } from '../../../src/tables/node-key.js';

test('the last two questions are not asked again, until what they were answered from has changed', () => {
  const asked: string[] = [];
  const answers = new LatestAnswers((vnet, ip) => {
    asked.push(`${vnet} ${ip}`);
    return asked.length === 1 ? undefined : asked.length;
  });
  const [a, b, c] = [Ip.of('10.0.0.1'), Ip.of('fd00::1'), Ip.of('10.0.0.3')];
  assert.equal(answers.of(1, a), undefined);
  assert.equal(answers.of(1, a), undefined, 'nothing is an answer too');
  assert.deepEqual([answers.of(1, b), answers.of(1, a), answers.of(1, b)], [2, undefined, 2]);
  assert.equal(answers.of(2, b), 3, 'the same address in another vnet');
  assert.equal(answers.of(1, c), 4);
  assert.equal(answers.of(2, b), 3);
  assert.equal(answers.of(1, a), 5);
  answers.forget();
  assert.equal(answers.of(1, a), 6);
  assert.deepEqual(asked, ['1 10.0.0.1', '1 fd00::1', '2 fd00::1', '1 10.0.0.3', '1 10.0.0.1', '1 10.0.0.1']);
});

test('one text for a node address, whichever object has it', () => {
  const keys = [1, 2, 1].flatMap((vnet) => ['10.0.0.1', 'fd00::1'].map((ip) => nodeKey(vnet, Ip.of(ip))));
  assert.equal(new Set(keys).size, 4);
  assert.deepEqual(keys.slice(0, 2), keys.slice(4));
});
