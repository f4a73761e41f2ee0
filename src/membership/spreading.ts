/**
 * How a signed document reaches every router: each tells its peers what it has, and who lacks something fetches it from one
 * that has it. One download at a time, the highest version first; a peer that is silent or slow makes room for the next one,
 * and one that sends what it did not promise waits long before it is asked again.
 *
 * Whether a document is good its owner says (`judge`): here nothing is known of signatures.
 */
import type { Clock, Timer } from '../net/clock.js';
import type { Conduct } from '../protocol/conduct.js';
import {
  type NetworkAskMessage,
  type NetworkMessage,
  type NetworkPartMessage,
  type NetworkStateMessage,
  PART_BYTES,
  type TellDocument,
} from '../protocol/network-message.js';
import type { RouterId } from '../tables/model.js';
import { NetworkAuthority, type NetworkCounters } from './authority.js';
import { digestOf } from './document.js';
import { Download, type Wanted } from './download.js';

/** A question is asked again when nothing of the answer has come for so long. */
const ASK_AGAIN_MS = 250;
/** Then another peer is asked. */
const SILENT_MS = 2_000;
/** For a whole document, when another one waits; doubled for a peer that was too slow before. */
const SLICE_MS = 3_000;
/** In any case: what a line of 128 kbit/s carries. */
const SLOWEST_BYTES_PER_MS = 16;
/** How long a peer is not asked after it failed once, and after it lied; each time twice as long as before. */
const FAILED_MS = 1_000;
const LIED_MS = 60_000;
const LONGEST_MS = 3_600_000;
const TICK_MS = 100;

export interface SpreadingOptions {
  readonly clock: Clock;
  readonly conduct: Conduct;
  readonly counters: NetworkCounters;
  say(to: RouterId, message: NetworkMessage): void;
  upPeers(): readonly RouterId[];
  /** What is said of ourselves now. */
  state(): NetworkStateMessage;
  /** The bytes of one that is kept here. */
  kept(digest: string): Uint8Array | undefined;
  isWanted(offer: TellDocument): boolean;
  /** A document whose digest is the promised one. False: no honest router would have it. */
  judge(kind: Wanted['kind'], document: Uint8Array, from: RouterId): boolean;
  /** A peer has told something else than before. */
  told(router: RouterId): void;
}

/** A peer that did not keep its promise. */
interface Distrust {
  failures: number;
  untilMs: number;
}

export class Spreading {
  readonly #options: SpreadingOptions;
  readonly #authority: NetworkAuthority;
  readonly #states = new Map<RouterId, NetworkStateMessage>();
  readonly #distrust = new Map<RouterId, Distrust>();
  #download: Download | undefined;
  #askedMs = 0;
  #timer: Timer | undefined;

  constructor(options: SpreadingOptions) {
    this.#options = options;
    this.#authority = new NetworkAuthority(options);
  }

  /** What a peer has said of itself last; undefined: nothing, or it is not up. */
  stateOf(router: RouterId): NetworkStateMessage | undefined {
    return this.#states.get(router);
  }

  peerUp(router: RouterId): void {
    this.#options.say(router, this.#options.state());
  }

  peerDown(router: RouterId): void {
    this.#states.delete(router);
    if (this.#download?.from === router) this.#giveUp(FAILED_MS);
  }

  /** What is said of ourselves, or wanted, is another thing. */
  changed(): void {
    const state = this.#options.state();
    for (const router of this.#options.upPeers()) this.#options.say(router, state);
    const download = this.#download;
    if (download !== undefined && !this.#options.isWanted(download.wanted)) this.#end();
    this.#seek();
  }

  /** Forgets who is no member any more. */
  keepOnly(routers: ReadonlySet<RouterId>): void {
    for (const map of [this.#states, this.#distrust])
      for (const router of map.keys()) if (!routers.has(router)) map.delete(router);
  }

  stop(): void {
    this.#end();
  }

  received(from: RouterId, message: NetworkMessage): void {
    if (!this.#authority.allows(from, message, this.#factsOf(from, message))) return;
    if (message.type === 'networkState') this.#told(from, message);
    else if (message.type === 'networkAsk') this.#answer(from, message);
    else this.#take(message);
  }

  get download(): Download | undefined {
    return this.#download;
  }

  #factsOf(from: RouterId, message: NetworkMessage): { isKept: boolean; isAwaited: boolean } {
    if (message.type === 'networkState') return { isKept: false, isAwaited: false };
    const { digest } = message;
    if (message.type === 'networkAsk')
      return { isKept: this.#options.kept(digest) !== undefined, isAwaited: false };
    const download = this.#download;
    const isOfIt = download?.from === from && download.wanted.digest === digest;
    return { isKept: false, isAwaited: isOfIt && download.expects(message.part) };
  }

  #told(from: RouterId, state: NetworkStateMessage): void {
    this.#states.set(from, state);
    this.#options.told(from);
    this.#seek();
  }

  #answer(to: RouterId, { kind, digest, first, count }: NetworkAskMessage): void {
    const document = this.#options.kept(digest);
    if (document === undefined) return;
    for (let part = first; part < first + count; part++) {
      const start = part * PART_BYTES;
      if (start >= document.length) return;
      const content = document.slice(start, start + PART_BYTES);
      this.#options.say(to, { type: 'networkPart', kind, digest, part, content });
    }
  }

  #take({ part, content }: NetworkPartMessage): void {
    const download = this.#download;
    if (download === undefined) return;
    if (!download.take(part, content, this.#options.clock.nowMs())) {
      this.#lied(download);
      return;
    }
    const { whole } = download;
    if (whole !== undefined) this.#complete(download, whole);
    else if (download.isAnswered) this.#ask(download);
  }

  #complete(download: Download, whole: Uint8Array): void {
    const { counters, judge } = this.#options;
    const { wanted, from } = download;
    if (digestOf(whole) !== wanted.digest || !judge(wanted.kind, whole, from)) {
      this.#lied(download);
      return;
    }
    counters.count('network_documents_received');
    this.#distrust.delete(from);
    this.#end();
    this.#seek();
  }

  #lied({ from }: Download): void {
    this.#options.counters.count('network_documents_forged');
    this.#options.conduct.refused(from, 'networkPart', 'forged');
    this.#giveUp(LIED_MS);
  }

  #giveUp(baseMs: number): void {
    const { clock, counters } = this.#options;
    const from = this.#download?.from;
    this.#end();
    if (from !== undefined) {
      counters.count('network_downloads_given_up');
      const failures = (this.#distrust.get(from)?.failures ?? 0) + 1;
      const untilMs = clock.nowMs() + Math.min(LONGEST_MS, baseMs * 2 ** (failures - 1));
      this.#distrust.set(from, { failures, untilMs });
    }
    this.#seek();
  }

  #end(): void {
    this.#download = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Begins the next download, if nothing is under way and somebody has what is wanted. */
  #seek(): void {
    if (this.#download !== undefined) return;
    const best = this.#best();
    if (best === undefined) {
      this.#seekLater();
      return;
    }
    this.#download = new Download(best.offer, best.router, this.#options.clock.nowMs());
    this.#ask(this.#download);
    this.#arm();
  }

  /** Who is not asked now may be later. */
  #seekLater(): void {
    if (this.#timer !== undefined || [...this.#offers()].length === 0) return;
    this.#timer = this.#options.clock.after('network-seek', FAILED_MS, () => {
      this.#timer = undefined;
      this.#seek();
    });
  }

  #best(): { router: RouterId; offer: TellDocument } | undefined {
    const nowMs = this.#options.clock.nowMs();
    let best: { router: RouterId; offer: TellDocument; failures: number } | undefined;
    for (const [router, offer] of this.#offers()) {
      const { failures = 0, untilMs = 0 } = this.#distrust.get(router) ?? {};
      if (untilMs > nowMs) continue;
      if (best === undefined || isBefore({ offer, failures }, best)) best = { router, offer, failures };
    }
    return best;
  }

  *#offers(): Generator<readonly [RouterId, TellDocument]> {
    for (const [router, { documents }] of this.#states)
      for (const offer of documents) if (this.#options.isWanted(offer)) yield [router, offer];
  }

  #ask(download: Download): void {
    const asked = download.ask();
    if (asked === undefined) return;
    const { kind, digest } = download.wanted;
    this.#askedMs = this.#options.clock.nowMs();
    this.#options.say(download.from, { type: 'networkAsk', kind, digest, ...asked });
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after('network-download', TICK_MS, () => {
      this.#arm();
      this.#watch();
    });
  }

  #watch(): void {
    const download = this.#download;
    if (download === undefined) return;
    const nowMs = this.#options.clock.nowMs();
    const ageMs = nowMs - download.startedMs;
    const { failures = 0 } = this.#distrust.get(download.from) ?? {};
    const sliceMs = SLICE_MS * 2 ** Math.min(10, failures);
    const mostMs = sliceMs + download.wanted.totalBytes / SLOWEST_BYTES_PER_MS;
    const isSilent = nowMs - download.progressMs >= SILENT_MS;
    if (isSilent || ageMs >= mostMs || (ageMs >= sliceMs && this.#othersWait(download)))
      this.#giveUp(FAILED_MS);
    else if (nowMs - this.#askedMs >= ASK_AGAIN_MS && nowMs - download.progressMs >= ASK_AGAIN_MS)
      this.#ask(download);
  }

  /** Somebody offers another document. */
  #othersWait({ from, wanted }: Download): boolean {
    const nowMs = this.#options.clock.nowMs();
    for (const [router, { digest }] of this.#offers())
      if (router !== from && digest !== wanted.digest && (this.#distrust.get(router)?.untilMs ?? 0) <= nowMs)
        return true;
    return false;
  }
}

interface Choice {
  readonly offer: TellDocument;
  readonly failures: number;
}

/** Keys before what they sign; who has kept its promises first; then the highest version. */
function isBefore(a: Choice, b: Choice): boolean {
  if (a.offer.kind !== b.offer.kind) return a.offer.kind === 'succession';
  if (a.failures !== b.failures) return a.failures < b.failures;
  return a.offer.version > b.offer.version;
}
