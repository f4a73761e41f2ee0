/** Which decisions a change of the forwarding table outdates. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import { ForwardingTable, type Route, RouteKind } from '../../../src/tables/forwarding/forwarding-table.js';
import { bucketOf, GENERATION_WORDS } from '../../../src/tables/forwarding/generations.js';
import { type FrameOf, generationOf } from '../../support/generation-of.js';

const VNET = 1;
const ROUTE: Route = {
  kind: RouteKind.peer,
  peer: 3,
  lan: -1,
  mac: mac('52:54:00:00:00:09'),
  network: 1,
  homePeer: -1,
  previousPeer: -1,
  flags: 0,
  pinnedMac: undefined,
};

const families = {
  IPv4: {
    source: '10.1.0.9',
    destination: '10.2.0.9',
    other: '10.2.0.8',
    gateway: '10.1.0.1',
    network: '10.2.0.0/24',
    bits: 32,
  },
  IPv6: {
    source: 'fd00:1::9',
    destination: 'fd00:2::9',
    other: 'fd00:2::8',
    gateway: 'fd00:1::1',
    network: 'fd00:2::/64',
    bits: 128,
  },
} as const;

for (const [family, at] of Object.entries(families))
  describe(`a change, ${family}`, () => {
    const frame: FrameOf = {
      source: Ip.of(at.source),
      destination: Ip.of(at.destination),
      sourceMac: mac('52:54:00:00:00:09'),
      destinationMac: mac('02:00:00:00:00:01'),
    };
    let table: ForwardingTable;
    beforeEach(() => {
      table = ForwardingTable.create({ slots: 64 });
      table.setGateway(0, VNET, Ip.of(at.gateway));
    });
    const host = (address: string): Prefix => Prefix.of(`${address}/${at.bits}`);
    const isOutdatedBy = (change: () => void): boolean => {
      const before = generationOf(table, frame);
      change();
      return generationOf(table, frame) !== before;
    };

    it("of the destination's, the source's, or a whole network's route outdates", () => {
      for (const prefix of [host(at.source), host(at.destination), Prefix.of(at.network)]) {
        assert.equal(
          isOutdatedBy(() => table.set(VNET, prefix, ROUTE)),
          true,
          `${prefix} set`,
        );
        assert.equal(
          isOutdatedBy(() => table.set(VNET, prefix, ROUTE)),
          false,
          `${prefix} set again`,
        );
        assert.equal(
          isOutdatedBy(() => table.set(VNET, prefix, { ...ROUTE, peer: 4 })),
          true,
          `${prefix} replaced`,
        );
        assert.equal(
          isOutdatedBy(() => table.delete(VNET, prefix)),
          true,
          `${prefix} deleted`,
        );
        assert.equal(
          isOutdatedBy(() => table.delete(VNET, prefix)),
          false,
          `${prefix} deleted again`,
        );
      }
    });

    it("of another node's route does not", () => {
      assert.equal(
        isOutdatedBy(() => table.set(VNET, host(at.other), ROUTE)),
        false,
      );
      assert.equal(
        isOutdatedBy(() => table.delete(VNET, host(at.other))),
        false,
      );
    });

    it("of a gateway's route outdates everything, until no network has that gateway", () => {
      assert.equal(
        isOutdatedBy(() => table.set(VNET, host(at.gateway), ROUTE)),
        true,
      );
      table.setGateway(1, VNET, Ip.of(at.gateway));
      table.setGateway(0, VNET, Ip.of(at.other));
      assert.equal(
        isOutdatedBy(() => table.delete(VNET, host(at.gateway))),
        true,
      );
      table.setGateway(1, VNET, undefined);
      assert.equal(
        isOutdatedBy(() => table.set(VNET, host(at.gateway), ROUTE)),
        false,
      );
      assert.equal(
        isOutdatedBy(() => table.set(VNET, host(at.other), ROUTE)),
        true,
      );
    });

    it('of the MAC that the frame is from or to outdates, and of another one does not', () => {
      assert.equal(
        isOutdatedBy(() => table.touchMac(frame.sourceMac)),
        true,
      );
      assert.equal(
        isOutdatedBy(() => table.touchMac(frame.destinationMac)),
        true,
      );
      assert.equal(
        isOutdatedBy(() => table.touchMac(mac('52:54:00:00:00:0a'))),
        false,
      );
    });

    it('of whatever else outdates', () => {
      assert.equal(
        isOutdatedBy(() => table.touch()),
        true,
      );
    });
  });

describe('buckets', () => {
  it('are used alike by a hundred thousand neighbouring addresses', () => {
    const counts = new Array<number>(GENERATION_WORDS).fill(0);
    for (let n = 0; n < 100_000; n++) {
      const bucket = bucketOf(0, 0, 0, 0x0a400000 + n);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
    }
    assert.equal(counts[0], 0);
    assert.ok(Math.max(...counts) < 200, `${Math.max(...counts)} in one`);
  });
});
