/**
 * Does a LAN carry? Pure: what was heard and the time in, whether it is sound and whom to ask out.
 *
 * A carrier says little: behind it a switch port may be shut. Hosts that are silent may have nothing to say, so before a LAN is
 * called dead those that were heard last are asked. Both routers of a site ask, or the one that asks would be the better one.
 * Where no host was ever heard nobody can be missed.
 */
import type { Ip } from '../net/ip.js';

/** Hosts have been silent for so long: they are asked, once a second. */
const ASK_AFTER_MS = 5_000;
const ASK_EVERY_MS = 1_000;
/** Nobody was heard for so long: the LAN is dead. */
export const SILENT_AFTER_MS = 10_000;
/** The partner's advertisements fail to come, or ours to reach it: they are asked at once, so often … */
const SUSPECT_ASK_EVERY_MS = 100;
/** … and the LAN is dead when so many questions were not answered. */
const SUSPECT_QUESTIONS = 3;
/** As many of those heard last are asked. */
const ASKED_HOSTS = 4;
/** Hosts that were heard longer ago are no more missed. */
const FORGOTTEN_AFTER_MS = 600_000;
/** A look that comes later was held up; what was said meanwhile may not have been read. */
const STALL_MS = 150;

interface Host {
  readonly ip: Ip;
  readonly heardMs: number;
}

export interface LanLook {
  readonly isSound: boolean;
  /** To be asked now, each by one question. */
  readonly ask: readonly Ip[];
}

export class LanHealth {
  /** Those heard last, newest first. */
  #hosts: readonly Host[] = [];
  #heardMs: number | undefined;
  #carrier = true;
  #lookedMs: number | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;
  /** Questions that were not answered since the LAN is suspect. */
  #unanswered = 0;
  #isSuspect = false;
  /** A suspicion has proved right; it stays so until a host is heard. */
  #isGivenUp = false;
  #isSound = true;

  get carrier(): boolean {
    return this.#carrier;
  }

  get isSound(): boolean {
    return this.#isSound;
  }

  /** When a host was heard last; undefined: never, or too long ago to be missed. */
  get heardMs(): number | undefined {
    return this.#heardMs;
  }

  /** A host of the LAN has said something. */
  heard(ip: Ip | undefined, atMs: number): void {
    this.#heardMs = Math.max(this.#heardMs ?? 0, atMs);
    this.#unanswered = 0;
    this.#isGivenUp = false;
    if (ip === undefined) return;
    if (this.#hosts[0]?.ip.equals(ip)) {
      this.#hosts = [{ ip, heardMs: atMs }, ...this.#hosts.slice(1)];
      return;
    }
    const others = this.#hosts.filter((host) => !host.ip.equals(ip)).slice(0, ASKED_HOSTS - 1);
    this.#hosts = [{ ip, heardMs: atMs }, ...others];
  }

  /**
   * Every 25 to 100 ms.
   * @param isSuspect an advertisement that should be heard on this LAN is not, here or at the partner
   */
  look(nowMs: number, carrier: boolean, isSuspect: boolean): LanLook {
    const wasHeldUp = this.#lookedMs !== undefined && nowMs - this.#lookedMs > STALL_MS;
    this.#lookedMs = nowMs;
    // After the carrier has come back nothing is known.
    if (wasHeldUp || isSuspect !== this.#isSuspect || (carrier && !this.#carrier)) this.#unanswered = 0;
    if (carrier && !this.#carrier && this.#heardMs !== undefined) {
      this.#heardMs = nowMs;
      this.#isGivenUp = false;
    }
    this.#carrier = carrier;
    this.#isSuspect = isSuspect;
    const silentMs = this.#heardMs === undefined ? undefined : nowMs - this.#heardMs;
    if (silentMs !== undefined && silentMs > FORGOTTEN_AFTER_MS) this.#forget();
    const isDead = silentMs !== undefined && this.#heardMs !== undefined && this.#isDead(nowMs, silentMs);
    this.#isSound = carrier && !isDead;
    const ask = carrier && silentMs !== undefined ? this.#toAsk(nowMs, silentMs) : [];
    return { isSound: this.#isSound, ask };
  }

  #isDead(nowMs: number, silentMs: number): boolean {
    if (this.#isSuspect && this.#unanswered >= SUSPECT_QUESTIONS && this.#isOverdue(nowMs))
      this.#isGivenUp = true;
    return this.#isGivenUp || silentMs >= SILENT_AFTER_MS;
  }

  /** Has the last question had its time? */
  #isOverdue(nowMs: number): boolean {
    return nowMs - this.#askedMs >= SUSPECT_ASK_EVERY_MS;
  }

  #toAsk(nowMs: number, silentMs: number): readonly Ip[] {
    const isHasty = this.#isSuspect && this.#unanswered < SUSPECT_QUESTIONS;
    if (!isHasty && this.#isSound && silentMs < ASK_AFTER_MS) return [];
    const everyMs = isHasty ? SUSPECT_ASK_EVERY_MS : ASK_EVERY_MS;
    if (nowMs - this.#askedMs < everyMs || this.#hosts.length === 0) return [];
    this.#askedMs = nowMs;
    this.#unanswered++;
    return this.#hosts.map(({ ip }) => ip);
  }

  #forget(): void {
    this.#heardMs = undefined;
    this.#hosts = [];
    this.#unanswered = 0;
    this.#isGivenUp = false;
  }
}
