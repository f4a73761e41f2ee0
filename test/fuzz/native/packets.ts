/** Frames, datagrams and descriptors that nobody in his right mind would make, mixed with good ones. */
import { Action, D, DESCRIPTOR_WORDS, EngineCounter, Kind } from '../../../src/dataplane/engine.js';
import { macHigh, macLow } from '../../../src/net/mac.js';
import { type CounterName, newIndex, newPeer, openPair, type Pair, Rig } from '../../contract/rig.js';
import { type LanLink, LOOPBACK, type TunLink, type World } from '../../contract/world.js';
import { tcpPacket, udpPacket } from '../../support/ip-packet.js';
import type { Random } from '../random.js';
import { FlowScribbler } from './flow-scribbler.js';

const SCRATCH_IN_USE = 16;
const DESCRIPTOR_FIELDS = DESCRIPTOR_WORDS;
const FIRST_PEER = 2000;
/** Sessions end by themselves after 180 s. */
const RENEW_MS = 60_000;
const OVERLAY_FIRST = 0x10;

export class PacketFuzzer {
  readonly #world: World;
  readonly #random: Random;
  readonly #link: LanLink;
  readonly #tun: TunLink;
  readonly #pair: Pair;
  readonly #lan: Rig;
  readonly #tunnel: Rig;
  readonly #flows: readonly FlowScribbler[];
  readonly #stranger: { fd: number; port: number };
  #sequence = 1;
  #sinceMs = performance.now();
  /** Of the session that the addon receives in. */
  #index: number;

  /** @param withFlows its engines have flow memories */
  static async open(world: World, random: Random, withFlows = false): Promise<PacketFuzzer> {
    const flows = withFlows ? [new FlowScribbler(random), new FlowScribbler(random)] : [];
    return new PacketFuzzer(world, random, world.openLink(), await world.openTun(), flows);
  }

  private constructor(
    world: World,
    random: Random,
    link: LanLink,
    tun: TunLink,
    flows: readonly FlowScribbler[],
  ) {
    this.#flows = flows;
    this.#world = world;
    this.#random = random;
    this.#link = link;
    this.#tun = tun;
    // Beyond the numbers that the fuzzer of calls may hit, which would remove the session.
    while (newPeer() < FIRST_PEER);
    this.#pair = openPair(world);
    this.#index = this.#pair.b.keys.localIndex;
    const ports = { lans: [link.near], tuns: [tun.tun], udp: [this.#pair.b.udp, this.#pair.a.udp] };
    const rig = (role: 'lan' | 'tunnel', own: FlowScribbler | undefined): Rig =>
      new Rig(world.addon, {
        role,
        ...ports,
        slots: 16,
        ...(own === undefined ? {} : { flows: own.flows }),
      });
    this.#lan = rig('lan', flows[0]);
    this.#tunnel = rig('tunnel', flows[1]);
    this.#stranger = world.addon.openUdp(LOOPBACK[4], 0);
  }

  round(): void {
    for (const flows of this.#flows) flows.scribble();
    if (performance.now() - this.#sinceMs > RENEW_MS) this.#renew();
    for (let i = this.#random.below(8); i >= 0; i--) this.#frame();
    for (let i = this.#random.below(8); i >= 0; i--) this.#datagram();
    for (const rig of [this.#lan, this.#tunnel]) {
      this.#scratch(rig);
      this.#answer(rig);
    }
  }

  #renew(): void {
    const { addon } = this.#world;
    const { a, b } = this.#pair;
    const [indexA, indexB] = [newIndex(), newIndex()];
    const [keyAb, keyBa] = [this.#random.bytes(32), this.#random.bytes(32)];
    const cipher = 'chacha20-poly1305';
    const near = {
      localIndex: indexA,
      remoteIndex: indexB,
      sendKey: keyAb,
      receiveKey: keyBa,
      cipher,
    } as const;
    const far = {
      localIndex: indexB,
      remoteIndex: indexA,
      sendKey: keyBa,
      receiveKey: keyAb,
      cipher,
    } as const;
    addon.installSession(a.peer, near);
    addon.installSession(b.peer, far);
    addon.setCurrentSession(a.peer, indexA);
    addon.setCurrentSession(b.peer, indexB);
    // The one before is left to run out.
    this.#index = indexB;
    this.#sinceMs = performance.now();
  }

  counters(): Record<string, number> {
    const names = Object.keys(EngineCounter).filter((name) => name !== 'count') as CounterName[];
    const entries = names.map(
      (name) => [name, this.#lan.counter(name) + this.#tunnel.counter(name)] as const,
    );
    return Object.fromEntries(entries.filter(([, count]) => count > 0));
  }

  close(): void {
    this.#lan.close();
    this.#tunnel.close();
    this.#pair.close();
    this.#link.close();
    this.#tun.close();
    this.#world.addon.closeSocket(this.#stranger.fd);
  }

  /** A good packet of either protocol, or a mutated one; TCP segments of one connection follow on one another. */
  #packet(largest: number): Uint8Array {
    const random = this.#random;
    const family = random.pick([4, 6] as const);
    const payload = random.bytes(
      random.chance(80) ? random.below(Math.min(1400, largest)) : random.below(largest),
    );
    const hopByHop = random.chance(10);
    const packet = random.chance(60)
      ? tcpPacket({
          family,
          payload,
          hopByHop,
          sequence: this.#sequence,
          flags: random.pick([0x10, 0x18, 0x11, 0x90, 2]),
        })
      : udpPacket({ family, payload, hopByHop });
    this.#sequence = (this.#sequence + payload.length) >>> 0;
    if (random.chance(40)) this.#mutate(packet, Math.min(packet.length, 80));
    return random.chance(10) ? packet.subarray(0, random.below(packet.length + 1)) : packet;
  }

  #mutate(bytes: Uint8Array, within: number): void {
    for (let changes = this.#random.below(4); changes >= 0; changes--)
      if (within > 0) bytes[this.#random.below(within)] = this.#random.word();
  }

  /** From the station, to the engine's MAC. */
  #frame(): void {
    const random = this.#random;
    const packet = random.chance(90) ? this.#packet(1400) : random.bytes(random.below(1500));
    const frame = new Uint8Array(14 + packet.length);
    const mac = this.#link.nearMac;
    new DataView(frame.buffer).setUint16(0, macHigh(mac));
    new DataView(frame.buffer).setUint32(2, macLow(mac));
    frame.set(
      random.chance(80)
        ? [(packet[0] ?? 0) >>> 4 === 6 ? 0x86 : 0x08, (packet[0] ?? 0) >>> 4 === 6 ? 0xdd : 0]
        : random.bytes(2),
      12,
    );
    frame.set(packet, 14);
    if (frame.length <= 1514) this.#link.station.send(frame);
  }

  /** To the tunnel's socket: genuine with any payload, or anything with any beginning. */
  #datagram(): void {
    const random = this.#random;
    const { a, b } = this.#pair;
    if (random.chance(70)) {
      const packet = this.#packet(1400);
      const payload = new Uint8Array(4 + packet.length);
      payload.set([OVERLAY_FIRST, 4, 0, 1]);
      payload.set(packet, 4);
      this.#world.addon.sealAndSend(a.peer, random.chance(90) ? payload : random.bytes(random.below(100)));
      return;
    }
    const bytes = random.bytes(random.below(300));
    if (random.chance(80)) bytes.set([1 + random.below(4), 0, 0, 0].slice(0, bytes.length));
    if (bytes.length > 8 && random.chance(50)) new DataView(bytes.buffer).setUint32(4, this.#index, true);
    this.#world.addon.sendDatagram(this.#stranger.fd, LOOPBACK[4], b.udp.port, bytes);
  }

  /** Receives a batch and answers it as a worker would, or as one gone mad would. */
  #answer(rig: Rig): void {
    const { engine } = rig;
    const random = this.#random;
    const filled = engine.receive(0);
    for (let i = 0; i < filled; i++) {
      const words = engine.descriptors.subarray(i * DESCRIPTOR_WORDS, (i + 1) * DESCRIPTOR_WORDS);
      if (rig === this.#tunnel && (words[D.length] ?? 0) > 4) {
        words[D.offset] = (words[D.offset] ?? 0) + 4;
        words[D.length] = (words[D.length] ?? 0) - 4;
      }
      this.#decide(words);
      if (random.chance(10)) words[random.below(DESCRIPTOR_FIELDS)] = random.oddWord();
    }
    engine.send(0, filled);
  }

  #decide(words: Int32Array): void {
    const random = this.#random;
    words[D.action] = random.pick([Action.drop, Action.tunnel, Action.lan, Action.lan]);
    words[D.to] =
      words[D.action] === Action.tunnel
        ? this.#pair.a.peer
        : random.pick([this.#link.near.index, this.#link.near.index, this.#tun.tun.index]);
    words[D.vnet] = 1;
    words[D.hops] = 4;
    words[D.mtu] = random.pick([1420, 1420, 1280, 576, 575, 65535]);
    words[D.outMacHigh] = macHigh(this.#link.farMac);
    words[D.outMacLow] = macLow(this.#link.farMac);
    if (random.chance(80)) this.#flows[words[D.kind] === Kind.frame ? 0 : 1]?.note(words);
  }

  /** Packets of the worker's own, super-packets too. */
  #scratch(rig: Rig): void {
    const random = this.#random;
    const count = 1 + random.below(SCRATCH_IN_USE);
    const { engine } = rig;
    let first = 0;
    for (let i = 0; i < count; i++) {
      const packet = random.chance(5) ? this.#packet(60_000) : this.#packet(3000);
      const index = rig.place(i, packet, {});
      if (i === 0) first = index;
      const words = engine.descriptors.subarray(index * DESCRIPTOR_WORDS, (index + 1) * DESCRIPTOR_WORDS);
      words[D.gsoType] = random.pick([0, 0, 1, 4, 5, 0x81, 3]);
      words[D.gsoSize] = random.pick([1400, 1, 536, 0, 65535]);
      words[D.flags] = random.below(4);
      words[D.checksumStart] = random.pick([20, 40, 48, 0, packet.length]);
      words[D.checksumOffset] = random.pick([16, 6, 0, packet.length]);
      this.#decide(words);
      if (random.chance(20)) words[random.below(DESCRIPTOR_FIELDS)] = random.oddWord();
    }
    engine.send(first, count);
  }
}
