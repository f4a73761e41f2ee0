/**
 * Addresses that nobody has heard of. Hosts of a switched LAN talk among themselves by unicast, so the router knows of an
 * address only what is said to all or to itself; what it does not know does not move with its machine.
 */

import { askLan, ownAddress } from '../../arp/asker.js';
import { echoRequestToAll } from '../../arp/echo.js';
import type { Ip } from '../../net/ip.js';
import type { Mac } from '../../net/mac.js';
import { KeyedRateLimit, onceIn, RateLimit } from '../../net/rate-limit.js';
import type { Lan } from '../../tables/lan.js';
import type { VnetId } from '../../tables/model.js';
import { nodeKey } from '../../tables/node-key.js';
import type { Context } from '../context.js';
import type { Arrived } from '../destination/candidate.js';
import { homeNetworks } from '../neighbours.js';
import { macKey } from './missing.js';

/** Of one address, and of all. */
const ASKED_EVERY_MS = 60_000;
const QUESTIONS = { perSecond: 100, burst: 100 };
/** Told to the router that has the machine. */
const TOLD_EVERY_MS = 1_000;
/** A machine that arrives is asked once for its other addresses, whatever announcements follow. */
const GREETED_EVERY_MS = 5_000;
const GREETED_AFTER_MS = 20;

export class Unheard {
  readonly #context: Context;
  readonly #spaced: KeyedRateLimit;
  readonly #questions: RateLimit;
  readonly #told: KeyedRateLimit;
  readonly #greeted: KeyedRateLimit;

  constructor(context: Context) {
    this.#context = context;
    this.#spaced = new KeyedRateLimit(context.clock, onceIn(ASKED_EVERY_MS));
    this.#questions = new RateLimit(context.clock, QUESTIONS);
    this.#told = new KeyedRateLimit(context.clock, onceIn(TOLD_EVERY_MS));
    this.#greeted = new KeyedRateLimit(context.clock, onceIn(GREETED_EVERY_MS));
  }

  /** A host asks for an address of a home network that is unknown: it is asked here too, so that the answer comes here. */
  asked(lan: Lan, ip: Ip): void {
    const { gndt, lndt, directory, hwdt, ports, counters } = this.#context;
    if (!gndt.isHome(lan.vnet, ip) || directory.here(lan.vnet, ip) !== undefined) return;
    if (hwdt.get(lan.vnet, ip) !== undefined || !lndt.authorises(lan.vnet, ip, undefined)) return;
    if (!this.#spaced.allow(nodeKey(lan.vnet, ip)) || !this.#questions.allow()) return;
    counters.count('unheard_asked');
    askLan({ clock: this.#context.clock, sendFrame: ports.sendFrame }, lan, ip, ownAddress(lan, ip.family));
  }

  /**
   * A host here has sent a packet to the MAC of a machine that is elsewhere, for an address of which nobody knows: it is
   * that machine's. The router that has the machine is told to ask it.
   */
  packet(vnet: VnetId, ip: Ip, mac: Mac): void {
    const { gndt, directory, self, ports, counters } = this.#context;
    if (!gndt.isHome(vnet, ip) || directory.get(vnet, ip) !== undefined || !ip.isNodeAddress) return;
    const [record] = directory.byMac(vnet, mac);
    if (record === undefined || record.router === self || !this.#told.allow(nodeKey(vnet, ip))) return;
    counters.count('searches_sent');
    ports.messenger.send(record.router, { type: 'search', vnet, mac, ips: [ip], listenSeconds: 0 });
  }

  /** A machine has arrived: its other IPv6 addresses in the networks of its home answer an echo request to all nodes. */
  arrived(arrived: Arrived): void {
    if (!this.#greeted.allow(macKey(arrived.lan.vnet, arrived.mac))) return;
    // What leads its own traffic to us comes first.
    this.#context.timers.after('other addresses', GREETED_AFTER_MS, () => this.#askOthers(arrived));
  }

  #askOthers({ lan, mac, ips }: Arrived): void {
    const { gndt, ports, counters } = this.#context;
    const homes = new Set(homeNetworks(this.#context, lan.vnet, ips).map(({ router }) => router));
    for (const { vnet, prefix, router } of gndt.config.networks) {
      if (vnet !== lan.vnet || prefix.family !== 6 || !homes.has(router)) continue;
      const frame = echoRequestToAll(prefix, lan.mac, mac);
      if (frame === undefined) continue;
      counters.count('unheard_asked');
      ports.sendFrame(lan.index, frame);
    }
  }
}
