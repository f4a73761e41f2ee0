import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ip } from '../../../src/net/ip.js';
import { type Mac, mac, ZERO_MAC } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import {
  ForwardingTable,
  R,
  ROUTE_WORDS,
  type Route,
  RouteFlag,
  RouteKind,
} from '../../../src/tables/forwarding/forwarding-table.js';
import { GENERATION_WORDS } from '../../../src/tables/forwarding/generations.js';

/** A route that can be told from every other one. */
function route(n: number): Route {
  return {
    kind: RouteKind.host,
    peer: -1,
    lan: n,
    mac: (0x525400000000 + n) as Mac,
    network: n + 1,
    homePeer: -2,
    previousPeer: n,
    flags: RouteFlag.authorised,
    pinnedMac: undefined,
  };
}

function lookup(table: ForwardingTable, vnet: number, ip: Ip): number | undefined {
  const out = new Int32Array(ROUTE_WORDS).fill(77);
  const [w0, w1, w2, w3] = ip.words;
  if (table.lookup(vnet, ip.family, w0, w1, w2, w3, out)) return out[R.lan];
  assert.deepEqual([...out], new Array(ROUTE_WORDS).fill(0), 'zeros when there is none');
  return undefined;
}

test('all words of a route come back', () => {
  const table = ForwardingTable.create({ slots: 16 });
  const whole: Route = {
    kind: RouteKind.peer,
    peer: 4095,
    lan: -1,
    mac: mac('fe:ff:ff:ff:ff:ff'),
    network: 4096,
    homePeer: -1,
    previousPeer: 3,
    flags: RouteFlag.departed | RouteFlag.pinned | RouteFlag.inSubnet,
    pinnedMac: mac('80:00:80:00:00:01'),
  };
  const prefix = Prefix.of('203.0.113.0/24');
  assert.equal(table.set(65535, prefix, whole), true);
  assert.deepEqual(table.get(65535, prefix), whole);
  assert.deepEqual(table.matched(65535, Ip.of('203.0.113.255')), { prefix, route: whole });
  assert.equal(table.matched(65535, Ip.of('203.0.112.255')), undefined);
  assert.deepEqual([...table.routes()], [{ vnet: 65535, prefix, route: whole }]);
  const other = ForwardingTable.attach(table.memory);
  assert.deepEqual(other.matched(65535, Ip.of('203.0.113.1')), { prefix, route: whole });
});

test('the longest prefix wins, per vnet and family; /0, host routes and signed words included', () => {
  const table = ForwardingTable.create({ slots: 64 });
  const prefixes = [
    '0.0.0.0/0',
    '200.0.0.0/5',
    '200.1.0.0/16',
    '200.1.0.9',
    '::/0',
    'fd00::/8',
    'fd00:1::/33',
    'fd00:1::9',
  ];
  for (const [n, text] of prefixes.entries()) table.set(1, Prefix.of(text), route(n));
  table.set(2, Prefix.of('200.1.0.9'), route(20));
  assert.equal(lookup(table, 1, Ip.of('10.0.0.1')), 0);
  assert.equal(lookup(table, 1, Ip.of('207.255.255.255')), 1);
  assert.equal(lookup(table, 1, Ip.of('200.1.0.8')), 2);
  assert.equal(lookup(table, 1, Ip.of('200.1.0.9')), 3);
  assert.equal(lookup(table, 1, Ip.of('2001:db8::1')), 4);
  assert.equal(lookup(table, 1, Ip.of('::c801:9')), 4, 'not the IPv4 host route');
  assert.equal(lookup(table, 1, Ip.of('fdff::1')), 5);
  assert.equal(lookup(table, 1, Ip.of('fd00:1:7fff:ffff::')), 6);
  assert.equal(lookup(table, 1, Ip.of('fd00:1:8000::')), 5);
  assert.equal(lookup(table, 1, Ip.of('fd00:1::9')), 7);
  assert.equal(lookup(table, 2, Ip.of('200.1.0.8')), undefined);
  assert.equal(lookup(table, 2, Ip.of('200.1.0.9')), 20);
  assert.equal(lookup(table, 3, Ip.of('200.1.0.9')), undefined);
  const out = new Int32Array(ROUTE_WORDS);
  assert.equal(table.lookup(1, 4, 0, 0, 0, 0xc8010009 | 0, out), true);
  assert.equal(out[R.lan], 3, 'a signed word is the same address');
});

test('the version rises with every change, and not when nothing changes', () => {
  const table = ForwardingTable.create({ slots: 16 });
  const prefix = Prefix.of('10.1.0.0/24');
  const versions = [table.version];
  const note = (): void => void versions.push(table.version);
  table.set(1, prefix, route(1));
  note();
  table.set(1, prefix, route(2));
  note();
  table.setGateway(0, 1, Ip.of('10.1.0.254'));
  note();
  table.delete(1, prefix);
  note();
  assert.deepEqual(versions, [0, 2, 4, 6, 8]);
  table.delete(1, prefix);
  table.setGateway(0, 1, Ip.of('10.1.0.254'));
  table.setGateway(1, 1, undefined);
  assert.equal(table.version, 8);
  table.set(1, prefix, route(2));
  table.set(1, prefix, route(2));
  assert.equal(table.version, 10);
});

test('three quarters of the slots can be used; then set says no and changes nothing', () => {
  const table = ForwardingTable.create({ slots: 16 });
  const host = (n: number): Prefix => Prefix.host(Ip.v4(0x0a000000 + n));
  for (let n = 0; n < 12; n++) assert.equal(table.set(1, host(n), route(n)), true);
  const version = table.version;
  assert.equal(table.set(1, host(12), route(12)), false);
  assert.equal(table.version, version);
  assert.equal(lookup(table, 1, host(12).address), undefined);
  assert.equal(table.set(1, host(3), route(33)), true, 'replacing needs no room');
  table.delete(1, host(0));
  assert.equal(table.set(1, host(12), route(12)), true);
  assert.equal(table.size, 12);
});

test('256 vnets can be in use; one that has lost its last route makes room for another', () => {
  const table = ForwardingTable.create({ slots: 1024 });
  const prefix = Prefix.of('fd00::/8');
  for (let vnet = 1; vnet <= 256; vnet++) assert.equal(table.set(vnet * 255, prefix, route(vnet)), true);
  assert.equal(table.set(1, prefix, route(1)), false);
  table.delete(255, prefix);
  assert.equal(table.set(1, prefix, route(9)), true);
  assert.equal(lookup(table, 1, Ip.of('fd00::1')), 9);
  assert.equal(lookup(table, 255, Ip.of('fd00::1')), undefined);
  assert.equal(lookup(table, 65_280, Ip.of('fd00::1')), 256);
  assert.throws(() => table.set(65_536, prefix, route(1)), RangeError);
});

test('gateways by network', () => {
  const table = ForwardingTable.create({ slots: 16 });
  const out = new Int32Array(5).fill(7);
  assert.equal(table.gateway(0, out), false);
  assert.deepEqual([...out], [0, 0, 0, 0, 0]);
  table.setGateway(4095, 1, Ip.of('200.1.0.254'));
  table.setGateway(3, 1, Ip.of('fd00:1::fe'));
  assert.equal(table.gateway(4095, out), true);
  assert.deepEqual([...out], [4, 0, 0, 0, 0xc80100fe | 0]);
  assert.equal(table.gateway(3, out), true);
  assert.deepEqual([...out], [6, 0xfd000001 | 0, 0, 0, 0xfe]);
  for (const network of [-1, 4096, 100_000]) assert.equal(table.gateway(network, out), false);
  table.setGateway(3, 1, undefined);
  assert.equal(table.gateway(3, out), false);
  assert.throws(() => table.setGateway(4096, 1, undefined), RangeError);
});

test('memory that is no table, and odd sizes, are refused', () => {
  assert.throws(() => ForwardingTable.attach(new SharedArrayBuffer(1024)), /not a forwarding table/);
  for (const slots of [0, 3, 12, 2 ** 25]) assert.throws(() => ForwardingTable.create({ slots }), RangeError);
});

interface Command {
  readonly vnet: number;
  readonly prefix: Prefix;
  readonly isSet: boolean;
}

/** Few bits vary, and at both ends of the address, so that prefixes nest and delete what was set before. */
const anyAddress: fc.Arbitrary<Ip> = fc.oneof(
  fc.tuple(fc.nat(3), fc.nat(3)).map(([high, low]) => Ip.v4(((high << 30) | low) >>> 0)),
  fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3)).map(([a, b, c]) => Ip.v6((a << 30) >>> 0, b, 0, c)),
);
const anyCommand: fc.Arbitrary<Command> = fc
  .record({ vnet: fc.constantFrom(1, 2, 65535), address: anyAddress, cut: fc.nat(130), isSet: fc.boolean() })
  .map(({ vnet, address, cut, isSet }) => ({
    vnet,
    prefix: Prefix.containing(address, cut % (address.bits + 1)),
    isSet,
  }));

/** Linear search over a list. */
class NaiveTable {
  readonly routes: { vnet: number; prefix: Prefix; n: number }[] = [];

  set(vnet: number, prefix: Prefix, n: number): void {
    this.delete(vnet, prefix);
    this.routes.push({ vnet, prefix, n });
  }

  delete(vnet: number, prefix: Prefix): void {
    const at = this.routes.findIndex((each) => each.vnet === vnet && each.prefix.key === prefix.key);
    if (at >= 0) this.routes.splice(at, 1);
  }

  lookup(vnet: number, ip: Ip): number | undefined {
    const matching = this.routes.filter((each) => each.vnet === vnet && each.prefix.contains(ip));
    return matching.sort((a, b) => b.prefix.length - a.prefix.length)[0]?.n;
  }
}

test('random insertions and removals agree with a linear search after every step', () => {
  const property = fc.property(
    fc.array(anyCommand, { maxLength: 80 }),
    fc.array(anyAddress, { minLength: 10, maxLength: 10 }),
    (commands, addresses) => {
      // Small, so that keys collide and clusters wrap around the end.
      const table = ForwardingTable.create({ slots: 64 });
      const naive = new NaiveTable();
      for (const [n, { vnet, prefix, isSet }] of commands.entries()) {
        if (!isSet) {
          table.delete(vnet, prefix);
          naive.delete(vnet, prefix);
        } else if (table.set(vnet, prefix, route(n))) naive.set(vnet, prefix, n);
        else assert.equal(naive.routes.length, 48);
        assert.equal(table.size, naive.routes.length);
        for (const ip of [...addresses, prefix.address]) {
          assert.equal(lookup(table, vnet, ip), naive.lookup(vnet, ip));
        }
      }
      const listed = [...table.routes()].map((each) => `${each.vnet} ${each.prefix.key} ${each.route.lan}`);
      const expected = naive.routes.map((each) => `${each.vnet} ${each.prefix.key} ${each.n}`);
      assert.deepEqual(listed.sort(), expected.sort());
    },
  );
  fc.assert(property, { numRuns: 400 });
});

test('a table that was filled and emptied many times is as good as new', () => {
  const table = ForwardingTable.create({ slots: 256 });
  const host = (n: number): Prefix => Prefix.host(Ip.v4(Math.imul(n, 0x9e3779b1) >>> 0));
  for (let n = 0; n < 20_000; n++) {
    assert.equal(table.set(1, host(n), { ...route(n), mac: ZERO_MAC }), true);
    if (n >= 190) table.delete(1, host(n - 190));
    if (n % 97 === 0)
      assert.equal(lookup(table, 1, host(Math.max(0, n - 189)).address), Math.max(0, n - 189));
  }
  for (let n = 19_000; n < 20_000; n++) table.delete(1, host(n));
  assert.equal(table.size, 0);
  const behind = ForwardingTable.generationsWord + GENERATION_WORDS;
  const slots = new Int32Array(table.memory).subarray(behind);
  assert.ok(
    slots.every((word) => word === 0),
    'no trace is left',
  );
});
