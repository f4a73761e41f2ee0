/**
 * A host whose ARP cache behaves as Linux's was measured to (arp_accept 0, locktime 1 s): gratuitous frames change live
 * entries at once but create none; a reply is gratuitous only if its target MAC is its sender MAC; other frames change
 * an entry only when it is more than 1 s old; a request for the host's own address creates or changes one. IPv6 as RFC
 * 4861 §7.2.3 to §7.2.5: an advertisement changes a live entry only with the Override flag, and creates none.
 */
import {
  ArpOperation,
  type ArpPacket,
  decodeNeighbourFrame,
  encodeNeighbourFrame,
  type NeighbourAdvertisement,
  type NeighbourSolicitation,
} from '../../src/arp/frame.js';
import { ALL_NODES, groupMac, linkLocalOf, solicitedNodeAddress } from '../../src/arp/ipv6.js';
import type { Clock, Timer } from '../../src/net/clock.js';
import { type Family, Ip } from '../../src/net/ip.js';
import { BROADCAST_MAC, isGroupMac, type Mac, ZERO_MAC } from '../../src/net/mac.js';
import type { LanPort, SimLan } from './sim-lan.js';

const LOCK_TIME_MS = 1_000;
const NOBODY = Ip.of('0.0.0.0');

export interface CacheEntry {
  mac: Mac;
  updatedMs: number;
  state: 'incomplete' | 'stale' | 'reachable';
}

export class SimHost implements LanPort {
  readonly name: string;
  readonly mac: Mac;
  readonly ips: readonly Ip[];
  readonly cache = new Map<string, CacheEntry>();
  lan: SimLan | undefined;
  readonly #clock: Clock;
  #announcements: Timer[] = [];

  constructor(clock: Clock, name: string, mac: Mac, ips: readonly Ip[]) {
    this.#clock = clock;
    this.name = name;
    this.mac = mac;
    this.ips = ips;
  }

  get ip(): Ip {
    const [first] = this.ips;
    if (first === undefined) throw new Error('a host has an address');
    return first;
  }

  attach(lan: SimLan): void {
    this.lan = lan;
    lan.attach(this);
  }

  /** Paused by the hypervisor, or gone: says nothing more here. */
  detach(): void {
    for (const timer of this.#announcements) timer.cancel();
    this.#announcements = [];
    this.lan?.detach(this);
    this.lan = undefined;
  }

  /** QEMU's five rounds. */
  announceRarp(): void {
    for (const atMs of [0, 50, 200, 450, 800]) {
      this.#later(atMs, () =>
        this.#send({
          kind: 'rarp',
          operation: ArpOperation.reverseRequest,
          ethernetDestination: BROADCAST_MAC,
          senderIp: NOBODY,
          targetMac: this.mac,
          targetIp: NOBODY,
        }),
      );
    }
  }

  /** Gratuitous ARP requests, unsolicited neighbour advertisements. */
  announceGratuitous(): void {
    for (const ip of this.ips) {
      if (ip.family === 4) this.#sendRequest(ip, ip, BROADCAST_MAC);
      else this.#advertise(ip, groupMac(ALL_NODES), ALL_NODES, false);
    }
  }

  /** "Who has?" by broadcast; the entry is incomplete until the answer, unless there is one. */
  ask(ip: Ip, from = this.addressFor(ip.family)): void {
    if (!this.cache.has(ip.key)) {
      this.cache.set(ip.key, { mac: ZERO_MAC, updatedMs: this.#clock.nowMs(), state: 'incomplete' });
    }
    if (ip.family === 4) this.#sendRequest(from, ip, BROADCAST_MAC);
    else this.#solicit(from, ip, groupMac(solicitedNodeAddress(ip)));
  }

  /** The first address of a family; an IPv6 host always has its link-local one. */
  addressFor(family: Family): Ip {
    const own = this.ips.find((ip) => ip.family === family);
    return own ?? (family === 6 ? linkLocalOf(this.mac) : NOBODY);
  }

  /** Asks where the entry points, as the kernel does some seconds after using a stale one. */
  confirm(ip: Ip, from = this.addressFor(ip.family)): void {
    const entry = this.cache.get(ip.key);
    if (entry === undefined) return;
    entry.state = 'stale';
    if (ip.family === 4) this.#sendRequest(from, ip, entry.mac);
    else this.#solicit(from, ip, entry.mac);
  }

  frame(bytes: Uint8Array): void {
    const frame = decodeNeighbourFrame(bytes);
    if (typeof frame === 'string' || frame.kind === 'rarp') return;
    const toMe = frame.ethernetDestination === this.mac;
    if (!toMe && !isGroupMac(frame.ethernetDestination)) return;
    if (frame.kind === 'na') {
      this.#advertised(frame);
      return;
    }
    if (frame.kind === 'ns') {
      this.#solicited(frame);
      return;
    }
    // A sender that has this host's own address is a martian to the kernel.
    if (this.ips.some((ip) => ip.equals(frame.senderIp))) return;
    const mine = this.ips.some((ip) => ip.equals(frame.targetIp));
    if (frame.operation === ArpOperation.request && mine) {
      this.#answer(frame);
      return;
    }
    this.#update(frame, toMe);
  }

  #answer(frame: ArpPacket): void {
    if (!frame.senderIp.isUnspecified) {
      const { senderMac: mac } = frame;
      this.cache.set(frame.senderIp.key, { mac, updatedMs: this.#clock.nowMs(), state: 'stale' });
    }
    this.#send({
      kind: 'arp',
      operation: ArpOperation.reply,
      ethernetDestination: frame.senderMac,
      senderIp: frame.targetIp,
      targetMac: frame.senderMac,
      targetIp: frame.senderIp,
    });
  }

  #update(frame: ArpPacket, toMe: boolean): void {
    const entry = this.cache.get(frame.senderIp.key);
    if (entry === undefined) return;
    const isReply = frame.operation === ArpOperation.reply;
    const gratuitous =
      frame.senderIp.equals(frame.targetIp) && (!isReply || frame.targetMac === frame.senderMac);
    const nowMs = this.#clock.nowMs();
    const override = gratuitous || entry.state === 'incomplete' || nowMs > entry.updatedMs + LOCK_TIME_MS;
    if (entry.mac !== frame.senderMac && !override) return;
    if (entry.mac !== frame.senderMac) entry.updatedMs = nowMs;
    entry.mac = frame.senderMac;
    entry.state = isReply && toMe ? 'reachable' : 'stale';
  }

  #solicited({ source, sourceMac, target }: NeighbourSolicitation): void {
    if (!this.ips.some((ip) => ip.equals(target))) return;
    if (source.isUnspecified || sourceMac === undefined) return;
    const entry = this.cache.get(source.key);
    if (entry?.mac !== sourceMac) {
      this.cache.set(source.key, { mac: sourceMac, updatedMs: this.#clock.nowMs(), state: 'stale' });
    }
    this.#advertise(target, sourceMac, source, true);
  }

  #advertised(frame: NeighbourAdvertisement): void {
    const entry = this.cache.get(frame.target.key);
    const mac = frame.targetMac;
    if (entry === undefined || mac === undefined) return;
    if (this.ips.some((ip) => ip.equals(frame.target))) return;
    if (entry.state !== 'incomplete' && entry.mac !== mac && !frame.override) return;
    if (entry.mac !== mac) entry.updatedMs = this.#clock.nowMs();
    entry.mac = mac;
    entry.state = frame.solicited ? 'reachable' : 'stale';
  }

  #advertise(target: Ip, toMac: Mac, destination: Ip, solicited: boolean): void {
    const [kind, ethernetSource, ethernetDestination] = ['na' as const, this.mac, toMac];
    const flags = { override: true, solicited, router: false };
    const addresses = { source: target, destination, target, targetMac: this.mac };
    const frame = { kind, ethernetSource, ethernetDestination, ...addresses, ...flags };
    this.lan?.send(this, encodeNeighbourFrame(frame));
  }

  #solicit(source: Ip, target: Ip, toMac: Mac): void {
    const bytes = encodeNeighbourFrame({
      kind: 'ns',
      ethernetSource: this.mac,
      ethernetDestination: toMac,
      source,
      destination: solicitedNodeAddress(target),
      target,
      sourceMac: this.mac,
    });
    this.lan?.send(this, bytes);
  }

  #sendRequest(senderIp: Ip, targetIp: Ip, to: Mac): void {
    this.#send({
      kind: 'arp',
      operation: ArpOperation.request,
      ethernetDestination: to,
      senderIp,
      targetMac: ZERO_MAC,
      targetIp,
    });
  }

  #send(frame: Omit<ArpPacket, 'ethernetSource' | 'senderMac'>): void {
    const bytes = encodeNeighbourFrame({ ...frame, ethernetSource: this.mac, senderMac: this.mac });
    this.lan?.send(this, bytes);
  }

  #later(delayMs: number, action: () => void): void {
    if (delayMs === 0) action();
    else this.#announcements.push(this.#clock.after('announcement', delayMs, action));
  }
}
