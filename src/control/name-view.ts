/** What the control API says of host names. */

/** What a host name is known to mean. */
export interface NameView {
  readonly name: string;
  /** Of the last good answer, in the order in which they are tried. */
  readonly addresses: readonly string[];
  /** When that answer was given or confirmed; null: never. */
  readonly resolvedAt: string | null;
  /** It is from before this router started: no resolver has confirmed it since. */
  readonly kept: boolean;
  /** Why the last look-up failed; empty when it did not. */
  readonly problem: string;
  /** Since when all have failed; null when the last did not. */
  readonly failingSince: string | null;
  /** Addresses of the last answer that are not used, and why. */
  readonly skipped: readonly string[];
}
