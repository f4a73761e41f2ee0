/** What is wrong with a configuration file, and where. */

export interface ConfigError {
  /** The file's name without its directory, e.g. `gndt.json`. */
  readonly file: string;
  /** Where in it, e.g. `networks[1].prefix`; empty when the whole file is meant. */
  readonly path: string;
  /** What is wrong and what would be right. */
  readonly message: string;
}

/** The line for people: `gndt.json: networks[1].prefix: …`. */
export function formatConfigError(error: ConfigError): string {
  return [error.file, error.path, error.message].filter((part) => part !== '').join(': ');
}

/** `['networks', 1, 'prefix']` → `networks[1].prefix`; keys that are not plain words are quoted. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[A-Za-z_$][\w$-]*$/.test(String(step)))
      text += text === '' ? String(step) : `.${String(step)}`;
    else text += `[${JSON.stringify(String(step))}]`;
  }
  return text;
}

/** A value, or every error that was found. */
export type Outcome<T> = { readonly value: T } | { readonly errors: readonly ConfigError[] };
