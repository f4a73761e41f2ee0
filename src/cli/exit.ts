/** What vinectl's exit status means. */

export const OK = 0;
/** The router says no, or a configuration has errors. */
export const REFUSED = 1;
export const USAGE = 2;
/** No router answers. */
export const UNREACHABLE = 3;

/** Ends vinectl with a message for people; may have several lines. */
export class CliError extends Error {
  override readonly name = 'CliError';

  constructor(
    readonly status: typeof REFUSED | typeof USAGE | typeof UNREACHABLE,
    message: string,
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}
