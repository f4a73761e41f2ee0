/** Has the names of gndt.json looked up, and tells the peers that are named so. What is due when, and what an answer means, says `Names`. */
import type { Ip } from '../../net/ip.js';
import type { Counters } from '../counters.js';
import type { TunnelPorts } from '../ports.js';
import {
  type KeptName,
  type LookupAnswer,
  type NameEvent,
  type NameNews,
  type NameState,
  Names,
  type NameTimes,
} from './names.js';

/** A peer that is reached by names. */
export interface NamedPeer {
  readonly endpoint: {
    readonly names: readonly string[];
    /** It is up, and by the way in use it answers. */
    readonly answers: boolean;
  };
  /** One of its names means something else. */
  nameResolved(): void;
}

export interface NameDeskOptions {
  readonly ports: Pick<TunnelPorts, 'clock' | 'resolver'>;
  readonly times: NameTimes;
  readonly counters: Counters;
  peers(): Iterable<NamedPeer>;
  /** What is remembered of a name. */
  kept(name: string): KeptName | undefined;
  /** To be remembered; perhaps the same addresses as before. */
  keep(kept: KeptName): void;
  event(event: NameEvent): void;
}

/** What a name means, for who has only the name. */
export interface NameBook {
  /** In the order in which they are to be tried. */
  addressesOf(name: string): readonly Ip[];
  stateOf(name: string): NameState | undefined;
}

export class NameDesk implements NameBook {
  readonly #options: NameDeskOptions;
  readonly #names: Names;
  /** Those that are called so. */
  #users = new Map<string, NamedPeer[]>();
  #running = false;

  constructor(options: NameDeskOptions) {
    this.#options = options;
    this.#names = new Names(options.times);
  }

  addressesOf(name: string): readonly Ip[] {
    return this.#names.state(name)?.addresses ?? [];
  }

  stateOf(name: string): NameState | undefined {
    return this.#names.state(name);
  }

  /** The configuration is about to name these; what is remembered of new ones is used at once. */
  expect(names: Iterable<string>): void {
    this.#names.configure(new Set(names), (name) => this.#kept(name));
  }

  /** Peers have come, gone, or have other endpoints. */
  peersChanged(): void {
    this.#users = new Map();
    for (const peer of this.#options.peers()) {
      for (const name of new Set(peer.endpoint.names)) {
        const users = this.#users.get(name);
        if (users === undefined) this.#users.set(name, [peer]);
        else users.push(peer);
      }
    }
    this.expect(this.#users.keys());
    this.#lookUp();
  }

  start(): void {
    this.#running = true;
    this.#lookUp();
  }

  /** Answers that are still to come change nothing. */
  stop(): void {
    this.#running = false;
  }

  /** Every now and then. */
  tick(): void {
    this.#tell(this.#names.overdue(this.#now));
    this.#lookUp();
  }

  /** The machine may have got the address itself since then. */
  #kept(name: string): KeptName | undefined {
    const kept = this.#options.kept(name);
    if (kept === undefined) return undefined;
    const { resolver } = this.#options.ports;
    const addresses = kept.addresses.filter((address) => resolver?.unusable(address) === undefined);
    return addresses.length === 0 ? undefined : { ...kept, addresses };
  }

  #lookUp(): void {
    const { resolver, clock } = this.#options.ports;
    if (!this.#running || resolver === undefined) return;
    for (const name of this.#names.due(clock.nowMs(), (due) => this.#answers(due))) {
      this.#options.counters.add('resolver_lookups');
      resolver.lookUp(name, (answer) => this.#answered(name, answer));
    }
  }

  #answered(name: string, answer: LookupAnswer): void {
    const { ports, counters } = this.#options;
    if (!this.#running) return;
    counters.add('problem' in answer ? 'resolver_failures' : 'resolver_answers');
    const unusable = (address: Ip): string | undefined => ports.resolver?.unusable(address);
    this.#take(name, this.#names.answered(name, answer, this.#now, unusable));
    this.#lookUp();
  }

  #take(name: string, { changed, confirmed, events }: NameNews): void {
    const state = this.#names.state(name);
    if (confirmed && state?.resolvedWallMs !== undefined)
      this.#options.keep({ name, addresses: state.addresses, resolvedWallMs: state.resolvedWallMs });
    this.#tell(events);
    if (!changed) return;
    this.#options.counters.add('resolver_changes');
    for (const peer of this.#users.get(name) ?? []) peer.nameResolved();
  }

  #tell(events: readonly NameEvent[]): void {
    for (const event of events) {
      if (event.event === 'name_address_skipped') this.#options.counters.add('resolver_addresses_skipped');
      this.#options.event(event);
    }
  }

  #answers(name: string): boolean {
    return this.#users.get(name)?.every(({ endpoint }) => endpoint.answers) ?? true;
  }

  get #now(): { nowMs: number; wallMs: number } {
    const { clock } = this.#options.ports;
    return { nowMs: clock.nowMs(), wallMs: clock.wallMs() };
  }
}
