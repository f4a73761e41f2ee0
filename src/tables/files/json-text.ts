/**
 * JSON as RFC 8259 has it, read strictly for files that people write. Unlike `JSON.parse` it says where a mistake
 * is (line and column), and takes a key that stands twice in one object for the mistake that it is.
 */

export interface JsonProblem {
  /** Both from 1; the column counts UTF-16 units, as editors do. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export type JsonOutcome = { readonly value: unknown } | { readonly problem: JsonProblem };

/** Deeper nesting than any of our files needs, far from what would exhaust the stack. */
export const MAX_DEPTH = 64;

export function parseJson(text: string): JsonOutcome {
  const reader = new Reader(text);
  try {
    return { value: reader.document() };
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error;
    return { problem: { ...position(text, error.offset), message: error.message } };
  }
}

class SyntaxProblem extends Error {
  readonly offset: number;
  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

function position(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
}

const NUMBER = /-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 §7 forbids exactly these in a string
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const WORD = /[^\s"{}[\],:]+/y;
const CONSTANTS = new Map<string, unknown>([
  ['true', true],
  ['false', false],
  ['null', null],
]);

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): unknown {
    const value = this.#value(0);
    this.#space();
    if (this.#at < this.#text.length) this.#fail(`expected the end of the file, got ${this.#next()}`);
    return value;
  }

  #value(depth: number): unknown {
    if (depth > MAX_DEPTH) this.#fail(`nested more than ${MAX_DEPTH} deep`);
    this.#space();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
        return this.#string();
      default:
        return this.#numberOrConstant();
    }
  }

  #object(depth: number): Record<string, unknown> {
    const entries = new Map<string, unknown>();
    this.#at++;
    if (this.#take('}')) return {};
    do {
      this.#space();
      const keyAt = this.#at;
      if (this.#text[keyAt] !== '"') this.#fail(`expected a key in double quotes, got ${this.#next()}`);
      const key = this.#string();
      if (entries.has(key)) this.#fail(`the key ${JSON.stringify(key)} stands twice in this object`, keyAt);
      if (!this.#take(':')) this.#fail(`expected ":" after the key, got ${this.#next()}`);
      entries.set(key, this.#value(depth + 1));
    } while (this.#comma('}'));
    // Not by assignment: "__proto__" must become an ordinary (and then unknown) key.
    return Object.fromEntries(entries);
  }

  #array(depth: number): unknown[] {
    const values: unknown[] = [];
    this.#at++;
    if (this.#take(']')) return values;
    do values.push(this.#value(depth + 1));
    while (this.#comma(']'));
    return values;
  }

  /** True: another element follows. False: the closing bracket was read. */
  #comma(close: '}' | ']'): boolean {
    if (this.#take(close)) return false;
    const commaAt = this.#at;
    if (!this.#take(',')) this.#fail(`expected "," or "${close}", got ${this.#next()}`);
    this.#space();
    if (this.#text[this.#at] === close) this.#fail(`no "," may stand before "${close}"`, commaAt);
    return true;
  }

  #string(): string {
    const token = this.#match(STRING);
    if (token !== undefined) return JSON.parse(token) as string;
    const end = this.#text.slice(this.#at + 1).search(/["\n]/);
    const closed = end >= 0 && this.#text[this.#at + 1 + end] === '"';
    return this.#fail(
      closed
        ? 'this text holds a control character or a bad escape (write \\n, \\t, \\\\)'
        : 'this text is not closed by a double quote on its line',
    );
  }

  #numberOrConstant(): unknown {
    const start = this.#at;
    const word = this.#match(WORD);
    if (word === undefined) return this.#fail(`expected a value, got ${this.#next()}`);
    if (CONSTANTS.has(word)) return CONSTANTS.get(word);
    NUMBER.lastIndex = 0;
    if (NUMBER.exec(word)?.[0] === word) return Number(word);
    if (isComment(word)) return this.#fail(`expected a value, got ${COMMENT}`, start);
    return this.#fail(`expected a value, got ${quote(word)} (text needs double quotes)`, start);
  }

  #space(): void {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? 'x')) this.#at++;
  }

  #take(character: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const token = pattern.exec(this.#text)?.[0];
    if (token !== undefined) this.#at += token.length;
    return token;
  }

  #next(): string {
    const rest = this.#text.slice(this.#at);
    if (rest === '') return 'the end of the file';
    return isComment(rest) ? COMMENT : quote(/^\w+|^./s.exec(rest)?.[0] ?? '');
  }

  #fail(message: string, offset = this.#at): never {
    throw new SyntaxProblem(offset, message);
  }
}

const COMMENT = 'a comment, which JSON does not have';

function isComment(text: string): boolean {
  return /^(\/\/|\/\*|#)/.test(text);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 20 ? `${text.slice(0, 20)}…` : text);
}
