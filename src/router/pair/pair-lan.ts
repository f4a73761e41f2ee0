/**
 * One LAN of a site's two routers, as this one hears it: its partner's advertisements, other machines that speak with the same
 * VRID, the virtual MAC, hosts.
 */
import type { NeighbourFrame } from '../../arp/frame.js';
import { isProbe } from '../../arp/frame.js';
import type { PcapAddon } from '../../arp/pcap.js';
import type { Clock } from '../../net/clock.js';
import type { Ip } from '../../net/ip.js';
import type { Advertisement } from '../../pair/advertisement.js';
import { LanHealth, type LanLook } from '../../pair/lan-health.js';
import { macsOf } from '../../tables/gateway.js';
import type { Lan } from '../../tables/lan.js';
import {
  type AdvertisementSocket,
  type Condition,
  openAdvertisementSocket,
} from '../machine/vrrp/advertisement-socket.js';
import { advertisementSource } from '../machine/vrrp/source.js';

/** Between two advertisements, hundredths of a second. */
const INTERVAL_CS = 5;
/** Who has advertised within this time speaks there. */
const SPEAKING_MS = 3_000;
const MOST_SPEAKERS = 16;

type Family = 4 | 6;

export interface PairLanOptions {
  readonly clock: Clock;
  readonly pcap: PcapAddon;
  readonly lan: () => Lan;
  readonly vrid: number;
  /** An advertisement of the VRID, by another machine, that is not refused. */
  readonly onAdvertisement: (priority: number) => void;
  readonly onCondition: (lan: Lan, condition: Condition) => void;
  /** Other than the kernel's only in tests. */
  readonly openSocket?: typeof openAdvertisementSocket;
}

interface Speaker {
  readonly address: Ip;
  readonly heardMs: number;
  readonly gateways: readonly Ip[];
}

export class PairLan {
  readonly vrid: number;
  readonly health = new LanHealth();
  readonly #options: PairLanOptions;
  readonly #sockets = new Map<Family, { readonly source: Ip; readonly socket: AdvertisementSocket }>();
  /** By address. */
  readonly #speakers = new Map<string, Speaker>();
  #counted: Readonly<Record<string, number>> = {};
  #ending: Promise<void> = Promise.resolve();
  /** Why there is no socket. */
  #problem: string | undefined;
  /** Since an advertisement was heard, without own stalls; of `look`. */
  #silentMs = 0;

  constructor(options: PairLanOptions) {
    this.#options = options;
    this.vrid = options.vrid;
  }

  get lan(): Lan {
    return this.#options.lan();
  }

  /** Opens what is not open, and closes what has lost its address. What cannot be is a problem to be told, no exception. */
  open(): void {
    const { addresses, interface: name } = this.lan;
    this.#problem = undefined;
    for (const family of [4, 6] as const) {
      const open = this.#sockets.get(family);
      if (open !== undefined && addresses.some((ip) => ip.equals(open.source))) continue;
      if (open !== undefined) this.#close(family);
      if (!this.#isWanted(family)) continue;
      try {
        const source = advertisementSource(name, family, addresses);
        const { clock, pcap, vrid, onCondition, openSocket = openAdvertisementSocket } = this.#options;
        const socket = openSocket({
          interface: name,
          source,
          vrid,
          pcap,
          clock,
          onAdvertisement: (advertisement) => this.#heard(advertisement),
          onCondition: (condition) => onCondition(this.lan, condition),
        });
        this.#sockets.set(family, { source, socket });
      } catch (error) {
        this.#problem = error instanceof Error ? error.message : String(error);
      }
    }
    if (this.#sockets.size === 0)
      this.#problem ??= `${name} has no address to advertise from: the other router does not hear this one there`;
  }

  async stop(): Promise<void> {
    for (const family of [...this.#sockets.keys()]) this.#close(family);
    await this.#ending;
  }

  advertise(priority: number): void {
    const { gateway = [] } = this.lan;
    for (const [family, { source, socket }] of this.#sockets) {
      const own = gateway.filter((ip) => ip.family === family);
      // RFC 9568 §5.2.9: of IPv6 the first is link-local.
      const addresses = family === 6 ? [source, ...own] : own.length > 0 ? own : [source];
      socket.send({ vrid: this.vrid, priority, maxIntervalCs: INTERVAL_CS, addresses });
    }
  }

  frameSeen(frame: NeighbourFrame, atMs: number): void {
    const { lan } = this;
    const { ethernetSource } = frame;
    // Neither this router's own, nor who only asks whether an address is free.
    if (macsOf(lan).includes(ethernetSource) || isProbe(frame)) return;
    this.health.heard(senderOf(frame), atMs);
  }

  /** @param isSuspect as of `LanHealth.look` */
  look(nowMs: number, carrier: boolean, isSuspect: boolean, passedMs: number): LanLook {
    this.#silentMs += passedMs;
    return this.health.look(nowMs, carrier, isSuspect);
  }

  /** What was heard before a stall says nothing. */
  begunAnew(): void {
    this.#silentMs = 0;
  }

  /** For how long no advertisement was heard, without own stalls. */
  get silentMs(): number {
    return this.#silentMs;
  }

  get canAdvertise(): boolean {
    return [...this.#sockets.values()].some(({ socket }) => socket.condition().is === 'up');
  }

  /** `none`: there is no socket. */
  get advertising(): Condition['is'] | 'none' {
    const conditions = [...this.#sockets.values()].map(({ socket }) => socket.condition().is);
    return conditions.find((is) => is !== 'up') ?? conditions[0] ?? 'none';
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  /** Other machines that advertise this VRID now. */
  speakers(nowMs: number): readonly Speaker[] {
    return [...this.#speakers.values()].filter(({ heardMs }) => nowMs - heardMs < SPEAKING_MS);
  }

  /** Since the last advertisement, milliseconds; undefined: none was heard. */
  advertisedAgoMs(nowMs: number): number | undefined {
    const heard = [...this.#speakers.values()].map(({ heardMs }) => heardMs);
    return heard.length === 0 ? undefined : Math.max(0, nowMs - Math.max(...heard));
  }

  /** Without a prefix; sums of both families, of closed sockets too. */
  counters(): Readonly<Record<string, number>> {
    const sum: Record<string, number> = { ...this.#counted };
    for (const { socket } of this.#sockets.values()) add(sum, socket.counters());
    return sum;
  }

  #isWanted(family: Family): boolean {
    const { addresses, gateway = [] } = this.lan;
    if (family === 4) return addresses.some((ip) => ip.family === 4) || gateway.some((ip) => ip.family === 4);
    const isAlone = !addresses.some((ip) => ip.family === 4);
    return gateway.some((ip) => ip.family === 6) || (isAlone && addresses.some((ip) => ip.isLinkLocal));
  }

  #close(family: Family): void {
    const open = this.#sockets.get(family);
    this.#sockets.delete(family);
    if (open === undefined) return;
    const counted = { ...this.#counted };
    this.#ending = Promise.all([this.#ending, open.socket.close()]).then(() => {});
    add(counted, open.socket.counters());
    this.#counted = counted;
  }

  #heard({ source, priority, addresses }: Advertisement): void {
    const heardMs = this.#options.clock.nowMs();
    this.#silentMs = 0;
    const gateways = addresses.filter((ip) => !ip.equals(source));
    this.#speakers.delete(source.key);
    this.#speakers.set(source.key, { address: source, heardMs, gateways });
    const [oldest] = this.#speakers.keys();
    if (this.#speakers.size > MOST_SPEAKERS && oldest !== undefined) this.#speakers.delete(oldest);
    this.#options.onAdvertisement(priority);
  }
}

function add(sum: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + count;
}

/** Undefined: it says nothing of its address. */
function senderOf(frame: NeighbourFrame): Ip | undefined {
  if (frame.kind === 'na') return frame.target;
  if (frame.kind === 'ns') return frame.source;
  return frame.kind === 'arp' ? frame.senderIp : undefined;
}
