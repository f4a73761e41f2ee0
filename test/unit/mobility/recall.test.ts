/** Records that a router has lost with its state, and that the others still hold. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BLUE, Harness, ip, NODE_MAC, OTHER_MAC, rarpOf, recordOf } from './harness.js';

const lost = recordOf('10.1.0.9', NODE_MAC, 'vr-b', 30, 1_000_000);
const digest = { type: 'digest', highestStamp: lost.stamp, count: 1, hash: 77 } as const;

test('a digest with a stamp that it does not remember: it asks, and serves the node again', () => {
  const b = new Harness();
  b.mobility.message('vr-a', digest);
  const [asked] = b.takeMessages('whoHas');
  assert.equal(asked?.to, 'vr-a');
  assert.deepEqual([asked?.message.mac, asked?.message.ip], [undefined, undefined]);
  b.mobility.message('vr-a', { type: 'has', queryId: asked?.message.queryId ?? 1, records: [lost] });
  const record = b.directory.here(BLUE, ip('10.1.0.9'));
  assert.deepEqual([record?.router, record?.seq, record?.mac], ['vr-b', 30, NODE_MAC]);
  b.clock.advance(10);
  assert.equal(b.takeMessages('records').length, 2, 'all routers hear of it');
});

test('it asks once, and not for stamps that it has given since it started', () => {
  const b = new Harness();
  b.mobility.message('vr-a', digest);
  b.mobility.message('vr-c', digest);
  b.see(rarpOf(OTHER_MAC));
  const own = b.directory.originate(BLUE, ip('10.2.0.20'), OTHER_MAC, 1);
  b.mobility.message('vr-c', { ...digest, highestStamp: own.stamp });
  const recalls = b.takeMessages('whoHas').filter(({ message }) => message.mac === undefined);
  assert.equal(recalls.length, 1);
});

test('what another router says of itself stands; so do the own tombstone and what is not its own', () => {
  const b = new Harness();
  b.known('10.1.0.9', NODE_MAC, 'vr-c', 5);
  b.directory.originate(BLUE, ip('10.1.0.10'), OTHER_MAC, 40);
  b.directory.withdraw(BLUE, ip('10.1.0.10'));
  b.mobility.message('vr-a', digest);
  const records = [
    lost,
    recordOf('10.1.0.10', OTHER_MAC, 'vr-b', 40, 900_000),
    recordOf('10.1.0.11', OTHER_MAC, 'vr-c', 9, 900_000),
    { ...recordOf('10.1.0.12', OTHER_MAC, 'vr-b', 9, 900_000), state: 'withdrawn' as const },
  ];
  b.mobility.message('vr-a', { type: 'has', queryId: 0, records });
  assert.equal(b.directory.here(BLUE, ip('10.1.0.9'))?.router, 'vr-c');
  for (const address of ['10.1.0.10', '10.1.0.11', '10.1.0.12'])
    assert.equal(b.directory.here(BLUE, ip(address)), undefined, address);
});

test('it reminds others of theirs, and of nothing else', () => {
  const b = new Harness();
  for (let i = 0; i < 20; i++) b.known(`10.1.0.${20 + i}`, OTHER_MAC, 'vr-a', 2);
  b.known('10.3.0.20', OTHER_MAC, 'vr-c');
  b.take();
  b.mobility.message('vr-a', { type: 'whoHas', queryId: 0, vnet: BLUE, mac: undefined, ip: undefined });
  const told = b.takeMessages('has');
  assert.ok(told.every(({ to, message }) => to === 'vr-a' && message.queryId === 0));
  const records = told.flatMap(({ message }) => message.records);
  assert.equal(records.length, 20);
  assert.ok(records.every(({ router }) => router === 'vr-a'));
});
