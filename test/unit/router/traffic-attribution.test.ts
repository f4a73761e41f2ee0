import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Action } from '../../../src/dataplane/descriptor.js';
import { FlowKind } from '../../../src/dataplane/flows/flow-memory.js';
import { Ip, type IpWords } from '../../../src/net/ip.js';
import { Prefix } from '../../../src/net/prefix.js';
import { Attribution } from '../../../src/router/traffic/attribution.js';
import { Gndt } from '../../../src/tables/gndt.js';
import type { GndtConfig } from '../../../src/tables/model.js';
import { Periods } from '../../../src/traffic/periods.js';

const VNET = 1;
const key = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

/** Site a has two routers, this one is the first; b is one by itself. Clients are of the second router of a, and of b. */
const CONFIG: GndtConfig = {
  vnets: [{ name: 'blue', id: VNET, subnet: undefined }],
  routers: ['vr-1', 'vr-2', 'vr-b'].map((id, i) => ({ id, publicKey: key(i), endpoints: [], relay: false })),
  sites: [{ id: 'site-a', routers: ['vr-1', 'vr-2'] }],
  networks: (['10.1.0.0/24', 'fd00:1::/64', '10.2.0.0/24', 'fd00:2::/64'] as const).map((prefix, i) => ({
    vnet: VNET,
    prefix: Prefix.of(prefix),
    router: i < 2 ? 'site-a' : 'vr-b',
    gateway: undefined,
    allow: undefined,
  })),
  cipher: 'auto',
  nodes: [
    { vnet: VNET, ip: Ip.of('10.1.0.200'), publicKey: key(8), via: 'vr-2' },
    { vnet: VNET, ip: Ip.of('fd00:2::200'), publicKey: key(9), via: 'vr-b' },
  ],
};
const gndt = new Gndt(CONFIG, 'vr-1');
const [partner, remote] = [gndt.peerIndex('vr-2'), gndt.peerIndex('vr-b')];

type Told = readonly [source: string, destination: string, sourceSite: string, destinationSite: string];

/** What is counted of a flow. */
function counted(
  [kind, from]: readonly [kind: number, from: number],
  source: string,
  destination: string,
  [action, to]: readonly [action: number, to: number],
): Told | undefined {
  const periods = new Periods(0);
  const words = (text: string): IpWords => {
    const { w0, w1, w2, w3 } = Ip.of(text);
    return [w0, w1, w2, w3];
  };
  const { family } = Ip.of(source);
  const flow = { family, vnet: VNET, kind, from, action, to };
  const ends = { source: words(source), destination: words(destination) };
  new Attribution(gndt).count({ ...flow, ...ends }, { packets: 2, bytes: 300 }, periods);
  const [pair] = periods.running().pairs;
  if (pair === undefined) return undefined;
  assert.deepEqual([pair.packets, pair.bytes, pair.vnet], [2, 300, VNET]);
  const name = (ip: Ip | undefined): string => ip?.key ?? 'outside';
  return [name(pair.source), name(pair.destination), pair.sourceSite, pair.destinationSite];
}

const LAN = [FlowKind.frame, 0] as const;
const FROM_B = [FlowKind.overlay, remote] as const;
const FROM_PARTNER = [FlowKind.overlay, partner] as const;
const CLIENT = [FlowKind.bare, 7] as const;
const TO_LAN = [Action.lan, 0] as const;
const TO_CLIENT = [Action.bare, 7] as const;
const TO_B = [Action.tunnel, remote] as const;
const TO_PARTNER = [Action.tunnel, partner] as const;

test('what a node sends is counted where the node is', () => {
  assert.deepEqual(counted(LAN, '10.1.0.5', '10.2.0.5', TO_B), ['10.1.0.5', '10.2.0.5', 'site-a', 'vr-b']);
  assert.deepEqual(counted(LAN, 'fd00:1::5', 'fd00:2::5', TO_B), [
    'fd00:1::5',
    'fd00:2::5',
    'site-a',
    'vr-b',
  ]);
  assert.deepEqual(counted(LAN, '10.1.0.5', '10.1.0.6', TO_LAN), [
    '10.1.0.5',
    '10.1.0.6',
    'site-a',
    'site-a',
  ]);
  assert.deepEqual(counted(LAN, '10.1.0.5', '192.0.2.1', TO_B), ['10.1.0.5', 'outside', 'site-a', 'vr-b']);
  // A visitor's.
  assert.deepEqual(counted(LAN, '10.2.0.5', '10.2.0.6', TO_B), ['10.2.0.5', '10.2.0.6', 'site-a', 'vr-b']);
});

test('of what it forwards between two nodes of its own LANs it tells, and of nothing else', () => {
  const told: string[] = [];
  const attribution = new Attribution(
    gndt,
    (vnet, source, destination) => void told.push(`${vnet} ${source} ${destination}`),
  );
  const periods = new Periods(0);
  for (const [[kind, from], source, destination, [action, to]] of [
    [LAN, '10.1.0.5', '10.1.0.6', TO_LAN],
    [LAN, 'fd00:1::5', 'fd00:1::6', TO_LAN],
    [LAN, '10.1.0.5', '10.2.0.6', TO_B],
    [LAN, '10.1.0.5', '192.0.2.1', TO_LAN],
    [CLIENT, '10.1.0.200', '10.1.0.5', TO_LAN],
    [FROM_B, '10.2.0.5', '10.1.0.5', TO_LAN],
  ] as const) {
    const [one, other] = [Ip.of(source), Ip.of(destination)];
    const ends = { family: one.family, source: one.words, destination: other.words };
    attribution.count({ ...ends, vnet: VNET, kind, from, action, to }, { packets: 1, bytes: 100 }, periods);
  }
  assert.deepEqual(told, ['1 10.1.0.5 10.1.0.6', '1 fd00:1::5 fd00:1::6']);
});

test('where it arrives, or is sent on, it is not counted again', () => {
  assert.equal(counted(FROM_B, '10.2.0.5', '10.1.0.5', TO_LAN), undefined);
  assert.equal(counted(FROM_B, 'fd00:2::5', 'fd00:1::5', TO_LAN), undefined);
  assert.equal(counted(FROM_B, '10.2.0.5', '10.1.0.5', TO_B), undefined);
  assert.equal(counted(FROM_B, '10.2.0.5', '192.0.2.1', TO_LAN), undefined);
});

test('between the routers of a site nothing is counted twice', () => {
  // To a client of the other one: here, and there not.
  assert.deepEqual(counted(LAN, '10.1.0.5', '10.1.0.200', TO_PARTNER), [
    '10.1.0.5',
    '10.1.0.200',
    'site-a',
    'site-a',
  ]);
  assert.equal(counted(FROM_PARTNER, '10.1.0.5', '10.1.0.200', TO_CLIENT), undefined);
  // From one: where it is delivered.
  assert.equal(counted(CLIENT, '10.1.0.200', '10.1.0.5', TO_PARTNER), undefined);
  assert.deepEqual(counted(FROM_PARTNER, '10.1.0.200', '10.1.0.5', TO_LAN), [
    '10.1.0.200',
    '10.1.0.5',
    'site-a',
    'site-a',
  ]);
});

test('what a WireGuard client sends, and what comes from outside, is counted where it is delivered', () => {
  assert.deepEqual(counted(CLIENT, '10.1.0.200', '10.1.0.5', TO_LAN), [
    '10.1.0.200',
    '10.1.0.5',
    'site-a',
    'site-a',
  ]);
  assert.equal(counted(CLIENT, '10.1.0.200', '10.2.0.5', TO_B), undefined);
  assert.deepEqual(counted(FROM_B, 'fd00:2::200', 'fd00:1::5', TO_LAN), [
    'fd00:2::200',
    'fd00:1::5',
    'vr-b',
    'site-a',
  ]);
  assert.deepEqual(counted(FROM_B, '192.0.2.1', '10.2.0.5', TO_LAN), [
    'outside',
    '10.2.0.5',
    'vr-b',
    'site-a',
  ]);
  assert.equal(counted(LAN, '192.0.2.1', '10.1.0.5', TO_B), undefined);
  assert.deepEqual(counted(LAN, '192.0.2.1', '10.1.0.200', TO_CLIENT), [
    'outside',
    '10.1.0.200',
    'site-a',
    'site-a',
  ]);
});
