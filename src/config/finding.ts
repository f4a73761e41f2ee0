/** What `vinectl doctor` has found out about one thing. */
export interface Finding {
  /** What was looked at: a word for programs (docs/control-api.md lists them). */
  readonly check: string;
  readonly level: 'ok' | 'warning' | 'error';
  /** Which interface, peer or file. */
  readonly subject: string;
  /** One sentence. */
  readonly message: string;
  /** What to do; empty when there is nothing to do. */
  readonly remedy: string;
}

export function ok(check: string, subject: string, message: string): Finding {
  return { check, level: 'ok', subject, message, remedy: '' };
}

export function warning(check: string, subject: string, message: string, remedy: string): Finding {
  return { check, level: 'warning', subject, message, remedy };
}

export function error(check: string, subject: string, message: string, remedy: string): Finding {
  return { check, level: 'error', subject, message, remedy };
}
