import fc from 'fast-check';
import { Ip } from '../../../src/net/ip.js';
import type { Mac } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import type { GndtConfig, NetworkConfig, NodeRecord, VnetConfig } from '../../../src/tables/model.js';

export const BLUE = 1;
export const RED = 2;

export function network(
  vnet: number,
  prefix: string,
  router: string,
  more: { gateway?: string; allow?: string[] } = {},
): NetworkConfig {
  const gateway = more.gateway === undefined ? undefined : Ip.of(more.gateway);
  return { vnet, prefix: Prefix.of(prefix), router, gateway, allow: more.allow };
}

export function gndtConfig(networks: NetworkConfig[], vnets?: VnetConfig[]): GndtConfig {
  return {
    vnets: vnets ?? [
      { name: 'blue', id: BLUE, subnet: undefined },
      { name: 'red', id: RED, subnet: undefined },
    ],
    routers: ['vr-a', 'vr-b', 'vr-c'].map((id) => ({
      id,
      publicKey: new Uint8Array(32),
      endpoints: [],
      relay: false,
    })),
    networks,
    cipher: 'chacha20-poly1305',
    nodes: [],
  };
}

export function record(
  ip: string,
  router: string,
  seq: number,
  stamp: number,
  more: Partial<NodeRecord> = {},
): NodeRecord {
  return {
    vnet: BLUE,
    ip: Ip.of(ip),
    mac: 0x525400000009 as Mac,
    router,
    seq,
    state: 'here',
    stamp,
    ...more,
  };
}

/** A small world, so that random records meet: few addresses, MACs, routers, sequence numbers and stamps. */
export const anyIp: fc.Arbitrary<Ip> = fc.constantFrom(
  ...['10.1.0.1', '10.1.0.9', '10.2.0.9', '10.9.0.1', 'fd00:1::9', 'fd00:2::9'].map(Ip.of),
);
export const anyMac: fc.Arbitrary<Mac> = fc.constantFrom(
  ...[0x525400000001, 0x525400000002, 0xfeffffffffff].map((value) => value as Mac),
);
export const anyRouter: fc.Arbitrary<string> = fc.constantFrom('vr-a', 'vr-b', 'vr-c');

export const anyRecord: fc.Arbitrary<NodeRecord> = fc.record({
  vnet: fc.constantFrom(BLUE, RED),
  ip: anyIp,
  mac: anyMac,
  router: anyRouter,
  seq: fc.integer({ min: 1, max: 3 }),
  state: fc.constantFrom('here' as const, 'withdrawn' as const),
  stamp: fc.integer({ min: 1_767_225_600_000_000, max: 1_767_225_600_000_004 }),
});
