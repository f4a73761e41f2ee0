/** Small helpers over zod: schemas whose messages say what would be right, and errors with our paths. */
import { z } from 'zod';
import { type ConfigError, formatPath, type Outcome } from './error.js';
import { parseJson } from './json-text.js';
import type { Read } from './read.js';
import { didYouMean, listed, quoted } from './suggest.js';

/** What the published JSON Schema says of a text; the reader decides. */
interface TextMeta {
  readonly description: string;
  readonly examples?: readonly string[];
  /** For editors: must let pass everything that the reader takes. */
  readonly pattern?: string;
}

/** A text that `read` turns into a value. */
export function text<T>(read: (text: string) => Read<T>, meta: TextMeta) {
  return z
    .string()
    .meta({ ...meta })
    .transform((written, context): T => {
      const outcome = read(written);
      if ('value' in outcome) return outcome.value;
      context.addIssue({ code: 'custom', message: outcome.problem });
      return z.NEVER;
    });
}

export function wholeNumber(lowest: number, highest: number, description: string) {
  const error = (issue: { readonly input?: unknown }): string =>
    issue.input === undefined
      ? `missing; expected ${description}`
      : `expected a whole number from ${lowest} to ${highest}, got ${shown(issue.input)}`;
  return z
    .number({ error })
    .int({ error })
    .min(lowest, { error })
    .max(highest, { error })
    .meta({ description });
}

/** A number that need not be whole. */
export function amount(lowest: number, highest: number, description: string) {
  const error = (issue: { readonly input?: unknown }): string =>
    issue.input === undefined
      ? `missing; expected ${description}`
      : `expected a number from ${lowest} to ${highest}, got ${shown(issue.input)}`;
  return z.number({ error }).min(lowest, { error }).max(highest, { error }).meta({ description });
}

export function oneOf<const T extends readonly [string, ...string[]]>(values: T, description: string) {
  return z
    .enum(values, {
      error: ({ input }) =>
        input === undefined
          ? `missing; expected ${description}`
          : `expected one of ${values.map((value) => `"${value}"`).join(', ')}, got ${shown(input)}${
              typeof input === 'string' ? didYouMean(input, values) : ''
            }`,
    })
    .meta({ description });
}

/** An object whose unknown keys are errors, one each. */
export function strict<Shape extends z.core.$ZodLooseShape>(shape: Shape, description: string) {
  const known = Object.keys(shape);
  return z
    .strictObject(shape, {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? issue.keys.map((key) => unknownKey(key, known)).join('\n') // one line per key; split again below
          : undefined,
    })
    .meta({ description });
}

function unknownKey(key: string, known: readonly string[]): string {
  return `unknown key${didYouMean(key, known)}; the keys here are ${listed(known, 20)}`;
}

/** Reads one file's text by its schema. Every mistake of the file's shape is found, not only the first. */
export function parseFile<Schema extends z.ZodType>(
  file: string,
  source: string,
  schema: Schema,
): Outcome<z.output<Schema>> {
  const json = parseJson(source);
  if ('problem' in json) {
    const { line, column, message } = json.problem;
    return { errors: [{ file, path: '', message: `line ${line}, column ${column}: ${message}` }] };
  }
  const result = schema.safeParse(json.value, { error: describe });
  if (result.success) return { value: result.data };
  return { errors: unique(result.error.issues.flatMap((issue) => toErrors(file, issue))) };
}

function toErrors(file: string, issue: z.core.$ZodIssue): ConfigError[] {
  if (issue.code !== 'unrecognized_keys')
    return [{ file, path: formatPath(issue.path), message: issue.message }];
  const lines = issue.message.split('\n');
  return issue.keys.map((key, i) => ({
    file,
    path: formatPath([...issue.path, key]),
    message: lines[i] ?? 'unknown key',
  }));
}

/** A number that is no integer and too small is one mistake, not two. */
function unique(errors: readonly ConfigError[]): ConfigError[] {
  const seen = new Map(errors.map((error) => [`${error.path}\n${error.message}`, error]));
  return [...seen.values()];
}

const NOUNS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list in [ ]',
  object: 'an object in { }',
};

/** The words for whatever has no message of its own. */
function describe(issue: z.core.$ZodRawIssue): string | undefined {
  const about =
    issue.inst === undefined ? undefined : z.globalRegistry.get(issue.inst as z.ZodType)?.description;
  if (issue.code === 'invalid_type') {
    const noun = NOUNS[issue.expected] ?? issue.expected;
    const wanted = about === undefined ? noun : `${noun}: ${about}`;
    return issue.input === undefined
      ? `missing; expected ${wanted}`
      : `expected ${wanted}; got ${shown(issue.input)}`;
  }
  if (issue.code === 'too_small') return 'the list is empty; expected at least one entry';
  return undefined;
}

function shown(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return quoted(value);
  return typeof value === 'object' ? 'an object' : String(value);
}
