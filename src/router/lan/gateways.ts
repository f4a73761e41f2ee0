/**
 * The addresses of the LANs that the router itself answers for, and whether it serves a LAN at all: the switch between active
 * and standby, with a while of draining between them. Only the active one answers and says anything here; the packet
 * workers and mobility follow `Lans`.
 */
import { probe } from '../../arp/announce.js';
import type { NeighbourFrame } from '../../arp/frame.js';
import { answerForGateway, servingAnnouncements } from '../../arp/gateway.js';
import { evidenceOf } from '../../mobility/evidence.js';
import type { Clock, Timer } from '../../net/clock.js';
import type { Ip } from '../../net/ip.js';
import { BROADCAST_MAC, formatMac, type Mac } from '../../net/mac.js';
import { KeyedRateLimit, onceIn } from '../../net/rate-limit.js';
import { isGatewayAddress, macsOf } from '../../tables/gateway.js';
import type { Lan, Lans } from '../../tables/lan.js';
import type { LanConfig, LanIndex } from '../../tables/model.js';
import type { EventHub } from '../view/event-hub.js';
import type { LanCounts } from './lan-counters.js';

/** Between two frames of one announcement where every host has to hear them: a takeover of many LANs is no flood. */
const PACE_MS = 1;
/**
 * It is all said again. At a hand-over the other router may send from the virtual MAC until it has heard that it is not
 * active any more, and draw the switch's entry back: well before it ceases to forward (`DRAIN_MS`) it must come here. And a
 * switch may have been busy with the very change that made this router take over.
 */
const AGAIN_MS = [200, 1_000] as const;
/** So long switches and other sites may go on to send here. */
const DRAIN_MS = 1_000;
/** What the site's other router has said on a LAN while it was the active one may still come. */
const TAKEN_MS = 2_000;
/** A machine that has a gateway address and says nothing is asked for it. */
const ASK_FIRST_MS = 2_000;
const ASK_EVERY_MS = 60_000;
/** After so long without a word of the other machine it is thought to have given the address up. */
const REMEMBERED_MS = 3 * ASK_EVERY_MS;
const TOLD_EVERY_MS = 60_000;
/** As many as there can be addresses on some LANs; a machine that makes up MACs displaces only its own. */
const MOST_USERS = 64;

/** Another machine that has said to have a gateway address. */
export interface OtherUser {
  readonly lan: Lan;
  readonly ip: Ip;
  readonly mac: Mac;
  /** When it was heard last, of the monotonic clock. */
  readonly heardMs: number;
}

export interface GatewaysOptions {
  readonly clock: Clock;
  readonly lans: Lans;
  readonly hub: Pick<EventHub, 'emit'>;
  readonly sendFrame: (lan: LanIndex, frame: Uint8Array) => void;
  /** This router serves LANs with the interface's own MAC from now on: hosts must hear all that was said before. */
  readonly taken: () => void;
  /** How long it goes on to forward when it has ceased to be active; `DRAIN_MS` when left out. */
  readonly drainMs?: number;
}

/** A frame of an announcement, and when it is sent after the first. */
interface Line {
  readonly frame: Uint8Array;
  readonly atMs: number;
}

export class Gateways {
  readonly #options: GatewaysOptions;
  readonly #told: KeyedRateLimit;
  /** By LAN and address. */
  readonly #users = new Map<string, OtherUser>();
  readonly #saying = new Map<LanIndex, Timer>();
  /** By LAN that is draining: until it stands by. */
  readonly #draining = new Map<LanIndex, Timer>();
  /** When this router took over the LAN. */
  readonly #takenMs = new Map<LanIndex, number>();
  #asking: Timer | undefined;
  #answers = 0;
  #isStarted = false;

  constructor(options: GatewaysOptions) {
    this.#options = options;
    this.#told = new KeyedRateLimit(options.clock, onceIn(TOLD_EVERY_MS));
  }

  /** The LANs are open. */
  start(): void {
    this.#isStarted = true;
    const { lans, clock } = this.#options;
    for (const { index } of lans.current()) if (lans.isActive(index)) this.#announce(index);
    this.#asking = clock.after('gateway users', ASK_FIRST_MS, () => this.#ask());
  }

  stop(): void {
    this.#isStarted = false;
    this.#asking?.cancel();
    for (const timer of this.#saying.values()) timer.cancel();
    this.#saying.clear();
    for (const timer of this.#draining.values()) timer.cancel();
    this.#draining.clear();
  }

  /**
   * This router answers and forwards from now on, or leaves that to the site's other one. Then it answers nothing at once, and
   * forwards for a while what still comes to it; not so before the start, when nothing has come yet.
   * @param only this LAN; all when left out
   * @param how `at once`: it forwards nothing any more either, for who is cut off or has been replaced long ago
   */
  setActive(isActive: boolean, only?: LanIndex, how?: 'at once'): void {
    const those = this.#options.lans.current().filter(({ index }) => only === undefined || only === index);
    if (isActive) this.#take(those);
    else for (const { index } of those) this.#leave(index, this.#isStarted && how !== 'at once');
  }

  /** Is there a LAN that it has just left to the site's other router, and for which it forwards still? */
  isDraining(): boolean {
    const { lans } = this.#options;
    return lans.current().some(({ index }) => lans.role(index) === 'draining');
  }

  /** Forwards on every LAN before it says so on any. */
  #take(those: readonly Lan[]): void {
    const { lans, taken } = this.#options;
    const changed = those.filter(({ index }) => lans.setRole(index, 'active'));
    for (const { index } of changed) {
      this.#endDraining(index);
      this.#takenMs.set(index, this.#options.clock.nowMs());
      this.#forgetUsers(index);
    }
    if (!this.#isStarted) return;
    for (const { index } of changed) this.#announce(index);
    if (changed.some(({ vrid }) => vrid === undefined)) taken();
  }

  #leave(index: LanIndex, drains: boolean): void {
    const { clock, lans, drainMs = DRAIN_MS } = this.#options;
    if (drains && !lans.isActive(index)) return;
    lans.setRole(index, drains ? 'draining' : 'standby');
    this.#endDraining(index);
    this.#saying.get(index)?.cancel();
    this.#saying.delete(index);
    if (!drains) return;
    this.#draining.set(
      index,
      clock.after('draining', drainMs, () => this.#leave(index, false)),
    );
  }

  /** It was perhaps the site's other router. Who is not is heard again. */
  #forgetUsers(index: LanIndex): void {
    for (const [key, { lan }] of this.#users) if (lan.index === index) this.#users.delete(key);
  }

  #endDraining(index: LanIndex): void {
    this.#draining.get(index)?.cancel();
    this.#draining.delete(index);
  }

  /** Says again whose the addresses are: switches forget a MAC that sends nothing, and a frame may have been lost. */
  announceAgain(): void {
    const { lans } = this.#options;
    if (!this.#isStarted) return;
    for (const { index } of lans.current()) if (lans.isActive(index)) this.#announce(index);
  }

  /** The configuration has other addresses; which LANs have any does not change. */
  reconfigure(configured: readonly Pick<LanConfig, 'gateway'>[]): void {
    const { lans } = this.#options;
    for (const [index, { gateway = [] }] of configured.entries()) {
      if (lans.setGateway(index, gateway) && lans.isActive(index) && this.#isStarted) this.#announce(index);
    }
  }

  /** A frame was captured. Answers at once. */
  frameSeen(index: LanIndex, frame: NeighbourFrame, atMs: number): void {
    const { lans, sendFrame } = this.#options;
    const lan = lans.get(index);
    if (lan?.gateway === undefined || lan.gateway.length === 0 || !lans.isActive(index)) return;
    this.#noteUser(lan, frame, atMs);
    const answer = answerForGateway(frame, lan);
    if (answer === undefined) return;
    sendFrame(index, answer);
    this.#answers++;
  }

  /** Machines that were heard to have an address of ours, within the last minutes. */
  otherUsers(): readonly OtherUser[] {
    const sinceMs = this.#options.clock.nowMs() - REMEMBERED_MS;
    return [...this.#users.values()].filter(
      ({ lan, ip, heardMs }) =>
        heardMs >= sinceMs && isGatewayAddress(this.#options.lans.get(lan.index) ?? lan, ip),
    );
  }

  /** Gateway addresses that the kernel of this machine has on the LAN, and answers for. */
  heldByKernel(): readonly { readonly lan: Lan; readonly ip: Ip }[] {
    return this.#options.lans
      .current()
      .flatMap((lan) => lan.addresses.filter((ip) => isGatewayAddress(lan, ip)).map((ip) => ({ lan, ip })));
  }

  /** Of each LAN that has gateway addresses: how many of them somebody else has too. */
  conflicts(): readonly { readonly lan: string; readonly kernel: number; readonly machine: number }[] {
    const held = this.heldByKernel();
    const users = this.otherUsers();
    return this.#options.lans
      .current()
      .filter(({ gateway = [] }) => gateway.length > 0)
      .map(({ index, interface: lan }) => {
        const isHere = (it: { readonly lan: Lan }): boolean => it.lan.index === index;
        return { lan, kernel: held.filter(isHere).length, machine: users.filter(isHere).length };
      });
  }

  warnings(): readonly string[] {
    const held = this.heldByKernel().map(
      ({ lan, ip }) =>
        `the kernel has the gateway address ${ip} on ${lan.interface}, and answers for it too: take it away there`,
    );
    const used = this.otherUsers().map(
      ({ lan, ip, mac }) =>
        `${formatMac(mac)} on ${lan.interface} says that it has the gateway address ${ip}`,
    );
    return [...held, ...used];
  }

  counters(): LanCounts {
    return { gateway_answers: this.#answers };
  }

  /** No answer to it: who fights over an address makes both unreachable (RFC 5227 §2.4 leaves that to operators too). */
  #noteUser(lan: Lan, frame: NeighbourFrame, atMs: number): void {
    const evidence = evidenceOf(lan, frame, atMs, (mac) => macsOf(lan).includes(mac));
    if (typeof evidence === 'string' || evidence.ip === undefined) return;
    const { ip, mac } = evidence;
    if (!isGatewayAddress(lan, ip)) return;
    if (atMs - (this.#takenMs.get(lan.index) ?? Number.NEGATIVE_INFINITY) < TAKEN_MS) return;
    const key = `${lan.index}|${ip.key}`;
    this.#users.delete(key);
    this.#users.set(key, { lan, ip, mac, heardMs: atMs });
    const [oldest] = this.#users.keys();
    if (this.#users.size > MOST_USERS && oldest !== undefined) this.#users.delete(oldest);
    if (!this.#told.allow(key)) return;
    this.#options.hub.emit('error', 'gateway_address_in_use', 'another machine has a gateway address', {
      lan: lan.interface,
      ip: ip.key,
      mac: formatMac(mac),
    });
  }

  #announce(index: LanIndex): void {
    const lan = this.#options.lans.get(index);
    if (lan === undefined) return;
    const paceMs = lan.vrid === undefined ? PACE_MS : 0;
    const frames = servingAnnouncements(lan);
    this.#say(
      index,
      [0, ...AGAIN_MS].flatMap((fromMs) => frames.map((frame, i) => ({ frame, atMs: fromMs + i * paceMs }))),
    );
  }

  /** What is due now, then the rest in its time; what was being said before is not said to its end. */
  #say(index: LanIndex, script: readonly Line[], nowMs = 0): void {
    const { clock, sendFrame } = this.#options;
    this.#saying.get(index)?.cancel();
    const due = script.filter(({ atMs }) => atMs <= nowMs);
    const [next, ...others] = script.slice(due.length);
    for (const { frame } of due) sendFrame(index, frame);
    if (next === undefined) {
      this.#saying.delete(index);
      return;
    }
    const say = (): void => this.#say(index, [next, ...others], next.atMs);
    this.#saying.set(index, clock.after('gateway announcement', next.atMs - nowMs, say));
  }

  /** As nobody: no host learns from the question, and who has the address answers it (RFC 5227 §2.1.1). */
  #ask(): void {
    const { clock, lans, sendFrame } = this.#options;
    this.#asking = clock.after('gateway users', ASK_EVERY_MS, () => this.#ask());
    for (const lan of lans.current()) {
      if (!lans.isActive(lan.index)) continue;
      for (const ip of lan.gateway ?? []) {
        sendFrame(lan.index, probe(ip, lan.mac, BROADCAST_MAC, undefined));
      }
    }
  }
}
