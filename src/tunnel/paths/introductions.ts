/**
 * How two routers that cannot call each other find each other: each asks routers that it is in direct contact with
 * (Seek); one that is in direct contact with both tells each where it sees the other (Seen), and both try at once.
 *
 * What a router says of another is a hint: an address is only tried with messages that the other alone can answer.
 */
import type { Clock } from '../../net/clock.js';
import { type Coordinate, estimatedRttMs, nearestRelay } from '../../net/coordinates.js';
import { KeyedRateLimit } from '../../net/rate-limit.js';
import type { IntroductionMessage, SeenMessage } from '../../protocol/control-message.js';
import type { RouterId } from '../../tables/model.js';
import type { Counters } from '../counters.js';
import { ipOf } from '../endpoint.js';
import type { DatagramAddress } from '../ports.js';

/** How many are asked at once. */
const HELPERS = 3;
/** While a peer is not reached: pauses between questions, the last one again and again. */
const PAUSES_MS = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000] as const;
/** Questions to one router: well below what it takes from one (tunnel/authority.ts). */
const QUESTIONS = { perSecond: 200, burst: 400 };
/** Another relay takes the place of the one in use when the way by it is shorter by such a share, and by so much. */
const SHORTER_SHARE = 0.7;
const SHORTER_MS = 5;

/** Are other routers asked where a peer is: not at all, once, or until it is reached? */
export type SearchState = 'none' | 'once' | 'open';

/** What is asked and told of a peer. */
export interface IntroducedPeer {
  readonly id: RouterId;
  readonly number: number;
  readonly rttMs: number | undefined;
  /** Where it says that it is. */
  readonly coordinate: Coordinate | undefined;
  /** We are in direct contact with it. */
  readonly canIntroduce: boolean;
  say(message: IntroductionMessage): void;
  readonly endpoint: {
    readonly isRelay: boolean;
    readonly path: DatagramAddress | undefined;
    preferRelay(relay: number | undefined): void;
    tick(relays: readonly number[], stalledMs: number): SearchState;
    seenAt(address: DatagramAddress | undefined, relay: number | undefined): void;
  };
}

/** All that there are. */
export interface IntroducedPeers {
  peer(router: RouterId): IntroducedPeer | undefined;
  peers(): Iterable<IntroducedPeer>;
}

interface Search {
  asked: number;
  nextMs: number;
}

export class Introductions {
  readonly #peers: IntroducedPeers;
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #searches = new Map<RouterId, Search>();
  readonly #questions: KeyedRateLimit<RouterId>;

  constructor(peers: IntroducedPeers, clock: Clock, counters: Counters) {
    this.#peers = peers;
    this.#clock = clock;
    this.#counters = counters;
    this.#questions = new KeyedRateLimit(clock, QUESTIONS);
  }

  /** Every now and then: lets peers see to their paths, and asks for those that want it. See `PeerEndpoint.tick`. */
  tick(stalledMs: number): void {
    const helpers = this.#helpers();
    const carriers = helpers.filter(({ endpoint }) => endpoint.isRelay);
    const relays = carriers.map(({ number }) => number);
    for (const peer of this.#peers.peers()) {
      if (peer.endpoint.path?.relay !== undefined) peer.endpoint.preferRelay(preferred(peer, carriers));
      const state = peer.endpoint.tick(relays, stalledMs);
      if (state === 'none') this.#searches.delete(peer.id);
      else if (state === 'once') this.#ask(peer, helpers);
      else this.#search(peer, helpers);
    }
  }

  received(from: IntroducedPeer, message: IntroductionMessage): void {
    if (message.type === 'seek') this.#introduce(from, message.router);
    else this.#seen(from, message);
  }

  forget(router: RouterId): void {
    this.#searches.delete(router);
    this.#questions.forget(router);
  }

  #helpers(): IntroducedPeer[] {
    return [...this.#peers.peers()]
      .filter((peer) => peer.canIntroduce)
      .sort(
        (a, b) =>
          Number(b.endpoint.isRelay) - Number(a.endpoint.isRelay) ||
          (a.rttMs ?? Number.MAX_VALUE) - (b.rttMs ?? Number.MAX_VALUE),
      );
  }

  #search(peer: IntroducedPeer, helpers: readonly IntroducedPeer[]): void {
    const nowMs = this.#clock.nowMs();
    const search = this.#searches.get(peer.id) ?? { asked: 0, nextMs: nowMs };
    this.#searches.set(peer.id, search);
    if (nowMs < search.nextMs) return;
    if (!this.#ask(peer, helpers)) return;
    search.nextMs = nowMs + (PAUSES_MS[Math.min(search.asked++, PAUSES_MS.length - 1)] ?? 0);
  }

  #ask(peer: IntroducedPeer, helpers: readonly IntroducedPeer[]): boolean {
    const others = helpers.filter((helper) => helper !== peer).slice(0, HELPERS);
    const asked = others.filter(({ id }) => this.#questions.allow(id));
    for (const helper of asked) helper.say({ type: 'seek', router: peer.id });
    return asked.length > 0;
  }

  #introduce(seeker: IntroducedPeer, router: RouterId): void {
    const sought = this.#peers.peer(router);
    if (sought === undefined || sought === seeker || !sought.canIntroduce || !seeker.canIntroduce) return;
    this.#counters.add('introductions_made');
    seeker.say(sighting(sought));
    sought.say(sighting(seeker));
  }

  #seen(from: IntroducedPeer, { router, ip, port }: SeenMessage): void {
    const peer = this.#peers.peer(router);
    if (peer === undefined || peer === from) return;
    const address = ip === undefined || port === 0 ? undefined : { address: ip.toBytes(), port };
    peer.endpoint.seenAt(address, from.endpoint.isRelay ? from.number : undefined);
  }
}

/** The relay by which the way to it is clearly shorter than by the one in use; else that one. */
function preferred(peer: IntroducedPeer, carriers: readonly IntroducedPeer[]): number | undefined {
  const { coordinate: to, endpoint } = peer;
  const inUse = endpoint.path?.relay;
  if (to === undefined) return inUse;
  const ways = carriers.flatMap(({ number: relay, rttMs, coordinate: at }) =>
    rttMs === undefined || at === undefined || relay === peer.number ? [] : [{ relay, rttMs, at }],
  );
  const used = ways.find(({ relay }) => relay === inUse);
  const best = nearestRelay(to, ways);
  if (best === undefined || used === undefined) return inUse;
  const usedMs = used.rttMs + estimatedRttMs(used.at, to);
  const isShorter = best.rttMs <= usedMs * SHORTER_SHARE && best.rttMs <= usedMs - SHORTER_MS;
  return isShorter ? best.relay : inUse;
}

function sighting(peer: IntroducedPeer): SeenMessage {
  const { path } = peer.endpoint;
  const byUdp = path !== undefined && path.stream === undefined;
  return {
    type: 'seen',
    router: peer.id,
    ip: byUdp ? ipOf(path.address) : undefined,
    port: byUdp ? path.port : 0,
  };
}
