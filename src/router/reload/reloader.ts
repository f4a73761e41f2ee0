/**
 * Live reload: reads the files again, works out the difference, and applies all of it or nothing.
 *
 *   load ──errors──▶ refused       difference ──fixed things──▶ refused       prepare ──problem──▶ refused
 *   commit: one turn of the event loop, cannot fail
 *
 * With a time to confirm the configuration of before is kept; unless `confirm` comes in time it is applied again.
 */
import { type ConfigDifference, configDifference } from '../../config/difference.js';
import type { LoadOutcome, VineConfig } from '../../config/load.js';
import { configWithMembers } from '../../config/with-members.js';
import type { ConfirmView, ReloadErrorView, ReloadRequest, ReloadView } from '../../control/api.js';
import type { Clock, Timer } from '../../net/clock.js';
import { messageOf } from '../../net/system-error.js';
import { type ConfigError, formatConfigError } from '../../tables/files/error.js';
import type { Member } from '../../tables/files/members.js';
import { Subscribers } from '../../tables/subscribers.js';
import type { Readiness } from '../life/readiness.js';
import type { EventHub } from '../view/event-hub.js';
import type { Prepared } from './prepared.js';

export interface ReloaderOptions {
  readonly clock: Clock;
  readonly hub: EventHub;
  /** What the router runs with. */
  readonly config: VineConfig;
  readonly warnings: readonly string[];
  readonly load: () => LoadOutcome;
  /**
   * @param lenient take it without what cannot be had (the way back from a reload must not fail for a busy port)
   * @returns a problem as a string
   */
  readonly prepare: (before: VineConfig, after: VineConfig, lenient: boolean) => Promise<Prepared | string>;
  readonly readiness: Readiness;
}

/** `later`: another reload is under way, or waits. `restart`: it can only be applied by a start. */
export type TakeOutcome =
  | { readonly outcome: 'applied' }
  | { readonly outcome: 'later' | 'refused' | 'restart'; readonly reason: string };

/** What the files say, held against what the router runs with. */
export type FilesState = { readonly errors: readonly ConfigError[] } | { readonly changes: number };

interface Pending {
  /** What to go back to. */
  readonly config: VineConfig;
  readonly warnings: readonly string[];
  readonly timer: Timer;
  readonly before: string;
}

/** The reason that passes by itself. */
export const BUSY = 'another reload is under way';
export const NOT_READY = 'the router is not ready yet, or stopping';
/** An event must stay a line. */
const CHANGES_IN_EVENT = 20;
const UNDONE =
  'a reload was not confirmed in time: the router runs with the configuration of before, not with what the files say';

export class Reloader {
  readonly #options: ReloaderOptions;
  #config: VineConfig;
  #configWarnings: readonly string[];
  #pending: Pending | undefined;
  readonly #subscribers = new Subscribers<[VineConfig]>();
  #isUndone = false;
  #busy = false;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#configWarnings = options.warnings;
  }

  /** What the router runs with now. */
  get config(): VineConfig {
    return this.#config;
  }

  /** Calls `listener` with each configuration that is applied. */
  subscribe(listener: (applied: VineConfig) => void): () => void {
    return this.#subscribers.subscribe(listener);
  }

  /**
   * As `reload`, of what the files do not say yet.
   * @param keep writes it there, when all is ready and before it is applied; what it throws is the reason for refusing
   * @param isWayBack it is applied whatever waits, and without what cannot be had
   */
  async take(load: () => LoadOutcome, keep: () => Promise<void>, isWayBack: boolean): Promise<TakeOutcome> {
    const hindrance = this.#hindrance({ dryRun: isWayBack, confirmSeconds: undefined });
    if (hindrance !== undefined) return { outcome: 'later', reason: hindrance };
    this.#busy = true;
    try {
      return await this.#take(load, keep, isWayBack);
    } finally {
      this.#busy = false;
    }
  }

  async #take(load: () => LoadOutcome, keep: () => Promise<void>, isWayBack: boolean): Promise<TakeOutcome> {
    const refused = (errors: readonly ConfigError[]): string => errors.map(formatConfigError).join('; ');
    const loaded = load();
    if ('errors' in loaded) return { outcome: 'refused', reason: refused(loaded.errors) };
    const difference = configDifference(this.#config, loaded.config);
    if (difference.refused.length > 0) return { outcome: 'restart', reason: refused(difference.refused) };
    const problem = await this.#apply(loaded.config, loaded.warnings, isWayBack, keep);
    if (problem !== undefined) return { outcome: 'refused', reason: problem };
    const { gndt, file, description } = loaded.config;
    // A reload that waits to be confirmed is about the other files.
    if (this.#pending !== undefined)
      this.#pending = { ...this.#pending, config: { ...this.#pending.config, gndt, file, description } };
    this.#tellApplied(difference, null);
    return { outcome: 'applied' };
  }

  /** About the configuration, and about the reload that waits for its confirmation. */
  warnings(): string[] {
    const waits =
      this.#pending && `a reload is undone at ${this.#pending.before} unless "vinectl confirm" comes before`;
    return [
      ...this.#configWarnings,
      ...(waits === undefined ? [] : [waits]),
      ...(this.#isUndone ? [UNDONE] : []),
    ];
  }

  /** Reads the files, changes nothing. */
  filesState(): FilesState {
    const loaded = this.#options.load();
    if ('errors' in loaded) return loaded;
    const { changes, refused } = configDifference(this.#config, loaded.config);
    return { changes: changes.length + refused.length };
  }

  stop(): void {
    this.#pending?.timer.cancel();
    this.#pending = undefined;
  }

  async reload(request: ReloadRequest): Promise<ReloadView | ReloadErrorView> {
    const hindrance = this.#hindrance(request);
    if (hindrance !== undefined) return this.#refuse([{ file: '', path: '', message: hindrance }]);
    this.#busy = true;
    try {
      return await this.#reload(request);
    } finally {
      this.#busy = false;
    }
  }

  /**
   * Takes other members beside what it runs with; no file but what `keep` writes is read or written. A string: why not, and nothing
   * has changed.
   * @param keep makes them durable, when all else is ready; what it throws is the reason
   */
  async setMembers(members: readonly Member[], keep: () => void): Promise<string | undefined> {
    if (!this.#options.readiness.isReady) return NOT_READY;
    if (this.#busy) return BUSY;
    this.#busy = true;
    try {
      const config = configWithMembers(this.#config, members);
      if (typeof config === 'string') return config;
      return await this.#apply(config, this.#configWarnings, false, keep);
    } catch (error) {
      return messageOf(error);
    } finally {
      this.#busy = false;
      if (this.#pending !== undefined) this.#keepMembersOf(this.#pending, members);
    }
  }

  /** What waits to be undone would undo more than the reload otherwise. */
  #keepMembersOf(pending: Pending, members: readonly Member[]): void {
    const config = configWithMembers(pending.config, members);
    if (typeof config !== 'string') this.#pending = { ...pending, config };
  }

  confirm(): ConfirmView | string {
    if (this.#pending === undefined) return 'no reload waits to be confirmed';
    this.stop();
    this.#options.hub.emit('info', 'reload_confirmed', 'a reload was confirmed');
    return { confirmed: true };
  }

  #hindrance(request: ReloadRequest): string | undefined {
    if (!this.#options.readiness.isReady) return NOT_READY;
    if (this.#busy) return BUSY;
    if (this.#pending !== undefined && !request.dryRun && request.confirmSeconds === undefined)
      return 'a reload waits to be confirmed: "vinectl confirm" first, or reload with --confirm again';
    return undefined;
  }

  async #reload(request: ReloadRequest): Promise<ReloadView | ReloadErrorView> {
    const loaded = this.#options.load();
    if ('errors' in loaded) return this.#refuse(loaded.errors);
    const difference = configDifference(this.#config, loaded.config);
    if (difference.refused.length > 0) return this.#refuse(difference.refused);
    const view: ReloadView = {
      applied: false,
      changes: difference.changes,
      warnings: loaded.warnings,
      confirmBefore: null,
    };
    if (request.dryRun) return view;
    const before = { config: this.#config, warnings: this.#configWarnings };
    const problem = await this.#apply(loaded.config, loaded.warnings, false);
    if (problem !== undefined) return this.#refuse([{ file: '', path: '', message: problem }]);
    this.#isUndone = false;
    const confirmBefore = this.#awaitConfirmation(request.confirmSeconds, before);
    this.#tellApplied(difference, confirmBefore);
    return { ...view, applied: difference.changes.length > 0, confirmBefore };
  }

  async #apply(
    config: VineConfig,
    warnings: readonly string[],
    lenient: boolean,
    keep?: () => void | Promise<void>,
  ): Promise<string | undefined> {
    const prepared = await this.#prepare(config, lenient);
    if (typeof prepared === 'string') return prepared;
    try {
      await keep?.();
    } catch (error) {
      prepared.abandon();
      return `it could not be written: ${messageOf(error)}`;
    }
    if (!this.#options.readiness.isReady) {
      prepared.abandon();
      return 'the router is stopping';
    }
    prepared.commit();
    this.#config = config;
    this.#configWarnings = warnings;
    this.#subscribers.notify(config);
    return undefined;
  }

  /** Nobody waits for the way back: what rejects there would end the router. */
  async #prepare(config: VineConfig, lenient: boolean): Promise<Prepared | string> {
    try {
      return await this.#options.prepare(this.#config, config, lenient);
    } catch (error) {
      return messageOf(error);
    }
  }

  /** With a reload that waits already, the way back is still the one from before that. */
  #awaitConfirmation(
    seconds: number | undefined,
    current: { readonly config: VineConfig; readonly warnings: readonly string[] },
  ): string | null {
    if (seconds === undefined) return null;
    const { clock } = this.#options;
    const { config, warnings } = this.#pending ?? current;
    this.#pending?.timer.cancel();
    const timer = clock.after('reload-confirm', seconds * 1000, () => void this.#goBack());
    const before = new Date(clock.wallMs() + seconds * 1000).toISOString();
    this.#pending = { config, warnings, timer, before };
    return before;
  }

  async #goBack(): Promise<void> {
    const { clock, hub } = this.#options;
    const pending = this.#pending;
    if (pending === undefined) return;
    if (this.#busy) {
      this.#pending = { ...pending, timer: clock.after('reload-confirm', 100, () => void this.#goBack()) };
      return;
    }
    this.#pending = undefined;
    this.#busy = true;
    try {
      const problem = await this.#apply(pending.config, pending.warnings, true);
      this.#isUndone = true;
      if (problem === undefined)
        hub.emit('warn', 'reload_undone', 'a reload was not confirmed in time and is undone');
      else hub.emit('error', 'reload_undo_failed', 'a reload could not be undone', { reason: problem });
    } finally {
      this.#busy = false;
    }
  }

  #refuse(errors: readonly ConfigError[]): ReloadErrorView {
    const lines = errors.map(formatConfigError);
    this.#options.hub.emit('error', 'reload_refused', 'a reload was refused, nothing has changed', {
      errors: lines.slice(0, CHANGES_IN_EVENT),
    });
    return { error: lines.join('\n'), errors };
  }

  #tellApplied({ changes }: ConfigDifference, confirmBefore: string | null): void {
    const count = (kind: string): number => changes.filter(({ change }) => change === kind).length;
    this.#options.hub.emit('info', 'reload_applied', 'the configuration was reloaded', {
      added: count('added'),
      removed: count('removed'),
      changed: count('changed'),
      changes: changes
        .slice(0, CHANGES_IN_EVENT)
        .map(({ change, thing, name }) => `${change} ${thing} ${name}`),
      confirmBefore,
    });
  }
}
