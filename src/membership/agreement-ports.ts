/** What the agreement is given, and what it asks for: the disk, the reload, the peers. */
import type { Clock } from '../net/clock.js';
import type { Conduct } from '../protocol/conduct.js';
import type { NetworkMessage } from '../protocol/network-message.js';
import type { RouterId } from '../tables/model.js';
import type { Description } from './description.js';
import type { Succession } from './succession.js';

/** `later`: something else is under way. `restart`: it can only be applied by a start. */
export type ApplyOutcome =
  | { readonly outcome: 'applied' }
  | { readonly outcome: 'later' | 'refused' | 'restart'; readonly reason: string };

export interface UndoneVersion {
  readonly version: number;
  /** SHA-256, hexadecimal. */
  readonly digest: string;
  readonly reason: string;
}

/** What survives a restart, beside the documents themselves. */
export interface TrialRecord {
  readonly trial: {
    readonly version: number;
    readonly digest: string;
    readonly before: readonly RouterId[];
    readonly sinceWallMs: number;
  } | null;
  readonly undone: readonly UndoneVersion[];
}

export type AgreementEventName =
  | 'description_applied'
  | 'description_confirmed'
  | 'description_refused'
  | 'description_signed_twice'
  | 'description_undo_failed'
  | 'description_undone'
  | 'network_key_changed'
  | 'network_key_signed_twice'
  | 'state_write_failed';

export type AgreementEvent = (
  event: AgreementEventName,
  fields: Readonly<Record<string, string | number | readonly string[]>>,
) => void;

export interface AgreementPorts {
  readonly clock: Clock;
  readonly conduct: Conduct;
  say(to: RouterId, message: NetworkMessage): void;
  upPeers(): readonly RouterId[];
  /** Checks it, writes it and the record to disk, and applies it: all of that or nothing. */
  apply(description: Description, record: TrialRecord): Promise<ApplyOutcome>;
  /** Sets the present one aside and applies what was before it. @returns what runs now */
  goBack(record: TrialRecord): Promise<Description | undefined>;
  keepRecord(record: TrialRecord): Promise<void>;
  keepSuccession(document: Uint8Array): Promise<void>;
  /** Routers that it takes away on purpose. */
  removesOf(description: Description): readonly RouterId[];
  readonly event: AgreementEvent;
}

export interface AgreementStart {
  /** The key of router.json, 32 bytes. */
  readonly pinned: Uint8Array;
  readonly successions: readonly Succession[];
  /** What the router runs with; undefined: it is not signed. */
  readonly present: Description | undefined;
  readonly record: TrialRecord;
}
