import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ARRIVALS_AFTER_MS,
  type ElsewhereNode,
  hostsOf,
  SCAN_EVERY_MS,
  SCAN_MAX_ELSEWHERE,
  Scanner,
} from '../../../src/arp/scanner.js';
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import type { LndtEntry } from '../../../src/tables/model.js';
import { lansOf } from '../../support/lans.js';
import { recordingPorts } from './sent-questions.js';

const LANS = lansOf([
  { index: 0, vnet: 1, mac: mac('02:00:00:00:00:fe'), addresses: [Ip.of('10.1.0.1')] },
  { index: 1, vnet: 2, mac: mac('02:00:00:00:00:fd'), addresses: [] },
]);

function setUp(...prefixes: readonly (readonly [number, string])[]) {
  const recording = recordingPorts();
  const known = new Set<string>();
  const looks: number[] = [];
  const elsewhere: ElsewhereNode[] = [];
  const entries: LndtEntry[] = prefixes.map(([vnet, prefix]) => ({
    vnet,
    prefix: Prefix.of(prefix),
    mac: undefined,
  }));
  const scanner = new Scanner(recording.ports, LANS, {
    entries: () => entries,
    known: (vnet, ip) => {
      looks.push(recording.clock.nowMs());
      return known.has(`${vnet} ${ip.key}`);
    },
    elsewhere: () => elsewhere,
  });
  return { ...recording, scanner, known, looks, entries, elsewhere };
}

test('asks at start for what is not known, in its own vnet, and leaves out own addresses', () => {
  const { scanner, sent, known } = setUp([1, '10.1.0.0/29'], [2, '10.1.0.4'], [7, '10.1.0.5']);
  known.add('1 10.1.0.3');
  scanner.start();
  assert.deepEqual(
    sent.map(({ lan, ip, from }) => [lan, ip, from]),
    [
      [0, '10.1.0.2', '10.1.0.1'],
      [0, '10.1.0.4', '10.1.0.1'],
      [0, '10.1.0.5', '10.1.0.1'],
      [0, '10.1.0.6', '10.1.0.1'],
      [1, '10.1.0.4', '0.0.0.0'],
    ],
  );
});

test('at most 100 questions in any second', () => {
  const { scanner, sent, clock } = setUp([1, '10.1.0.0/22'], [2, '10.1.0.0/24']);
  scanner.start();
  clock.advance(20_000);
  assert.equal(sent.length, 1021 + 254);
  for (const [i, { atMs }] of sent.entries()) {
    const hundredLater = sent[i + 100];
    if (hundredLater !== undefined) assert.ok(hundredLater.atMs - atMs >= 1000, `question ${i}`);
  }
  assert.ok((sent.at(-1)?.atMs ?? 0) < 13_000, 'and not much slower');
});

test('again every 10 min, with the entries and bindings of that time', () => {
  const { scanner, sent, clock, known, entries } = setUp([2, '10.2.0.0/30']);
  scanner.start();
  assert.equal(sent.length, 2);
  known.add('2 10.2.0.1');
  entries.push({ vnet: 2, prefix: Prefix.of('10.2.0.9'), mac: undefined });
  clock.advance(SCAN_EVERY_MS - 1);
  assert.equal(sent.length, 2);
  clock.advance(1);
  assert.deepEqual(
    sent.slice(2).map(({ ip }) => ip),
    ['10.2.0.2', '10.2.0.9'],
  );
});

test('an address that becomes known while the scan is under way is not asked for', () => {
  const { scanner, sent, clock, known } = setUp([2, '10.2.0.0/24']);
  scanner.start();
  known.add('2 10.2.0.200');
  clock.advance(10_000);
  assert.equal(sent.length, 253);
});

test('a prefix of 1,024 addresses is walked, a larger one is not', () => {
  const { scanner, sent, clock } = setUp(
    [2, '10.4.0.0/22'],
    [2, '10.8.0.0/21'],
    [2, 'fd00::/64'],
    [2, 'fd01::/118'],
  );
  scanner.start();
  clock.advance(60_000);
  assert.equal(sent.filter(({ ip }) => ip.startsWith('10.4.') || ip.startsWith('10.5.')).length, 1022);
  assert.equal(sent.filter(({ ip }) => ip.startsWith('fd01::')).length, 1023);
  assert.equal(sent.length, 2045);
});

test('a scan that takes longer than 10 min is followed by the next without a rush', () => {
  const { scanner, sent, clock } = setUp(
    ...Array.from({ length: 64 }, (_, i) => [2, `10.${i}.0.0/22`] as const),
  );
  scanner.start();
  clock.advance(SCAN_EVERY_MS + 60_000);
  const perSecond = new Map<number, number>();
  for (const { atMs } of sent) {
    const second = Math.floor(atMs / 1000);
    perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
  }
  assert.ok(Math.max(...perSecond.values()) <= 100);
  assert.ok(sent.length > 65_000);
});

test('thousands of known addresses are not passed over in one turn', () => {
  const { scanner, sent, clock, known, looks } = setUp(
    [2, '10.4.0.0/22'],
    [2, '10.8.0.0/22'],
    [2, '10.9.0.9'],
  );
  for (let i = 0; i < 1_024; i++)
    for (const base of [0x0a040000, 0x0a080000]) known.add(`2 ${Ip.v4(base + i).key}`);
  scanner.start();
  assert.ok(looks.length <= 300, `${looks.length} looks at once`);
  clock.advance(10_000);
  assert.equal(looks.length, 2 * 1_022 + 1);
  assert.deepEqual(
    sent.map(({ ip }) => ip),
    ['10.9.0.9'],
  );
});

test('of many nodes elsewhere the newest are found, in any order', () => {
  for (const order of [1, -1, 7_919]) {
    const { scanner, sent, clock, elsewhere } = setUp();
    for (let i = 0; i < 5_000; i++) {
      const stamp = order < 0 ? 5_000 - i : (i * order) % 5_000;
      elsewhere.push({ vnet: 1, ip: Ip.v4(0x0a020000 + stamp), mac: mac('52:54:00:00:00:09'), stamp });
    }
    scanner.start();
    clock.advance(SCAN_EVERY_MS);
    assert.deepEqual(
      sent.map(({ ip }) => ip),
      Array.from(
        { length: SCAN_MAX_ELSEWHERE },
        (_, n) => Ip.v4(0x0a020000 + Math.max(...elsewhere.map(({ stamp }) => stamp)) - n).key,
      ),
    );
  }
});

test('starting twice is one scan, stopping ends it', () => {
  const { scanner, sent, clock } = setUp([2, '10.2.0.0/24']);
  scanner.start();
  scanner.start();
  assert.equal(sent.length, 10);
  scanner.stop();
  clock.advance(SCAN_EVERY_MS * 2);
  assert.equal(sent.length, 10);
  assert.equal(clock.pending, 0);
});

test('the hosts of small prefixes', () => {
  const keys = (text: string): string[] => [...hostsOf(Prefix.of(text))].map((ip) => ip.key);
  assert.deepEqual(keys('10.0.0.5'), ['10.0.0.5']);
  assert.deepEqual(keys('10.0.0.4/31'), ['10.0.0.4', '10.0.0.5']);
  assert.deepEqual(keys('255.255.255.252/30'), ['255.255.255.253', '255.255.255.254']);
  assert.deepEqual(keys('fd00::5'), ['fd00::5']);
  assert.deepEqual(keys('fd00::4/127'), ['fd00::4', 'fd00::5']);
  assert.deepEqual(keys('fd00::ffff:fffc/126'), ['fd00::ffff:fffd', 'fd00::ffff:fffe', 'fd00::ffff:ffff']);
});

test('soon after start, once, nodes that are said to be elsewhere are asked at their MACs, those moved last first', () => {
  const { scanner, sent, clock, elsewhere } = setUp();
  for (let i = 0; i < 1500; i++) {
    const node = { vnet: i === 1499 ? 9 : 1, ip: Ip.v4(0x0a020000 + i), mac: mac('52:54:00:00:00:09') };
    elsewhere.push({ ...node, stamp: 1_000 + i });
  }
  scanner.start();
  clock.advance(ARRIVALS_AFTER_MS - 1);
  assert.equal(sent.length, 0);
  clock.advance(SCAN_EVERY_MS * 2);
  assert.equal(sent.length, SCAN_MAX_ELSEWHERE);
  assert.deepEqual(
    sent.slice(0, 2).map(({ lan, ip, from, to }) => [lan, ip, from, to]),
    [
      [0, '10.2.5.218', '0.0.0.0', '52:54:00:00:00:09'],
      [0, '10.2.5.217', '0.0.0.0', '52:54:00:00:00:09'],
    ],
  );
});

test('a long scan is interrupted for them', () => {
  const { scanner, sent, clock, elsewhere } = setUp([1, '10.1.0.0/22']);
  elsewhere.push({ vnet: 1, ip: Ip.of('10.2.0.9'), mac: mac('52:54:00:00:00:09'), stamp: 1 });
  scanner.start();
  clock.advance(ARRIVALS_AFTER_MS + 100);
  assert.equal(sent.filter(({ ip }) => ip === '10.2.0.9').length, 1);
  clock.advance(20_000);
  assert.equal(sent.length, 1021 + 1);
});
