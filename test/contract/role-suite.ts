/**
 * What a router's packet workers do on a LAN in each role: a LAN's engine and a tunnel's, with their decisions, between a
 * station on the LAN and the router of another site.
 */
import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { C, createPacketCounters } from '../../src/dataplane/counters.js';
import { Action } from '../../src/dataplane/engine.js';
import { type Forwarder, PacketPath } from '../../src/dataplane/forward/packet-path.js';
import { LanAddressTable } from '../../src/dataplane/lan-addresses.js';
import { LanRoles } from '../../src/dataplane/lan-roles.js';
import { ControlWord } from '../../src/dataplane/worker-input.js';
import { type Mac, writeMac } from '../../src/net/mac.js';
import { Prefix } from '../../src/net/prefix.js';
import { systemClock } from '../../src/net/system-clock.js';
import {
  ForwardingTable,
  type Route,
  RouteFlag,
  RouteKind,
} from '../../src/tables/forwarding/forwarding-table.js';
import { virtualMac } from '../../src/tables/gateway.js';
import type { LanRole } from '../../src/tables/lan.js';
import { ipPacket, pattern } from '../support/ip-packet.js';
import { workerInput } from '../support/worker-input.js';
import { openPair, type Pair, Rig } from './rig.js';
import type { LanLink, World } from './world.js';

const VRID = 42;
const VNET = 1;
const MTU_BYTES = 1_400;
const PEERS = 4_096;
const FAMILIES = {
  4: { host: '10.1.0.11', remote: '10.2.0.11', etherType: 0x0800 },
  6: { host: 'fd00:1::11', remote: 'fd00:2::11', etherType: 0x86dd },
} as const;
type Family = keyof typeof FAMILIES;

const fromHost = (family: Family, ttl = 64): Buffer =>
  packet(FAMILIES[family].host, FAMILIES[family].remote, ttl);
const fromRemote = (family: Family): Buffer => packet(FAMILIES[family].remote, FAMILIES[family].host, 64);
const packet = (source: string, destination: string, ttl: number): Buffer =>
  ipPacket({ source, destination, payload: pattern(100), ttl });

/** A router with a host at the station, and end b of the pair as the other site's. */
class Router {
  readonly roles = LanRoles.create(8);
  readonly lan: Rig;
  readonly tunnel: Rig;
  readonly #counters = createPacketCounters();
  readonly #paths: Readonly<Record<'lan' | 'tunnel', Forwarder>>;

  constructor(world: World, link: LanLink, pair: Pair) {
    const { addon } = world;
    const sockets = { lans: [link.near], udp: [pair.a.udp], lanRoles: this.roles };
    this.lan = new Rig(addon, { role: 'lan', ...sockets });
    this.tunnel = new Rig(addon, { role: 'tunnel', ...sockets });
    const { index } = link.near;
    const base = workerInput(link.nearMac, {}, VRID, this.roles);
    const input = {
      ...base,
      engine: { ...base.engine, lans: Array.from({ length: index + 1 }, () => link.near) },
      lanVnets: Array.from({ length: index + 1 }, () => VNET),
      tunsFrom: index + 1,
      lanAddresses: LanAddressTable.create(index + 1).memory,
      table: tableOf(index, link.farMac, pair.a.peer).memory,
      clientVnets: new SharedArrayBuffer(PEERS * 4),
      peerMtu: new Int32Array(new SharedArrayBuffer(PEERS * 4)).fill(MTU_BYTES).buffer as SharedArrayBuffer,
      counters: this.#counters.buffer as SharedArrayBuffer,
    };
    new Int32Array(input.control)[ControlWord.serving] = 1;
    const ports = { punt: () => true, closeStream: () => {} };
    this.#paths = {
      lan: new PacketPath(this.lan.engine, input, ports, systemClock).lan,
      tunnel: new PacketPath(this.tunnel.engine, input, ports, systemClock).tunnel,
    };
  }

  /** One packet's turn of a worker. */
  forward(worker: 'lan' | 'tunnel'): void {
    const rig = this[worker];
    assert.equal(rig.receive(1).length, 1);
    this.#paths[worker].decide(0);
    rig.engine.send(0, 1);
  }

  get dropped(): number {
    return this.#counters[C.drop_standby] ?? 0;
  }

  close(): void {
    this.lan.close();
    this.tunnel.close();
  }
}

function tableOf(lan: number, mac: Mac, peer: number): ForwardingTable {
  const table = ForwardingTable.create({ slots: 64 });
  const none = { previousPeer: -1, pinnedMac: undefined, flags: RouteFlag.authorised };
  for (const { host, remote } of Object.values(FAMILIES)) {
    const [hosts, remotes] = [host, remote].map((address) =>
      Prefix.of(`${address}/${address.includes(':') ? 128 : 32}`),
    );
    assert.ok(hosts && remotes);
    const here: Route = { ...none, kind: RouteKind.host, peer: -1, lan, mac, network: 1, homePeer: -1 };
    table.set(VNET, hosts, here);
    table.set(VNET, remotes, { ...here, kind: RouteKind.peer, peer, lan: -1, network: 2, homePeer: peer });
  }
  return table;
}

export function roleSuite(world: World): void {
  const role = (name: string, body: (router: Router, link: LanLink, pair: Pair) => Promise<void>) =>
    it(name, async (context: TestContext) => {
      if (world.withoutLan !== undefined) return context.skip(world.withoutLan);
      const link = world.openLink(VRID);
      const pair = openPair(world);
      const router = new Router(world, link, pair);
      try {
        await body(router, link, pair);
      } finally {
        router.close();
        pair.close();
        link.close();
      }
    });

  const isForwarded = async (
    name: LanRole,
    router: Router,
    { near, station, farMac, nearMac }: LanLink,
    { b }: Pair,
  ): Promise<void> => {
    router.roles.set(near.index, name);
    for (const family of [4, 6] as const) {
      const { etherType } = FAMILIES[family];
      for (const to of [virtualMac(VRID, family), nearMac]) {
        station.send(frame(to, farMac, etherType, fromHost(family)));
        router.forward('lan');
        const [message] = b.rig.receive(1);
        const hopLess = fromHost(family, 63);
        const header = Buffer.from([0x10, 4, 0, VNET]);
        assert.deepEqual(
          Buffer.from(message?.bytes.subarray(0, 4 + hopLess.length) ?? []),
          Buffer.concat([header, hopLess]),
        );
      }
      sendFromRemote(b, fromRemote(family));
      router.forward('tunnel');
      const from = name === 'active' ? virtualMac(VRID, family) : nearMac;
      assert.deepEqual(await station.next(), frame(farMac, from, etherType, fromRemote(family)));
    }
  };

  role('active, draining, standing by, and active again', async (router, link, pair) => {
    await isForwarded('active', router, link, pair);
    await isForwarded('draining', router, link, pair);
    assert.equal(router.dropped, 0);

    router.roles.set(link.near.index, 'standby');
    for (const family of [4, 6] as const) {
      const to = virtualMac(VRID, family);
      link.station.send(frame(to, link.farMac, FAMILIES[family].etherType, fromHost(family)));
      router.forward('lan');
      sendFromRemote(pair.b, fromRemote(family));
      router.forward('tunnel');
    }
    assert.equal(router.dropped, 4);
    assert.equal(pair.b.rig.receiveOnce(50).length, 0);

    // What the station sees next is what is forwarded now: nothing was before.
    await isForwarded('active', router, link, pair);
    assert.equal(router.dropped, 4);
  });
}

function sendFromRemote({ rig, peer }: Pair['b'], bytes: Uint8Array): void {
  rig.send(bytes, { action: Action.tunnel, to: peer, vnet: VNET, hops: 4, mtu: MTU_BYTES });
}

function frame(destination: Mac, source: Mac, etherType: number, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(14 + content.length);
  writeMac(destination, bytes, 0);
  writeMac(source, bytes, 6);
  bytes.set([etherType >>> 8, etherType & 0xff], 12);
  bytes.set(content, 14);
  return bytes;
}
