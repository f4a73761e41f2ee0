/**
 * How a network's key is replaced: statements "the new key follows the old one; both count until then", each signed by the
 * old one, in a chain. As a document, one line of base64 a statement, the oldest first:
 *
 *   old key (32) · new key (32) · until, Unix seconds (8, big endian) · signature of these 72 bytes by the old key (64)
 */
import { PUBLIC_KEY_BYTES, publicKeyOf, SIGNATURE_BYTES, sign, verify } from './signature.js';

/** A router that pins the first key follows so many changes; then the new key has to be pinned. */
export const MAX_SUCCESSIONS = 8;
/** The end of the year 9999. */
export const MAX_UNTIL_SECONDS = 253_402_300_799;

const UNTIL_BYTES = 8;
const STATED_BYTES = 2 * PUBLIC_KEY_BYTES + UNTIL_BYTES;
const STATEMENT_BYTES = STATED_BYTES + SIGNATURE_BYTES;
const LINE_CHARACTERS = 4 * Math.ceil(STATEMENT_BYTES / 3);
export const MAX_SUCCESSION_BYTES = MAX_SUCCESSIONS * (LINE_CHARACTERS + 1);

export interface Succession {
  /** 32 bytes each. */
  readonly oldKey: Uint8Array;
  readonly newKey: Uint8Array;
  /** Until then both count. Unix seconds. */
  readonly untilSeconds: number;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** @param oldSeed 32 bytes @param newKey 32 bytes @param untilSeconds Unix time, 0 … MAX_UNTIL_SECONDS */
export function signSuccession(oldSeed: Uint8Array, newKey: Uint8Array, untilSeconds: number): Succession {
  const statement = { oldKey: publicKeyOf(oldSeed), newKey, untilSeconds };
  return { ...statement, signature: sign('succession', stated(statement), oldSeed) };
}

export function successionDocument(chain: readonly Succession[]): Uint8Array {
  const lines = chain.map((statement) =>
    Buffer.concat([stated(statement), statement.signature]).toString('base64'),
  );
  return new Uint8Array(Buffer.from(lines.map((line) => `${line}\n`).join(''), 'latin1'));
}

/** A chain whose every link holds, or what is wrong with it. */
export function readSuccessions(document: Uint8Array): readonly Succession[] | string {
  if (document.length === 0 || document.length > MAX_SUCCESSION_BYTES)
    return `expected 1 to ${MAX_SUCCESSIONS} statements`;
  const lines = Buffer.from(document).toString('latin1').split('\n');
  if (lines.pop() !== '') return 'the last line is cut';
  const chain: Succession[] = [];
  for (const [index, line] of lines.entries()) {
    const statement = readStatement(line);
    const before = chain.at(-1);
    if (statement === undefined) return `line ${index + 1} is no statement about a network's key`;
    if (before !== undefined && !sameKey(before.newKey, statement.oldKey))
      return `line ${index + 1} does not follow the one before it`;
    if (chain.some(({ oldKey }) => sameKey(oldKey, statement.newKey)) || isOfItself(statement))
      return `line ${index + 1} goes back to a key that was replaced`;
    if (!verify('succession', stated(statement), statement.signature, statement.oldKey))
      return `the signature of line ${index + 1} does not hold`;
    chain.push(statement);
  }
  return chain;
}

/** Every key that the pinned one leads to, itself first: what is on this router's own disk may be signed by any of them. */
export function knownKeys(pinned: Uint8Array, chain: readonly Succession[]): Uint8Array[] {
  return [pinned, ...fromPinned(pinned, chain).map(({ newKey }) => newKey)];
}

/** Those that count now: what comes from others must be signed by one of them. The newest is the last. */
export function acceptedKeys(
  pinned: Uint8Array,
  chain: readonly Succession[],
  nowSeconds: number,
): Uint8Array[] {
  const following = fromPinned(pinned, chain);
  const newest = following.at(-1)?.newKey ?? pinned;
  const still = following.filter(({ untilSeconds }) => nowSeconds < untilSeconds);
  return [...still.map(({ oldKey }) => oldKey), newest];
}

/**
 * What an offered chain is to one who knows another. `longer`: it says all that is known, and more. `forked`: after some key
 * it names another one, so that key has signed twice. `foreign`: it does not begin with what is pinned. `known`: no news.
 */
export function compareChains(
  pinned: Uint8Array,
  known: readonly Succession[],
  offered: readonly Succession[],
): 'longer' | 'known' | 'forked' | 'foreign' {
  const ours = fromPinned(pinned, known);
  const theirs = fromPinned(pinned, offered);
  if (theirs.length === 0) return offered.some(({ newKey }) => sameKey(newKey, pinned)) ? 'known' : 'foreign';
  for (const [index, statement] of theirs.entries()) {
    const own = ours[index];
    if (own === undefined) return 'longer';
    if (Buffer.compare(stated(own), stated(statement)) !== 0) return 'forked';
  }
  return 'known';
}

function fromPinned(pinned: Uint8Array, chain: readonly Succession[]): readonly Succession[] {
  const first = chain.findIndex(({ oldKey }) => sameKey(oldKey, pinned));
  return first < 0 ? [] : chain.slice(first);
}

function readStatement(line: string): Succession | undefined {
  const bytes = Buffer.from(line, 'base64');
  if (bytes.length !== STATEMENT_BYTES || bytes.toString('base64') !== line) return undefined;
  const until = bytes.readBigUInt64BE(2 * PUBLIC_KEY_BYTES);
  if (until > BigInt(MAX_UNTIL_SECONDS)) return undefined;
  return {
    oldKey: new Uint8Array(bytes.subarray(0, PUBLIC_KEY_BYTES)),
    newKey: new Uint8Array(bytes.subarray(PUBLIC_KEY_BYTES, 2 * PUBLIC_KEY_BYTES)),
    untilSeconds: Number(until),
    signature: new Uint8Array(bytes.subarray(STATED_BYTES)),
  };
}

function stated({ oldKey, newKey, untilSeconds }: Omit<Succession, 'signature'>): Uint8Array {
  const until = Buffer.alloc(UNTIL_BYTES);
  until.writeBigUInt64BE(BigInt(untilSeconds));
  return Buffer.concat([oldKey, newKey, until]);
}

function isOfItself({ oldKey, newKey }: Succession): boolean {
  return sameKey(oldKey, newKey);
}

export function sameKey(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
