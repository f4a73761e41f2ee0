import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { type Mac, mac, macHigh, macLow } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import { LanRescue } from '../../../src/router/lan/lan-rescue.js';
import { Directory } from '../../../src/tables/directory.js';
import { Gndt } from '../../../src/tables/gndt.js';
import { Lans } from '../../../src/tables/lan.js';
import type { NodeRecord } from '../../../src/tables/model.js';
import { SimClock } from '../../support/sim-clock.js';

const NODE = mac('52:54:00:00:00:09');
const OTHER = mac('52:54:00:00:00:0a');

/** vr-b with a LAN of vnet 1 and one of vnet 2. */
function bench(subnet?: string, saved: readonly NodeRecord[] = []) {
  const clock = new SimClock();
  const directory = new Directory('vr-b', clock);
  directory.load(saved);
  const network = (prefix: string, router: string) =>
    ({ vnet: 1, prefix: Prefix.of(prefix), router, gateway: undefined, allow: undefined }) as const;
  const gndt = new Gndt(
    {
      vnets: [
        { name: 'blue', id: 1, subnet: subnet === undefined ? undefined : Prefix.of(subnet) },
        { name: 'red', id: 2, subnet: undefined },
      ],
      routers: ['vr-a', 'vr-b', 'vr-c'].map((id) => ({
        id,
        publicKey: new Uint8Array(32),
        endpoints: [],
        relay: false,
      })),
      networks: [
        network('10.1.0.0/24', 'vr-a'),
        network('10.2.0.0/24', 'vr-b'),
        network('10.3.0.0/24', 'vr-c'),
      ],
      cipher: 'chacha20-poly1305',
      nodes: [],
    },
    'vr-b',
  );
  const calls: string[] = [];
  const lan = (index: number, vnet: number) =>
    ({ index, interface: `lan${index}`, vnet, mac: OTHER, addresses: [] }) as const;
  const socket = (fd: number, index: number) =>
    ({ fd, index, macHigh: 0, macLow: 0, mtuBytes: 1500, vnetHeader: true }) as const;
  const rescue = new LanRescue({
    native: { setRescue: (fd, on) => void calls.push(`${fd} ${on}`) },
    clock,
    gndt,
    directory,
    lans: new Lans([lan(0, 1), lan(1, 2)]),
    lanSockets: [socket(10, 0), socket(11, 1)],
    hub: { emit: () => assert.fail() },
  });
  const at = (ip: string, router: string, seq: number, nodeMac = NODE): NodeRecord => {
    const record: NodeRecord = {
      vnet: 1,
      ip: Ip.of(ip),
      mac: nodeMac,
      router,
      seq,
      state: 'here',
      stamp: seq,
    };
    directory.apply(record);
    return record;
  };
  const elsewhere = (nodeMac: Mac): boolean => rescue.macs.has(1, macHigh(nodeMac), macLow(nodeMac));
  return { clock, directory, rescue, calls, at, elsewhere };
}

describe('LAN rescue', () => {
  test('a router that starts with a node away has it on', () => {
    const away = { vnet: 1, ip: Ip.of('10.2.0.9'), mac: NODE, router: 'vr-a', seq: 2, stamp: 2 } as const;
    const { calls, clock, elsewhere } = bench(undefined, [{ ...away, state: 'here' }]);
    clock.advance(1);
    assert.deepEqual(calls, ['10 true']);
    assert(elsewhere(NODE));
  });

  test('to overhear what is said between others it is on with no node away, and stays on for those that are', () => {
    const { at, calls, clock, rescue } = bench();
    rescue.overhear(true);
    clock.advance(1);
    assert.deepEqual(calls, ['10 true', '11 true']);
    at('10.2.0.9', 'vr-a', 2);
    rescue.overhear(false);
    clock.advance(20_000);
    assert.deepEqual(calls, ['10 true', '11 true', '11 false']);
    at('10.2.0.9', 'vr-b', 3);
    clock.advance(20_000);
    assert.deepEqual(calls, ['10 true', '11 true', '11 false', '10 false']);
  });

  test('on with the first node away from home or visiting, off 10 s after the last', () => {
    const { at, calls, clock } = bench();
    at('10.2.0.9', 'vr-b', 1);
    at('10.1.0.7', 'vr-a', 1);
    at('10.1.0.8', 'vr-c', 1);
    assert.deepEqual(calls, [], 'all are at home, or away between others');
    at('10.2.0.9', 'vr-a', 2);
    at('10.1.0.7', 'vr-b', 2);
    assert.deepEqual(calls, [], 'not in the middle of the move');
    clock.advance(1);
    assert.deepEqual(calls, ['10 true']);
    at('10.2.0.9', 'vr-b', 3);
    at('10.1.0.7', 'vr-a', 3);
    clock.advance(9_999);
    at('10.2.0.9', 'vr-c', 4);
    clock.advance(60_000);
    assert.deepEqual(calls, ['10 true']);
    at('10.2.0.9', 'vr-b', 5);
    clock.advance(10_000);
    assert.deepEqual(calls, ['10 true', '10 false']);
  });

  test('one large subnet: also for a node that was here and went home', () => {
    const { at, calls, clock } = bench('10.0.0.0/8');
    at('10.1.0.7', 'vr-a', 1);
    at('10.1.0.7', 'vr-b', 2);
    at('10.1.0.7', 'vr-a', 3);
    clock.advance(60_000);
    assert.deepEqual(calls, ['10 true']);
  });

  test('the MACs of nodes elsewhere, and of no node here', () => {
    const { at, elsewhere, directory } = bench();
    at('10.1.0.7', 'vr-a', 1);
    assert(elsewhere(NODE));
    at('10.2.0.7', 'vr-b', 1);
    assert(!elsewhere(NODE), 'one MAC at two places');
    at('10.2.0.7', 'vr-b', 1, OTHER);
    directory.withdraw(1, Ip.of('10.2.0.7'));
    assert(elsewhere(NODE));
    at('10.1.0.7', 'vr-b', 2);
    assert(!elsewhere(NODE));
    at('10.1.0.7', 'vr-a', 3, OTHER);
    assert(elsewhere(OTHER));
    assert(!elsewhere(NODE));
  });
});
