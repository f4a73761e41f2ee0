/** What has been made ready for a new configuration, outside the tables. */
export interface Prepared {
  /** Applies it. Synchronous, so that nobody sees half of it; does not throw. */
  commit(): void;
  /** Lets go of what was made ready. */
  abandon(): void;
}

/** For what does not change. */
export const NOTHING_TO_DO: Prepared = { commit: () => {}, abandon: () => {} };
