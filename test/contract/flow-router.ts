/**
 * A router's two packet workers with their decisions, in one thread: a station on its LAN, two routers of another site and a
 * WireGuard client around it. With or without a flow memory.
 */
import { createPacketCounters, createVnetCounters, V } from '../../src/dataplane/counters.js';
import { EngineCounter, type EngineOptions } from '../../src/dataplane/engine.js';
import { createFlowMemory, type FlowMemorySize } from '../../src/dataplane/flows/flow-memory.js';
import { PacketPath } from '../../src/dataplane/forward/packet-path.js';
import { LanAddressTable } from '../../src/dataplane/lan-addresses.js';
import { LanRoles } from '../../src/dataplane/lan-roles.js';
import type { Punt } from '../../src/dataplane/punt/punt.js';
import { ControlWord, type WorkerInput } from '../../src/dataplane/worker-input.js';
import { Ip } from '../../src/net/ip.js';
import { type Mac, mac, writeMac, ZERO_MAC } from '../../src/net/mac.js';
import { Prefix } from '../../src/net/prefix.js';
import {
  ForwardingTable,
  type Route,
  RouteFlag,
  RouteKind,
} from '../../src/tables/forwarding/forwarding-table.js';
import { MacTable } from '../../src/tables/forwarding/mac-table.js';
import { SitePeers } from '../../src/tables/forwarding/site-peers.js';
import type { SimClock } from '../support/sim-clock.js';
import { workerInput } from '../support/worker-input.js';
import { openPair, type Pair, Rig } from './rig.js';
import type { LanLink, World } from './world.js';

export const VNET = 1;
const VRID = 42;
const PEERS = 4_096;
const MACHINES = 16;
const LANS = 8;

export const MACS = {
  pinned: mac('02:00:00:00:00:21'),
  stranger: mac('02:00:00:00:00:22'),
  gateway: mac('02:00:00:00:00:23'),
  elsewhere: mac('02:00:00:00:00:24'),
} as const;

/** By what there is at it. */
export const ADDRESSES = {
  4: {
    host: '10.1.0.11',
    pinned: '10.1.0.12',
    unauthorised: '10.1.0.13',
    unknown: '10.1.0.77',
    departed: '10.1.0.50',
    client: '10.1.0.60',
    gateway: '10.1.0.1',
    visiting: '10.3.0.5',
    remote: '10.2.0.11',
    remote2: '10.2.0.12',
    outside: '192.0.2.9',
    group: '224.1.2.3',
    linkLocal: '169.254.1.1',
  },
  6: {
    host: 'fd00:1::11',
    pinned: 'fd00:1::12',
    unauthorised: 'fd00:1::13',
    unknown: 'fd00:1::77',
    departed: 'fd00:1::50',
    client: 'fd00:1::60',
    gateway: 'fd00:1::1',
    visiting: 'fd00:3::5',
    remote: 'fd00:2::11',
    remote2: 'fd00:2::12',
    outside: '2001:db8::9',
    group: 'ff05::2',
    linkLocal: 'fe80::1',
  },
} as const;
export type Place = keyof (typeof ADDRESSES)[4];

export interface FlowRouterOptions {
  readonly world: World;
  readonly clock: SimClock;
  /** Left out: without a flow memory. */
  readonly memory?: FlowMemorySize;
}

/** What has left it. */
export interface Outcome {
  readonly frames: readonly string[];
  /** By who got them. */
  readonly messages: Readonly<Record<'remote' | 'second' | 'client', readonly string[]>>;
}

export class FlowRouter {
  readonly link: LanLink;
  /** Two routers of the other site, the first one active; and a WireGuard client. Ends a are this router's. */
  readonly remote: Pair;
  readonly second: Pair;
  readonly client: Pair;
  readonly table = ForwardingTable.create({ slots: 256 });
  readonly roles = LanRoles.create(LANS);
  readonly macs = MacTable.create(16);
  readonly activityMacs = MacTable.create(32);
  readonly sitePeers = SitePeers.create();
  readonly counters = createPacketCounters();
  readonly vnetCounters = createVnetCounters();
  readonly activity = new Int32Array(new SharedArrayBuffer(2 * 4 * MACHINES));
  readonly peerMtu = new Int32Array(new SharedArrayBuffer(PEERS * 4)).fill(1_400);
  readonly clientVnets = new Int32Array(new SharedArrayBuffer(PEERS * 4));
  readonly vnets = new Uint8Array(new SharedArrayBuffer(65_536));
  readonly stop = new Int32Array(new SharedArrayBuffer(4 * ControlWord.count));
  readonly turns = new Int32Array(new SharedArrayBuffer(4));
  readonly punts: Punt[] = [];
  readonly memories: Readonly<Record<'lan' | 'tunnel', SharedArrayBuffer>> | undefined;
  readonly lan: Rig;
  readonly tunnel: Rig;
  /** Packets that entered JavaScript. */
  entered = 0;
  readonly #world: World;
  readonly #paths: Readonly<Record<'lan' | 'tunnel', PacketPath>>;
  readonly #inputOfWorkers: WorkerInput;
  #isHandedOver = false;
  #seen = { frames: 0, remote: 0, second: 0, client: 0 };

  constructor({ world, clock, memory }: FlowRouterOptions) {
    this.#world = world;
    this.link = world.openLink(VRID);
    this.remote = openPair(world);
    this.second = openPair(world);
    this.client = openPair(world);
    // What comes for them is received here; and there are not so many engines in a process.
    for (const { a } of [this.remote, this.second, this.client]) a.rig.close();
    this.memories =
      memory === undefined ? undefined : { lan: createFlowMemory(memory), tunnel: createFlowMemory(memory) };
    for (const table of [this.roles, this.macs, this.activityMacs, this.sitePeers])
      table.subscribe(() => this.table.touch());
    this.#fill();
    this.lan = this.#rig('lan');
    this.tunnel = this.#rig('tunnel');
    const input = this.#input();
    this.#inputOfWorkers = input;
    const ports = { punt: (punt: Punt) => this.punts.push(punt) > 0, closeStream: () => {} };
    this.#paths = {
      lan: new PacketPath(this.lan.engine, input, ports, clock),
      tunnel: new PacketPath(this.tunnel.engine, input, ports, clock),
    };
    world.addon.setRescue(this.link.near.fd, true, VRID);
  }

  /** From the station. */
  frame(from: Mac, to: Mac, packet: Uint8Array): void {
    const bytes = new Uint8Array(14 + packet.length);
    writeMac(to, bytes, 0);
    writeMac(from, bytes, 6);
    bytes.set((packet[0] ?? 0) >>> 4 === 6 ? [0x86, 0xdd] : [0x08, 0x00], 12);
    bytes.set(packet, 14);
    this.link.station.send(bytes);
  }

  /** A payload from one of the other ends, as it is. */
  message(from: 'remote' | 'second' | 'client', payload: Uint8Array): void {
    this.#world.addon.sealAndSend(this[from].b.peer, payload);
  }

  overlay(from: 'remote' | 'second', packet: Uint8Array, { hops = 4, vnet = VNET } = {}): void {
    const padding = Buffer.alloc((16 - ((packet.length + 4) % 16)) % 16);
    this.message(from, Buffer.concat([Buffer.from([0x10, hops, vnet >>> 8, vnet & 0xff]), packet, padding]));
  }

  /** Both workers do what there is; the number of packets that entered JavaScript. */
  work(): number {
    const before = this.entered;
    for (const worker of ['lan', 'tunnel'] as const) {
      // Until nothing has come: without waiting.
      for (let idle = 0; idle < 2; ) {
        const { engine, wakeupFd } = this[worker];
        this.#world.addon.wake(wakeupFd);
        const received = engine.receive(1_000);
        idle = received === 0 ? idle + 1 : 0;
        this.entered += received;
        for (let i = 0; i < received; i++) this.#paths[worker][worker].decide(i);
        engine.send(0, received);
        this.#paths[worker].delivery.releaseHeld();
      }
    }
    return this.entered - before;
  }

  /** What has left since the last time. */
  async outcome(): Promise<Outcome> {
    const frames: string[] = [];
    const sent = this.lan.counter('lanFramesSent') + this.tunnel.counter('lanFramesSent');
    for (; this.#seen.frames < sent; this.#seen.frames++)
      frames.push(Buffer.from(await this.link.station.next()).toString('hex'));
    const messages = { remote: [] as string[], second: [] as string[], client: [] as string[] };
    let toCome =
      this.lan.counter('tunnelDatagramsSent') + this.tunnel.counter('tunnelDatagramsSent') - this.#taken;
    for (const end of ['remote', 'second', 'client'] as const) {
      for (let tries = 0; tries < 2 && toCome > 0; tries++) {
        this.#world.addon.wake(this[end].b.rig.wakeupFd);
        for (const { bytes } of this[end].b.rig.receiveOnce(1_000)) {
          messages[end].push(Buffer.from(bytes).toString('hex'));
          this.#seen[end]++;
          toCome--;
        }
      }
    }
    if (toCome !== 0) throw new Error(`${toCome} messages have not come`);
    return { frames, messages };
  }

  get #taken(): number {
    return this.#seen.remote + this.#seen.second + this.#seen.client;
  }

  counter(name: 'flowHits' | 'flowMisses' | 'flowStale' | 'flowsReplaced'): number {
    return this.lan.counter(name) + this.tunnel.counter(name);
  }

  /** All that is counted and noted for packets. */
  books(): unknown {
    return {
      counters: [...this.counters],
      vnets: [...this.vnetCounters.subarray(0, 4 * V.count)],
      activity: [...this.activity],
    };
  }

  /** A route to what is at that address. */
  set(family: 4 | 6, place: Place, route: Partial<Route>): void {
    this.table.set(VNET, Prefix.host(Ip.of(ADDRESSES[family][place])), { ...this.#host(), ...route });
  }

  /** What a thread needs to be the LAN's worker instead. */
  handOverLan(): { readonly engine: EngineOptions; readonly input: WorkerInput } {
    this.#isHandedOver = true;
    this.lan.engine.close();
    const counters = new SharedArrayBuffer(EngineCounter.count * 8);
    const engine = {
      ...this.#optionsOf('lan'),
      lanRoles: this.roles.memory,
      wakeupFd: this.lan.wakeupFd,
      slotBytes: 66_000,
      counters,
    };
    return { engine: { ...engine, tuns: [] }, input: this.#inputOfWorkers };
  }

  close(): void {
    if (this.#isHandedOver) this.#world.addon.closeSocket(this.lan.wakeupFd);
    else this.lan.close();
    this.tunnel.close();
    const { addon } = this.#world;
    for (const { a, b } of [this.remote, this.second, this.client]) {
      b.rig.close();
      for (const { peer, udp } of [a, b]) {
        addon.removePeer(peer);
        addon.closeSocket(udp.fd);
      }
    }
    this.link.close();
  }

  #host(): Route {
    return {
      kind: RouteKind.host,
      peer: -1,
      lan: this.link.near.index,
      mac: this.link.farMac,
      network: 1,
      homePeer: -1,
      previousPeer: -1,
      flags: RouteFlag.authorised,
      pinnedMac: undefined,
    };
  }

  #fill(): void {
    const site = this.remote.a.peer;
    this.sitePeers.setSite(this.second.a.peer, site);
    this.clientVnets[this.client.a.peer] = VNET;
    this.vnets[VNET] = 1;
    this.activityMacs.add(VNET, this.link.farMac, 6);
    for (const family of [4, 6] as const) {
      const prefix = (text: string): Prefix =>
        Prefix.of(family === 4 ? `10.${text}.0.0/24` : `fd00:${text}::/64`);
      const none = { mac: ZERO_MAC, lan: -1, flags: 0 };
      const onLink = { ...this.#host(), kind: RouteKind.onLink, mac: ZERO_MAC };
      this.table.set(VNET, prefix('1'), onLink);
      const remote = {
        ...this.#host(),
        ...none,
        kind: RouteKind.peer,
        peer: site,
        network: 2,
        homePeer: site,
      };
      this.table.set(VNET, prefix('2'), remote);
      this.set(family, 'host', { peer: 3 });
      this.set(family, 'pinned', { peer: 4, mac: MACS.pinned, pinnedMac: MACS.pinned });
      this.set(family, 'unauthorised', { flags: 0 });
      this.set(family, 'gateway', { mac: MACS.gateway });
      const visiting = { flags: RouteFlag.authorised | RouteFlag.visiting, homePeer: site, network: 3 };
      this.set(family, 'visiting', { ...visiting, peer: 7 });
      const away = { ...none, kind: RouteKind.peer, peer: site, previousPeer: 0 };
      this.set(family, 'departed', { ...away, flags: RouteFlag.departed });
      this.set(family, 'client', { ...none, kind: RouteKind.client, peer: this.client.a.peer, flags: 1 });
    }
    this.table.setGateway(0, VNET, Ip.of(ADDRESSES[4].gateway));
  }

  #rig(role: 'lan' | 'tunnel'): Rig {
    return new Rig(this.#world.addon, this.#optionsOf(role));
  }

  #optionsOf(role: 'lan' | 'tunnel') {
    const memory = this.memories?.[role];
    const shared = (words: Int32Array | Float64Array): SharedArrayBuffer => words.buffer as SharedArrayBuffer;
    return {
      role,
      lans: [this.link.near],
      udp: [this.remote.a.udp, this.second.a.udp, this.client.a.udp],
      lanRoles: this.roles,
      slots: 64,
      ...(memory === undefined
        ? {}
        : {
            flows: {
              memory,
              generations: this.table.memory,
              generationsWord: ForwardingTable.generationsWord,
              packetCounters: shared(this.counters),
              vnetCounters: shared(this.vnetCounters),
              activity: shared(this.activity),
              stop: shared(this.stop),
              turns: shared(this.turns),
            },
          }),
    };
  }

  #input(): WorkerInput {
    const { near, nearMac } = this.link;
    const ports = near.index + 1;
    const base = workerInput(nearMac, {}, VRID, this.roles);
    const shared = (words: { readonly buffer: ArrayBufferLike }): SharedArrayBuffer =>
      words.buffer as SharedArrayBuffer;
    new Int32Array(base.control)[ControlWord.serving] = 1;
    const lanAddresses = LanAddressTable.create(ports);
    for (const family of [4, 6] as const) {
      const { w0, w1, w2, w3 } = Ip.of(family === 4 ? '10.1.0.3' : 'fd00:1::3');
      lanAddresses.set(near.index, family, { family, words: [w0, w1, w2, w3] });
    }
    return {
      ...base,
      engine: { ...base.engine, lans: Array.from({ length: ports }, () => near) },
      lanVnets: Array.from({ length: ports }, () => VNET),
      gatewayLans: Array.from({ length: ports }, () => true),
      tunsFrom: ports,
      lanAddresses: lanAddresses.memory,
      table: this.table.memory,
      macs: this.macs.memory,
      activity: shared(this.activity),
      activityMacs: this.activityMacs.memory,
      sitePeers: this.sitePeers.memory,
      clientVnets: shared(this.clientVnets),
      peerMtu: shared(this.peerMtu),
      vnets: shared(this.vnets),
      counters: shared(this.counters),
      vnetCounters: shared(this.vnetCounters),
    };
  }
}
