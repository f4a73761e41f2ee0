/**
 * The host names in gndt.json and what they are known to mean: which is to be looked up when, and what an answer changes.
 * No I/O and no clock: times come in, names to look up and news come out.
 *
 *   wanted ──▶ looked up at once ──answer──▶ again after `nameRefreshMs`, or `nameRetryMs` while the peer does not answer
 *                   │                            (counted from the end of the look-up before)
 *                   └─no answer within `nameLimitMs`─▶ counts as a failure; the answer is still taken when it comes
 *
 * The last good answer stays in use whatever comes after it but another good one: a failure, a name that is gone from the
 * DNS, an answer in which nothing can be used. All that an address is used for is a handshake that only the owner of the
 * right private key can answer.
 *
 * A resolver that hangs takes its time for each name. `MOST_LOOKUPS` are under way at once; names whose last look-up failed
 * get `MOST_TROUBLED` of them, so that those that are answered (from /etc/hosts, by another server) need not wait for them.
 */
import type { Ip } from '../../net/ip.js';
import { type Choice, choose, type Skipped, sameSet } from './addresses.js';

export const MOST_LOOKUPS = 8;
export const MOST_TROUBLED = 6;
/** Look-ups begun in one `tick`, of which there are two a second and one for each answer. */
const MOST_AT_ONCE = 8;
/** Failures in a row after which an operator is told: while a machine starts, the first is ordinary. */
const TOLD_AFTER = 2;

/** What a resolver has said. */
export type LookupAnswer = { readonly addresses: readonly Ip[] } | { readonly problem: string };

/** An answer that outlives a router. */
export interface KeptName {
  readonly name: string;
  readonly addresses: readonly Ip[];
  /** When it was given, or confirmed. Unix milliseconds. */
  readonly resolvedWallMs: number;
}

/** What is known of a name. */
export interface NameState {
  readonly name: string;
  /** Of the last good answer, in the order in which they are tried. */
  readonly addresses: readonly Ip[];
  readonly resolvedWallMs: number | undefined;
  /** It is from before this router started. */
  readonly isKept: boolean;
  /** Why the last look-up failed; empty when it did not. */
  readonly problem: string;
  readonly failingSinceWallMs: number | undefined;
  /** Addresses of the last answer that are not used. */
  readonly skipped: readonly Skipped[];
}

export type NameEvent =
  | { readonly event: 'name_resolved'; readonly name: string; readonly addresses: readonly string[] }
  | {
      readonly event: 'name_changed';
      readonly name: string;
      readonly addresses: readonly string[];
      readonly before: readonly string[];
    }
  | {
      readonly event: 'name_unresolved';
      readonly name: string;
      readonly reason: string;
      /** What is used meanwhile. */
      readonly addresses: readonly string[];
    }
  | {
      readonly event: 'name_address_skipped';
      readonly name: string;
      readonly address: string;
      readonly reason: string;
    };

export interface NameTimes {
  /** From the end of a look-up to the next one, while whoever is there answers. */
  readonly nameRefreshMs: number;
  /** The same, while it does not. */
  readonly nameRetryMs: number;
  /** A look-up that takes longer counts as failed. */
  readonly nameLimitMs: number;
}

/** What has come of something. */
export interface NameNews {
  /** Other addresses are to be used. */
  readonly changed: boolean;
  /** There was a good answer: it is to be kept. */
  readonly confirmed: boolean;
  readonly events: readonly NameEvent[];
}

const NOTHING: NameNews = { changed: false, confirmed: false, events: [] };

interface Now {
  readonly nowMs: number;
  readonly wallMs: number;
}

interface Known {
  state: NameState;
  /** When the last look-up ended. */
  endedMs: number;
  failures: number;
  /** An operator has been told that it fails. */
  told: boolean;
  /** The look-up under way has been counted as a failure already. */
  overdue: boolean;
}

export class Names {
  readonly #times: NameTimes;
  readonly #known = new Map<string, Known>();
  /** Look-ups under way, and since when; also of names that are wanted no more. */
  readonly #underWay = new Map<string, number>();

  constructor(times: NameTimes) {
    this.#times = times;
  }

  /** These are the names now. @param kept what is remembered of one that is new */
  configure(names: ReadonlySet<string>, kept: (name: string) => KeptName | undefined): void {
    for (const name of [...this.#known.keys()]) if (!names.has(name)) this.#known.delete(name);
    for (const name of names) {
      if (this.#known.has(name)) continue;
      const last = kept(name);
      const state: NameState = {
        name,
        addresses: last?.addresses ?? [],
        resolvedWallMs: last?.resolvedWallMs,
        isKept: last !== undefined,
        problem: '',
        failingSinceWallMs: undefined,
        skipped: [],
      };
      const endedMs = Number.NEGATIVE_INFINITY;
      this.#known.set(name, { state, endedMs, failures: 0, told: false, overdue: false });
    }
  }

  state(name: string): NameState | undefined {
    return this.#known.get(name)?.state;
  }

  get underWay(): number {
    return this.#underWay.size;
  }

  /** The names to look up now, the longest due first; from here on they are under way. @param answers is whoever is there heard? */
  due(nowMs: number, answers: (name: string) => boolean): readonly string[] {
    const waiting = [...this.#known].filter(([name, { endedMs }]) => {
      if (this.#underWay.has(name)) return false;
      const pauseMs = answers(name) ? this.#times.nameRefreshMs : this.#times.nameRetryMs;
      return nowMs - endedMs >= pauseMs;
    });
    waiting.sort(([, a], [, b]) => a.endedMs - b.endedMs);
    const begun: string[] = [];
    let troubled = [...this.#underWay.keys()].filter((name) => this.#isTroubled(name)).length;
    for (const [name] of waiting) {
      if (begun.length >= MOST_AT_ONCE || this.#underWay.size >= MOST_LOOKUPS) break;
      const isTroubled = this.#isTroubled(name);
      if (isTroubled && troubled >= MOST_TROUBLED) continue;
      if (isTroubled) troubled++;
      this.#underWay.set(name, nowMs);
      begun.push(name);
    }
    return begun;
  }

  /** Look-ups that have taken too long, each once. */
  overdue({ nowMs, wallMs }: Now): readonly NameEvent[] {
    const events: NameEvent[] = [];
    for (const [name, sinceMs] of this.#underWay) {
      const known = this.#known.get(name);
      if (known === undefined || known.overdue || nowMs - sinceMs < this.#times.nameLimitMs) continue;
      known.overdue = true;
      const seconds = Math.round(this.#times.nameLimitMs / 1_000);
      // There may be no second failure: such a look-up may never end.
      events.push(...this.#failed(known, `the resolver has not answered for ${seconds} s`, wallMs, 1));
    }
    return events;
  }

  /** A look-up that `due` had begun has ended. @param unusable see `choose` */
  answered(
    name: string,
    answer: LookupAnswer,
    { nowMs, wallMs }: Now,
    unusable: (address: Ip) => string | undefined,
  ): NameNews {
    this.#underWay.delete(name);
    const known = this.#known.get(name);
    if (known === undefined) return NOTHING;
    known.endedMs = nowMs;
    const wasOverdue = known.overdue;
    known.overdue = false;
    if ('problem' in answer) {
      const events = wasOverdue ? [] : this.#failed(known, answer.problem, wallMs);
      return { ...NOTHING, events };
    }
    const choice = choose(answer.addresses, known.state.addresses, unusable);
    const skips = this.#skipped(known, choice);
    if (choice.addresses.length > 0) return this.#resolved(known, choice, wallMs, skips);
    return { ...NOTHING, events: [...skips, ...this.#failed(known, withoutAddress(choice), wallMs)] };
  }

  #isTroubled(name: string): boolean {
    return (this.#known.get(name)?.failures ?? 0) > 0;
  }

  #resolved(known: Known, choice: Choice, wallMs: number, skips: readonly NameEvent[]): NameNews {
    const { name, addresses: before } = known.state;
    const { addresses } = choice;
    const isFirst = before.length === 0;
    const changed = !sameSet(addresses, before);
    const events: NameEvent[] = [...skips];
    if (changed && !isFirst)
      events.push({ event: 'name_changed', name, addresses: texts(addresses), before: texts(before) });
    else if (isFirst || known.told)
      events.push({ event: 'name_resolved', name, addresses: texts(addresses) });
    known.failures = 0;
    known.told = false;
    known.state = {
      ...known.state,
      addresses,
      resolvedWallMs: wallMs,
      isKept: false,
      problem: '',
      failingSinceWallMs: undefined,
    };
    return { changed, confirmed: true, events };
  }

  #failed(known: Known, problem: string, wallMs: number, toldAfter = TOLD_AFTER): NameEvent[] {
    known.failures++;
    const { name, addresses, failingSinceWallMs = wallMs } = known.state;
    known.state = { ...known.state, problem, failingSinceWallMs };
    if (known.told || known.failures < toldAfter) return [];
    known.told = true;
    return [{ event: 'name_unresolved', name, reason: problem, addresses: texts(addresses) }];
  }

  /** Each is told when it comes up. */
  #skipped(known: Known, { skipped }: Choice): NameEvent[] {
    const { name, skipped: before } = known.state;
    known.state = { ...known.state, skipped };
    return skipped
      .filter(({ address }) => !before.some((other) => other.address.equals(address)))
      .map(({ address, why }) => ({
        event: 'name_address_skipped',
        name,
        address: address.key,
        reason: why,
      }));
  }
}

function withoutAddress({ skipped: [first] }: Choice): string {
  return first === undefined ? 'it has no address' : `its address ${first.address} ${first.why}`;
}

function texts(addresses: readonly Ip[]): string[] {
  return addresses.map(({ key }) => key);
}
