/**
 * A host whose ARP cache behaves as Linux's was measured to (arp_accept 0, locktime 1 s): gratuitous frames change live
 * entries at once but create none; a reply is gratuitous only if its target MAC is its sender MAC; other frames change
 * an entry only when it is more than 1 s old; a request for the host's own address creates or changes one.
 */
import {
  ArpOperation,
  type ArpPacket,
  decodeNeighbourFrame,
  encodeNeighbourFrame,
} from '../../src/arp/frame.js';
import type { Clock, Timer } from '../../src/net/clock.js';
import { Ip } from '../../src/net/ip.js';
import { BROADCAST_MAC, type Mac, ZERO_MAC } from '../../src/net/mac.js';
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

  announceGratuitous(): void {
    for (const ip of this.ips) this.#sendRequest(ip, ip, BROADCAST_MAC);
  }

  /** "Who has?" by broadcast; the entry is incomplete until the answer, unless there is one. */
  ask(ip: Ip, from = this.ip): void {
    if (!this.cache.has(ip.key)) {
      this.cache.set(ip.key, { mac: ZERO_MAC, updatedMs: this.#clock.nowMs(), state: 'incomplete' });
    }
    this.#sendRequest(from, ip, BROADCAST_MAC);
  }

  /** Asks where the entry points, as the kernel does some seconds after using a stale one. */
  confirm(ip: Ip, from = this.ip): void {
    const entry = this.cache.get(ip.key);
    if (entry === undefined) return;
    entry.state = 'stale';
    this.#sendRequest(from, ip, entry.mac);
  }

  frame(bytes: Uint8Array): void {
    const frame = decodeNeighbourFrame(bytes);
    if (typeof frame === 'string' || frame.kind !== 'arp') return;
    const toMe = frame.ethernetDestination === this.mac;
    if (!toMe && frame.ethernetDestination !== BROADCAST_MAC) return;
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
