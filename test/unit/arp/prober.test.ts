import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ProbedBinding, Prober, SILENT_AFTER_MS } from '../../../src/arp/prober.js';
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import { lansOf } from '../../support/lans.js';
import { recordingPorts } from './sent-questions.js';

const LANS = lansOf([
  { index: 0, vnet: 1, mac: mac('02:00:00:00:00:fe'), addresses: [Ip.of('10.1.0.1')] },
  { index: 1, vnet: 2, mac: mac('02:00:00:00:00:fd'), addresses: [] },
]);
const NODE: ProbedBinding = {
  lan: 0,
  vnet: 1,
  mac: mac('02:00:00:00:00:09'),
  ip: Ip.of('10.1.0.9'),
  source: 'arp-request',
  lastSeenMs: 0,
  silent: false,
};

/** A table with the bindings given; `visiting` and `strange` hold addresses, all others are native. */
function setUp(...bindings: ProbedBinding[]) {
  const recording = recordingPorts();
  const table = new Map(bindings.map((binding) => [binding.ip.key, binding]));
  const visiting = new Set<string>();
  const strange = new Set<string>();
  const gone: string[] = [];
  const view = {
    stale: (onLan: number, olderThanMs: number) =>
      [...table.values()].filter(
        ({ lan, lastSeenMs }) => lan === onLan && recording.clock.nowMs() - lastSeenMs > olderThanMs,
      ),
    get: (vnet: number, ip: Ip) => {
      const binding = table.get(ip.key);
      return binding?.vnet === vnet ? binding : undefined;
    },
    markSilent: (_vnet: number, ip: Ip) => {
      const binding = table.get(ip.key);
      if (binding !== undefined) table.set(ip.key, { ...binding, silent: true });
    },
    forget: (_vnet: number, ip: Ip) => void table.delete(ip.key),
    standing: (_vnet: number, ip: Ip) =>
      visiting.has(ip.key) ? 'visiting' : strange.has(ip.key) ? 'strange' : 'native',
  } as const;
  const keeps = new Set<string>();
  const prober = new Prober(recording.ports, LANS, view, (binding) => {
    gone.push(binding.ip.key);
    if (!keeps.has(binding.ip.key)) table.delete(binding.ip.key);
  });
  prober.start();
  const hear = (ip: string, at?: ProbedBinding['mac']): void => {
    const binding = table.get(ip);
    assert.ok(binding);
    table.set(ip, { ...binding, mac: at ?? binding.mac, lastSeenMs: recording.clock.nowMs(), silent: false });
  };
  return { ...recording, table, visiting, strange, keeps, gone, prober, hear };
}

test('silent for 15 min: three unicast questions, then gone, once', () => {
  const { clock, sent, gone } = setUp(NODE);
  clock.advance(SILENT_AFTER_MS);
  assert.equal(sent.length, 0);
  clock.advance(60 * 60_000);
  assert.deepEqual(
    sent.map(({ lan, ip, from, to }) => [lan, ip, from, to]),
    new Array(3).fill([0, '10.1.0.9', '10.1.0.1', '02:00:00:00:00:09']),
  );
  assert.deepEqual(
    sent.map(({ atMs }) => atMs - (sent[0]?.atMs ?? 0)),
    [0, 1000, 2000],
  );
  assert.ok((sent[0]?.atMs ?? 0) <= SILENT_AFTER_MS + 10_000);
  assert.deepEqual(gone, ['10.1.0.9']);
});

test('an answer to the last question is in time', () => {
  const { clock, sent, gone, hear } = setUp(NODE);
  clock.advance(SILENT_AFTER_MS + 10_000 + 2500);
  assert.equal(sent.length, 3);
  hear('10.1.0.9');
  clock.advance(10_000);
  assert.deepEqual(gone, []);
  clock.advance(SILENT_AFTER_MS);
  assert.ok(sent.length > 3, 'and it is probed again when it falls silent again');
});

test('an answer ends the questions', () => {
  const { clock, sent, gone, hear } = setUp(NODE);
  clock.advance(SILENT_AFTER_MS + 10_000);
  hear('10.1.0.9');
  clock.advance(60_000);
  assert.equal(sent.length, 1);
  assert.deepEqual(gone, []);
});

test('a visiting node is marked silent, not gone, and not probed again until it speaks', () => {
  const { clock, sent, gone, table, visiting, hear } = setUp(NODE);
  visiting.add('10.1.0.9');
  clock.advance(60 * 60_000);
  assert.deepEqual(gone, []);
  assert.equal(table.get('10.1.0.9')?.silent, true);
  assert.equal(sent.length, 3);
  hear('10.1.0.9');
  clock.advance(SILENT_AFTER_MS + 60_000);
  assert.equal(sent.length, 6);
});

test('a binding that is forgotten or has another MAC by then is left alone', () => {
  const forgotten = setUp(NODE);
  forgotten.clock.advance(SILENT_AFTER_MS + 10_500);
  forgotten.table.clear();
  forgotten.clock.advance(60_000);
  assert.equal(forgotten.sent.length, 1);
  assert.deepEqual(forgotten.gone, []);

  const rebound = setUp(NODE);
  rebound.clock.advance(SILENT_AFTER_MS + 10_500);
  rebound.hear('10.1.0.9', mac('02:00:00:00:00:0a'));
  rebound.clock.advance(60_000);
  assert.equal(rebound.sent.length, 1);
  assert.deepEqual(rebound.gone, []);
});

test('static bindings are never probed', () => {
  const { clock, sent } = setUp({ ...NODE, source: 'static' });
  clock.advance(60 * 60_000);
  assert.equal(sent.length, 0);
});

test('IPv6 nodes are asked by NS, on their own LAN', () => {
  const { clock, sent, gone } = setUp({ ...NODE, lan: 1, vnet: 2, ip: Ip.of('fd02::9') });
  clock.advance(20 * 60_000);
  assert.deepEqual(
    sent.map(({ lan, ip, from, to }) => [lan, ip, from, to]),
    new Array(3).fill([1, 'fd02::9', 'fe80::ff:fe00:fd', '02:00:00:00:00:09']),
  );
  assert.deepEqual(gone, ['fd02::9']);
});

test('a whole site that falls silent is probed in portions, and all of it', () => {
  const many = Array.from({ length: 1000 }, (_, i) => ({ ...NODE, ip: Ip.v4(0x0a010000 + i) }));
  const { clock, sent, gone } = setUp(...many);
  clock.advance(SILENT_AFTER_MS + 10_000);
  assert.equal(sent.length, 256);
  clock.advance(60_000);
  assert.equal(sent.length, 3000);
  assert.equal(gone.length, 1000);
});

test('an address that is native nowhere is dropped after its questions, and not reported', () => {
  const linkLocal = { ...NODE, ip: Ip.of('fe80::9') };
  const { clock, sent, gone, table, strange } = setUp(linkLocal);
  strange.add('fe80::9');
  clock.advance(60 * 60_000);
  assert.equal(sent.length, 3);
  assert.equal(table.size, 0);
  assert.deepEqual(gone, []);
});

test('dead bindings that their owner keeps hold no place for ever: the silent node behind them is found', () => {
  const dead = Array.from({ length: 600 }, (_, i) => ({ ...NODE, ip: Ip.v4(0xa9fe0100 + i) }));
  const { clock, sent, gone, keeps } = setUp(...dead, { ...NODE, lastSeenMs: 1 });
  for (const { ip } of dead) keeps.add(ip.key);
  clock.advance(SILENT_AFTER_MS + 60_000);
  assert.ok(gone.includes('10.1.0.9'));
  clock.advance(60 * 60_000);
  assert.equal(sent.length, 3 * 601, 'each is asked three times, once');
});

test('one LAN full of silent bindings takes no place of another', () => {
  const many = Array.from({ length: 1_000 }, (_, i) => ({ ...NODE, ip: Ip.v4(0x0a010000 + i) }));
  const other = { ...NODE, lan: 1, vnet: 2, ip: Ip.of('10.2.0.9'), lastSeenMs: 1 };
  const { clock, gone } = setUp(...many, other);
  clock.advance(SILENT_AFTER_MS + 15_000);
  assert.ok(gone.includes('10.2.0.9'));
});

test('stop ends probes under way', () => {
  const { clock, sent, gone, prober } = setUp(NODE);
  clock.advance(SILENT_AFTER_MS + 10_500);
  prober.stop();
  clock.advance(60 * 60_000);
  assert.equal(sent.length, 1);
  assert.deepEqual(gone, []);
  assert.equal(clock.pending, 0);
});
