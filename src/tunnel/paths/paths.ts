/**
 * The paths to one peer: which are known, which is in use, and when another takes its place.
 *
 * A path is believed when a Ping that was sent by it was answered by it. The path in use is given up for any other that
 * answers once `SUSPECT_AFTER` regular Pings in a row were not answered (when one is overdue, more follow quickly); and
 * for a better one (straight UDP before TCP before a relay, one by which the way is clearly shorter before others) that
 * answers `PROOF` Pings in a row. Better ones are tried in campaigns: for `CAMPAIGN_MS` after a session begins or a third
 * router has told where the peer is, then every `pathProbeMs`. Sessions do not know of this: keys, counters and connections
 * stay as they are when the path changes.
 */
import type { Ping } from '../link/pings.js';
import type { DatagramAddress, TunnelPorts } from '../ports.js';
import type { TunnelTimes } from '../times.js';
import { kindOf, pathKey, rankOf, relayPath, samePath } from './path.js';

const SUSPECT_AFTER = 4;
const PROOF = 3;
const CAMPAIGN_MS = 5_000;
/** A path that neither the file nor a relay names is forgotten this long after it was last heard of. */
const FORGET_AFTER_MS = 120_000;
/** All that a peer can be reached by; an insider who names ever new addresses only drives out his own. */
const MAX_PATHS = 16;
/** Less than what one kind of way is better than another. */
const PREFERENCE = 0.5;

export interface PathsOwner {
  /** Is there a session to send Pings in? */
  readonly hasSession: boolean;
  /** A Ping by that path. */
  tryPath(path: DatagramAddress): void;
  /** A regular Ping, before its time. */
  pingEarly(): void;
  readonly rttMs: number | undefined;
  /** Another path is in use. */
  pathChanged(path: DatagramAddress, why: string): void;
}

export interface PathsContext {
  readonly ports: TunnelPorts;
  readonly times: TunnelTimes;
}

interface Known {
  readonly path: DatagramAddress;
  untilMs: number;
  /** Pings answered in a row. */
  answered: number;
  lastPingMs: number;
}

export class Paths {
  readonly #peer: number;
  #configured: readonly DatagramAddress[];
  readonly #context: PathsContext;
  readonly #owner: PathsOwner;
  readonly #known = new Map<string, Known>();
  #chosen: DatagramAddress | undefined;
  #unanswered = 0;
  #lastAnsweredMs = Number.NEGATIVE_INFINITY;
  #campaignUntilMs = Number.NEGATIVE_INFINITY;
  #nextCampaignMs = 0;
  #preferredRelay: number | undefined;

  constructor(
    peer: number,
    configured: readonly DatagramAddress[],
    context: PathsContext,
    owner: PathsOwner,
  ) {
    this.#peer = peer;
    this.#configured = configured;
    this.#context = context;
    this.#owner = owner;
    for (const path of configured) this.#put(path, Number.POSITIVE_INFINITY);
  }

  /** Other endpoints are in the file. False when they are the same. What is in use stays in use. */
  configure(endpoints: readonly DatagramAddress[]): boolean {
    const keys = (paths: readonly DatagramAddress[]): string => paths.map(pathKey).join();
    if (keys(endpoints) === keys(this.#configured)) return false;
    for (const path of this.#configured) this.#known.delete(pathKey(path));
    this.#configured = endpoints;
    for (const path of endpoints) this.#put(path, Number.POSITIVE_INFINITY);
    this.campaign();
    return true;
  }

  /** The path in use. */
  get current(): DatagramAddress | undefined {
    return this.#context.ports.peerEndpoint?.(this.#peer) ?? this.#chosen;
  }

  /** The path in use has stopped answering. */
  get suspect(): boolean {
    return this.#unanswered >= SUSPECT_AFTER && this.#overdue;
  }

  /** An answer should have come by now. */
  get #overdue(): boolean {
    const { pingIntervalMs } = this.#context.times;
    return this.#nowMs - this.#lastAnsweredMs > pingIntervalMs + 3 * (this.#owner.rttMs ?? 0);
  }

  /** A straight path over UDP is in use and answers: nothing is left to be wished. */
  get isBest(): boolean {
    const { current } = this;
    return current !== undefined && kindOf(current) === 'udp' && !this.suspect && this.#owner.hasSession;
  }

  /** Of several relays, the one by which the way is shortest; undefined: not known. */
  preferRelay(relay: number | undefined): void {
    this.#preferredRelay = relay;
  }

  /** Smaller is better. */
  #rankOf(path: DatagramAddress): number {
    const isPreferred = path.relay !== undefined && path.relay === this.#preferredRelay;
    return rankOf(path) - (isPreferred ? PREFERENCE : 0);
  }

  /** Where to call: the path in use first, then the others, the better kinds before the worse. */
  candidates(): DatagramAddress[] {
    const { current } = this;
    const others = [...this.#known.values()]
      .map(({ path }) => path)
      .filter((path) => !samePath(path, current))
      .sort((a, b) => this.#rankOf(a) - this.#rankOf(b));
    return current === undefined ? others : [current, ...others];
  }

  /** A handshake has come by it: used from now on, unless a better one works. */
  adopt(path: DatagramAddress): void {
    this.#remember(path);
    const { current } = this;
    const isKept = current !== undefined && this.#owner.hasSession && !this.suspect;
    if (!isKept || this.#rankOf(path) <= this.#rankOf(current)) this.#use(path, 'handshake');
  }

  /** A third router says that the peer is there. True when that is news. */
  seen(path: DatagramAddress): boolean {
    const isNew = !this.#known.has(pathKey(path));
    this.#remember(path);
    this.campaign();
    return isNew;
  }

  /** A connection to the peer is there. */
  opened(path: DatagramAddress): void {
    const known = this.#put(path, Number.POSITIVE_INFINITY);
    if (known !== undefined && this.#owner.hasSession) this.#tryPath(known);
  }

  /** An authenticated packet has come by it. */
  authenticatedPacketReceived(path: DatagramAddress): void {
    const known = this.#remember(path);
    const { current } = this;
    if (known === undefined || current === undefined || samePath(path, current)) return;
    if (this.#rankOf(path) < this.#rankOf(current) || this.#unanswered > 1) this.#tryPath(known);
  }

  /** It cannot be used any more (a connection has ended, a relay is down). */
  lost(path: DatagramAddress): void {
    this.#known.delete(pathKey(path));
    if (!samePath(path, this.current)) return;
    const next = this.candidates().find((other) => !samePath(other, path));
    if (next !== undefined) this.#use(next, 'the path before has gone');
    this.#unanswered = SUSPECT_AFTER;
    this.#lastAnsweredMs = Number.NEGATIVE_INFINITY;
  }

  /** A regular Ping was sent by the path in use. */
  pinged(): void {
    this.#unanswered++;
  }

  /** A Ping was answered by the path that it was sent by. */
  answered(ping: Ping): void {
    if (ping.path === undefined) return;
    if (samePath(ping.path, this.current)) {
      this.#unanswered = 0;
      this.#lastAnsweredMs = this.#nowMs;
      return;
    }
    const known = this.#known.get(pathKey(ping.path));
    const { current } = this;
    if (known === undefined || ping.purpose !== 'path') return;
    known.answered++;
    known.untilMs = Math.max(known.untilMs, this.#nowMs + FORGET_AFTER_MS);
    if (current === undefined || this.suspect) this.#use(known.path, 'the path before does not answer');
    else if (this.#rankOf(known.path) >= this.#rankOf(current)) return;
    else if (known.answered >= PROOF) this.#use(known.path, 'a better path answers');
    else this.#tryPath(known);
  }

  /** A session has become current: the first, or after a while without. */
  begun(): void {
    this.#unanswered = 0;
    this.#lastAnsweredMs = this.#nowMs;
    this.campaign();
  }

  /** Tries better paths for a while from now on. */
  campaign(): void {
    this.#campaignUntilMs = this.#nowMs + CAMPAIGN_MS;
    this.#nextCampaignMs = this.#nowMs + this.#context.times.pathProbeMs;
  }

  /** This router did not run for so long: answers may still wait to be read. */
  forgive(stalledMs: number): void {
    this.#lastAnsweredMs = Math.min(this.#nowMs, this.#lastAnsweredMs + stalledMs);
  }

  /** Every second or so. True when a new campaign begins, for which others may be asked where the peer is. */
  tick(relays: readonly number[]): boolean {
    const nowMs = this.#nowMs;
    this.#knowRelays(relays);
    for (const [key, { untilMs }] of this.#known) if (untilMs <= nowMs) this.#known.delete(key);
    if (!this.#owner.hasSession) return false;
    // Between the regular Pings, so that a path that has died is found out in two or three seconds.
    if (this.#unanswered > 0 && this.#overdue) this.#owner.pingEarly();
    if (this.isBest) return false;
    const begins = !this.suspect && nowMs >= this.#nextCampaignMs;
    if (begins) this.campaign();
    if (this.suspect || nowMs < this.#campaignUntilMs) this.#tryOthers();
    return begins || this.suspect;
  }

  #tryOthers(): void {
    const { current } = this;
    for (const known of this.#known.values()) {
      if (samePath(known.path, current)) continue;
      if (current !== undefined && !this.suspect && this.#rankOf(known.path) >= this.#rankOf(current))
        continue;
      // One that is being proved answers faster than this; one that is silent must start from the beginning.
      if (this.#nowMs - known.lastPingMs >= this.#context.times.pingIntervalMs / 2) known.answered = 0;
      this.#tryPath(known);
    }
  }

  #tryPath(known: Known): void {
    known.lastPingMs = this.#nowMs;
    if (this.#owner.hasSession) this.#owner.tryPath(known.path);
  }

  #use(path: DatagramAddress, why: string): void {
    const changes = !samePath(path, this.current);
    this.#chosen = { ...path, address: Uint8Array.from(path.address) };
    this.#unanswered = 0;
    this.#lastAnsweredMs = this.#nowMs;
    this.#context.ports.setPeerEndpoint(this.#peer, this.#chosen);
    if (changes) this.#owner.pathChanged(this.#chosen, why);
    if (changes && this.#rankOf(path) > 0)
      this.#nextCampaignMs = this.#nowMs + this.#context.times.pathProbeMs;
  }

  /** The relays that can be used now; one that is no more among them is no path any more. */
  #knowRelays(relays: readonly number[]): void {
    for (const relay of relays)
      if (relay !== this.#peer) this.#put(relayPath(relay), Number.POSITIVE_INFINITY);
    for (const { path } of [...this.#known.values()]) {
      if (path.relay !== undefined && !relays.includes(path.relay)) this.lost(path);
    }
  }

  #remember(path: DatagramAddress): Known | undefined {
    return this.#put(path, this.#nowMs + FORGET_AFTER_MS);
  }

  /** Undefined when there is no room. */
  #put(path: DatagramAddress, untilMs: number): Known | undefined {
    const key = pathKey(path);
    const known = this.#known.get(key);
    if (known !== undefined) {
      known.untilMs = Math.max(known.untilMs, untilMs);
      return known;
    }
    if (this.#known.size >= MAX_PATHS && !this.#makeRoom()) return undefined;
    const copy = { ...path, address: Uint8Array.from(path.address) };
    const made = { path: copy, untilMs, answered: 0, lastPingMs: Number.NEGATIVE_INFINITY };
    this.#known.set(key, made);
    return made;
  }

  /** Forgets what would be forgotten first. */
  #makeRoom(): boolean {
    const { current } = this;
    const finite = [...this.#known].filter(
      ([, { untilMs, path }]) => untilMs !== Number.POSITIVE_INFINITY && !samePath(path, current),
    );
    finite.sort(([, a], [, b]) => a.untilMs - b.untilMs);
    return this.#known.delete(finite[0]?.[0] ?? '');
  }

  get #nowMs(): number {
    return this.#context.ports.clock.nowMs();
  }
}
