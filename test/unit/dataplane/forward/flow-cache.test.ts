/** The flow cache answers as two look-ups would, whatever happens to the table between packets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlowCache } from '../../../../src/dataplane/forward/flow-cache.js';
import { PacketView } from '../../../../src/dataplane/forward/packet.js';
import { Ip } from '../../../../src/net/ip.js';
import type { Mac } from '../../../../src/net/mac.js';
import { Prefix } from '../../../../src/net/prefix.js';
import { ForwardingReader } from '../../../../src/tables/forwarding/forwarding-reader.js';
import {
  ForwardingTable,
  ROUTE_WORDS,
  RouteFlag,
  RouteKind,
} from '../../../../src/tables/forwarding/forwarding-table.js';
import { Dice } from '../../../support/flow-packets.js';

const addresses4 = Array.from({ length: 40 }, (_, i) => Ip.parse(`10.0.${i & 3}.${i}`));
const addresses6 = Array.from({ length: 40 }, (_, i) => Ip.parse(`fd00:${i & 3}::${i.toString(16)}`));

function route(n: number) {
  return {
    kind: RouteKind.host,
    peer: -1,
    lan: n,
    mac: (0x525400000000 + n) as Mac,
    network: 1,
    homePeer: -2,
    previousPeer: -1,
    flags: RouteFlag.authorised,
    pinnedMac: undefined,
  };
}

function view(source: Ip, destination: Ip): PacketView {
  const p = new PacketView();
  p.family = source.family;
  [p.source0, p.source1, p.source2, p.source3] = source.words.map((word) => word | 0) as [
    number,
    number,
    number,
    number,
  ];
  [p.destination0, p.destination1, p.destination2, p.destination3] = destination.words.map(
    (word) => word | 0,
  ) as [number, number, number, number];
  return p;
}

function direct(table: ForwardingTable, vnet: number, ip: Ip): number[] {
  const out = new Int32Array(ROUTE_WORDS);
  const [w0, w1, w2, w3] = ip.words;
  table.lookup(vnet, ip.family, w0, w1, w2, w3, out);
  return [...out];
}

test('answers as two look-ups do, through a history of changes', () => {
  const dice = new Dice(42);
  const table = ForwardingTable.create({ slots: 1024 });
  const cache = new FlowCache(ForwardingTable.attach(table.memory));
  const pick = (): [Ip, Ip] => {
    const addresses = dice.oneIn(2) ? addresses4 : addresses6;
    return [addresses[dice.roll(40)] as Ip, addresses[dice.roll(40)] as Ip];
  };
  for (let step = 0; step < 20_000; step++) {
    const vnet = 1 + dice.roll(2);
    if (dice.oneIn(40)) {
      const [ip] = pick();
      const whole = ip.family === 4 ? 32 : 128;
      const prefix = Prefix.containing(ip, dice.oneIn(3) ? whole - 8 : whole);
      if (dice.oneIn(3)) table.delete(vnet, prefix);
      else table.set(vnet, prefix, route(step));
    }
    const [source, destination] = pick();
    const found = cache.find(vnet, view(source, destination));
    assert.deepEqual([...found.source], direct(table, vnet, source));
    assert.deepEqual([...found.destination], direct(table, vnet, destination));
  }
});

test('looks up a pair once for each version of the table', (t) => {
  const table = ForwardingTable.create({ slots: 64 });
  table.set(1, Prefix.containing(addresses4[1] as Ip, 32), route(1));
  const lookups = t.mock.method(ForwardingReader.prototype, 'lookup');
  const cache = new FlowCache(table);
  const packet = view(addresses4[0] as Ip, addresses4[1] as Ip);
  for (let i = 0; i < 5; i++) cache.find(1, packet);
  assert.equal(lookups.mock.callCount(), 2);
  cache.find(2, packet);
  assert.equal(lookups.mock.callCount(), 4);
  table.set(1, Prefix.containing(addresses4[9] as Ip, 32), route(2));
  cache.find(1, packet);
  assert.equal(lookups.mock.callCount(), 6);
});
