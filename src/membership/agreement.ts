/**
 * What this router thinks of the network's description: which version it runs with, what is on trial, what it did not keep,
 * and what the others say. The room's front door: messages and time in, orders out (`AgreementPorts`).
 *
 *   heard or published ─verified, higher─▶ applied, on trial ──▶ stands
 *                            │                     └──▶ undone: what was before comes back
 *                            └──▶ refused: it cannot be applied here
 *
 * Order: whatever must survive a restart is on disk before it is applied, and applied before it is told.
 */
import { BoundedMap } from '../net/bounded-map.js';
import type { Timer } from '../net/clock.js';
import type {
  NetworkMessage,
  NetworkStateMessage,
  TellDocument,
  TellVerdict,
} from '../protocol/network-message.js';
import type { RouterId } from '../tables/model.js';
import type {
  AgreementPorts,
  AgreementStart,
  ApplyOutcome,
  TrialRecord,
  UndoneVersion,
} from './agreement-ports.js';
import { type NetworkCounters, networkCounters } from './authority.js';
import { contentOf, type Description, readDescription } from './description.js';
import { digestOf } from './document.js';
import { Spreading } from './spreading.js';
import {
  acceptedKeys,
  compareChains,
  readSuccessions,
  type Succession,
  successionDocument,
} from './succession.js';
import { beginTrial, stepTrial, stillTried, TRIAL_MS, type Trial, type TrialView } from './trial.js';
import { highestVerdict, KNOWN_OTHERWISE, lostTooMany, notKept, notPublished, shortened } from './verdict.js';

const TICK_MS = 1_000;
/** A router that starts hears it before it may apply anything, and serves nobody far away until it has. */
const AGAIN_MS = 100;
const MOST_UNDONE = 64;
/** Good signatures are only the key's: whoever makes more has it. */
const MOST_JUDGED = 256;

export class Agreement {
  readonly #ports: AgreementPorts;
  readonly #pinned: Uint8Array;
  readonly #counters: NetworkCounters = networkCounters();
  readonly #spreading: Spreading;
  #successions: readonly Succession[];
  #successionBytes: Uint8Array | undefined;
  #present: Description | undefined;
  #trial: Trial | undefined;
  #undone: readonly UndoneVersion[];
  #refused: TellVerdict | undefined;
  /** The one to be applied next, or being applied. */
  #next: Description | undefined;
  #busy = false;
  /** Digests of documents that are signed and not wanted again. */
  readonly #judged = new BoundedMap<string, true>(MOST_JUDGED);
  #timer: Timer | undefined;
  #again: Timer | undefined;

  constructor(ports: AgreementPorts, { pinned, successions, present, record }: AgreementStart) {
    this.#ports = ports;
    this.#pinned = pinned;
    this.#successions = successions;
    this.#successionBytes = successions.length === 0 ? undefined : successionDocument(successions);
    this.#present = present;
    this.#undone = record.undone;
    const { trial } = record;
    // After a start in the middle of it a trial begins anew: nobody has been reached yet.
    if (trial !== null && trial.digest === present?.digest)
      this.#trial = beginTrial(trial.before, ports.removesOf(present), ports.clock.nowMs());
    this.#spreading = new Spreading({
      clock: ports.clock,
      conduct: ports.conduct,
      counters: this.#counters,
      say: (to, message) => ports.say(to, message),
      upPeers: () => ports.upPeers(),
      state: () => this.#state(),
      kept: (digest) => this.#kept(digest),
      isWanted: (offer) => this.#isWanted(offer),
      judge: (kind, document, from) =>
        kind === 'succession'
          ? this.#judgeSuccession(document)
          : this.#judgeDescription(document, from) === undefined,
      told: () => {},
    });
  }

  counters(): Readonly<Record<string, number>> {
    return this.#counters.counters();
  }

  start(): void {
    this.#timer = this.#ports.clock.after('description', TICK_MS, () => {
      this.start();
      void this.#tick();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#again?.cancel();
    this.#next = undefined;
    this.#spreading.stop();
  }

  get present(): Description | undefined {
    return this.#present;
  }

  get successions(): readonly Succession[] {
    return this.#successions;
  }

  get undone(): readonly UndoneVersion[] {
    return this.#undone;
  }

  /** The highest description that was not kept, and why; undefined: none is above the present one. */
  get verdict(): TellVerdict | undefined {
    return highestVerdict(this.#undone, this.#refused, this.#present?.version ?? 0);
  }

  /** Of the one that is on trial. */
  trialView(): TrialView | undefined {
    if (this.#trial === undefined) return undefined;
    const nowMs = this.#ports.clock.nowMs();
    const { trial, lost } = stepTrial(this.#trial, new Set(this.#ports.upPeers()), nowMs);
    const sinceMs = trial.tooManySinceMs ?? trial.startedMs;
    return { lost, of: trial.before.size, remainingMs: Math.max(0, sinceMs + TRIAL_MS - nowMs) };
  }

  /**
   * Why no description is taken from an operator now; undefined: one is. Who is cut off by the next one while this one is on
   * trial would undo this one, which is innocent. What peers have is taken all the same: it is in the network already.
   */
  mustWait(): string | undefined {
    const trial = this.trialView();
    return trial && stillTried(this.#present?.version, trial);
  }

  /** What a peer has said last. */
  stateOf(router: RouterId): NetworkStateMessage | undefined {
    return this.#spreading.stateOf(router);
  }

  peerUp(router: RouterId): void {
    this.#spreading.peerUp(router);
  }

  peerDown(router: RouterId): void {
    this.#spreading.peerDown(router);
  }

  received(from: RouterId, message: NetworkMessage): void {
    this.#spreading.received(from, message);
  }

  /** A reload has read another description from the disk. Its trial is the operator's (`reload --confirm`). */
  reloaded(description: Description | undefined): void {
    if (this.#busy || description?.digest === this.#present?.digest) return;
    this.#present = description;
    this.#trial = undefined;
    void this.#ports.keepRecord(this.#record()).catch((error: unknown) => this.#writeFailed(error));
    this.#spreading.changed();
  }

  /** From an operator. A string says why not. Settles when it is applied here; the trial then goes on. */
  async publish(document: Uint8Array): Promise<Description | string> {
    const description = readDescription(document, this.#accepted());
    if (typeof description === 'string') return description;
    if (description.digest === this.#present?.digest) return description;
    const problem = notPublished(description, this.#present, this.#undone) ?? this.mustWait();
    if (problem !== undefined) return problem;
    if (this.#busy) return 'another description is being applied; try again in a moment';
    this.#next = description;
    const outcome = await this.#applyNext();
    if (outcome.outcome === 'applied') return description;
    if (this.#next === description) this.#next = undefined;
    return outcome.reason;
  }

  /**
   * From a store that is trusted for nothing, and judged as what a router has sent. A string says why it does not count.
   * @param from for people; no router's id
   */
  offered(document: Uint8Array, from: string): string | undefined {
    const digest = digestOf(document);
    if ([this.#present, this.#next].some((one) => one?.digest === digest)) return undefined;
    const unkept = notKept(digest, this.#undone, this.#refused);
    if (unkept !== undefined) return unkept;
    const problem = this.#judged.get(digest) ? undefined : this.#judgeDescription(document, from);
    return problem ?? (this.#judged.get(digest) ? KNOWN_OTHERWISE : undefined);
  }

  /** From an operator. A string says why not. */
  async succeed(document: Uint8Array): Promise<string | undefined> {
    const chain = readSuccessions(document);
    if (typeof chain === 'string') return chain;
    const news = compareChains(this.#pinned, this.#successions, chain);
    if (news === 'known') return undefined;
    if (news === 'foreign') return 'it does not begin with the key that router.json pins';
    if (news === 'forked') return 'the key has named another successor before, which every router knows';
    await this.#follow(chain, document);
    return undefined;
  }

  #accepted(): readonly Uint8Array[] {
    return acceptedKeys(this.#pinned, this.#successions, this.#ports.clock.wallMs() / 1_000);
  }

  #state(): NetworkStateMessage {
    const documents: TellDocument[] = [];
    if (this.#present !== undefined) {
      const { version, digest, document } = this.#present;
      documents.push({ kind: 'description', version, digest, totalBytes: document.length });
    }
    const keys = this.#successionBytes;
    if (keys !== undefined)
      documents.push({
        kind: 'succession',
        version: this.#successions.length,
        digest: digestOf(keys),
        totalBytes: keys.length,
      });
    return { type: 'networkState', documents, trial: this.#trial !== undefined, verdict: this.verdict };
  }

  #kept(digest: string): Uint8Array | undefined {
    if (digest === this.#present?.digest) return this.#present.document;
    const keys = this.#successionBytes;
    return keys !== undefined && digest === digestOf(keys) ? keys : undefined;
  }

  #isWanted({ kind, version, digest }: TellDocument): boolean {
    if (this.#judged.get(digest) === true) return false;
    if (kind === 'succession') return version > this.#successions.length;
    const known = [this.#present, this.#next, ...this.#undone];
    if (known.some((one) => one?.digest === digest)) return false;
    // One of the same version is looked at too: the key may have signed twice.
    return version >= Math.max(this.#present?.version ?? 1, this.#next?.version ?? 1);
  }

  /** A string: no honest router would have sent it as what it was told to be. */
  #judgeDescription(document: Uint8Array, from: string): string | undefined {
    const description = readDescription(document, this.#accepted());
    if (typeof description === 'string') return description;
    const { version, digest } = description;
    const present = this.#present?.version ?? 0;
    const same = [this.#present, this.#next].find((one) => one?.version === version);
    if (same !== undefined || this.#undone.some((one) => one.version === version)) {
      this.#judged.set(digest, true);
      const isSame =
        same !== undefined && Buffer.compare(contentOf(same.document), contentOf(document)) === 0;
      if (!isSame) this.#signedTwice(description, from);
      return undefined;
    }
    if (version < present) return `it is version ${version}, and this router has version ${present}`;
    if (version < (this.#next?.version ?? 0)) return undefined; // the higher one goes first
    this.#next = description;
    void this.#applyNext();
    return undefined;
  }

  #signedTwice({ version, digest }: Description, from: string): void {
    this.#counters.count('descriptions_signed_twice');
    this.#ports.event('description_signed_twice', { version, digest, from });
  }

  #judgeSuccession(document: Uint8Array): boolean {
    const chain = readSuccessions(document);
    if (typeof chain === 'string') return false;
    const news = compareChains(this.#pinned, this.#successions, chain);
    if (news === 'foreign') return false;
    if (news === 'longer') {
      void this.#follow(chain, document).catch((error: unknown) => this.#writeFailed(error));
      return true;
    }
    this.#judged.set(digestOf(document), true);
    if (news === 'forked') {
      this.#counters.count('network_keys_signed_twice');
      this.#ports.event('network_key_signed_twice', { digest: digestOf(document) });
    }
    return true;
  }

  async #follow(chain: readonly Succession[], document: Uint8Array): Promise<void> {
    this.#successions = chain;
    this.#successionBytes = document;
    await this.#ports.keepSuccession(document);
    const until = new Date((chain.at(-1)?.untilSeconds ?? 0) * 1_000).toISOString();
    const publicKey = Buffer.from(chain.at(-1)?.newKey ?? []).toString('base64');
    this.#ports.event('network_key_changed', { publicKey, until });
    this.#spreading.changed();
  }

  /** Never rejects. */
  async #applyNext(): Promise<ApplyOutcome> {
    const description = this.#next;
    if (description === undefined || this.#busy)
      return { outcome: 'later', reason: 'another one is being applied' };
    this.#busy = true;
    const trial = this.#newTrial(description);
    const outcome = await this.#ports
      .apply(description, this.#record(description, trial))
      .catch((error: unknown): ApplyOutcome => ({ outcome: 'refused', reason: String(error) }));
    this.#busy = false;
    if (outcome.outcome === 'later') {
      this.#again?.cancel();
      this.#again = this.#ports.clock.after('description again', AGAIN_MS, () => void this.#applyNext());
      return outcome;
    }
    if (this.#next === description) this.#next = undefined;
    if (outcome.outcome === 'applied') this.#applied(description, trial);
    else this.#refuse(description, outcome.reason);
    this.#spreading.changed();
    return outcome;
  }

  /** With one that is on trial already, the way back and whom it counts are still those of before that. */
  #newTrial(description: Description): Trial {
    const { clock, upPeers, removesOf } = this.#ports;
    const before = this.#trial?.before ?? upPeers();
    return beginTrial(before, removesOf(description), clock.nowMs());
  }

  #applied(description: Description, trial: Trial): void {
    this.#present = description;
    this.#trial = trial;
    this.#counters.count('descriptions_applied');
    this.#ports.event('description_applied', { version: description.version, before: trial.before.size });
  }

  #refuse({ version, digest }: Description, reason: string): void {
    this.#judged.set(digest, true);
    this.#refused = { outcome: 'refused', version, digest, reason: shortened(reason) };
    this.#counters.count('descriptions_refused');
    this.#ports.event('description_refused', { version, reason });
  }

  async #tick(): Promise<void> {
    if (this.#busy) return;
    if (this.#next !== undefined) await this.#applyNext();
    const present = this.#present;
    if (this.#trial === undefined || present === undefined || this.#busy) return;
    const reached = new Set(this.#ports.upPeers());
    const { trial, verdict, lost } = stepTrial(this.#trial, reached, this.#ports.clock.nowMs());
    this.#trial = trial;
    if (verdict === 'stands') await this.#confirm(present);
    else if (verdict === 'undo') await this.#undo(present, trial, lost);
  }

  async #confirm({ version }: Description): Promise<void> {
    this.#trial = undefined;
    this.#counters.count('descriptions_confirmed');
    this.#ports.event('description_confirmed', { version });
    this.#spreading.changed();
    await this.#ports.keepRecord(this.#record()).catch((error: unknown) => this.#writeFailed(error));
  }

  async #undo({ version, digest }: Description, { before }: Trial, lost: readonly RouterId[]): Promise<void> {
    this.#busy = true;
    const reason = lostTooMany(lost, before.size);
    const undone = [...this.#undone, { version, digest, reason }];
    this.#undone = undone.sort((a, b) => b.version - a.version).slice(0, MOST_UNDONE);
    this.#trial = undefined;
    try {
      this.#present = await this.#ports.goBack(this.#record());
      this.#counters.count('descriptions_undone');
      this.#ports.event('description_undone', {
        version,
        lost: lost.slice(0, 20),
        of: before.size,
        now: this.#present?.version ?? 0,
      });
    } catch (error) {
      this.#ports.event('description_undo_failed', { version, reason: String(error) });
    }
    this.#busy = false;
    this.#spreading.changed();
  }

  #record(description = this.#present, trial = this.#trial): TrialRecord {
    if (trial === undefined || description === undefined) return { trial: null, undone: this.#undone };
    const { version, digest } = description;
    const sinceWallMs = Math.floor(this.#ports.clock.wallMs());
    return { trial: { version, digest, before: [...trial.before], sinceWallMs }, undone: this.#undone };
  }

  #writeFailed(error: unknown): void {
    this.#ports.event('state_write_failed', { reason: String(error) });
  }
}
