/**
 * What is said to an etcd and what it answers, as JSON: the gateway to its gRPC API that every etcd from 3.4 on has under
 * /v3 (etcd's documentation, "gRPC gateway" and "API reference"; messages RangeRequest, TxnRequest, WatchRequest). 64-bit
 * numbers are decimal texts there, bytes are base64, and what is zero or empty is left out.
 *
 * Nothing that an etcd says is believed but that it says it: answers have their bounds here, documents their signature.
 */
import { MAX_DOCUMENT_BYTES } from '../../protocol/network-message.js';
import { shortened } from '../verdict.js';

export const RANGE_PATH = '/v3/kv/range';
export const TXN_PATH = '/v3/kv/txn';
export const WATCH_PATH = '/v3/watch';
export const LOGIN_PATH = '/v3/auth/authenticate';

/** A document in base64, and what is around it. */
export const MAX_ANSWER_BYTES = Math.ceil(MAX_DOCUMENT_BYTES / 3) * 4 + 64 * 1024;

export type EtcdProblem =
  /** The watch was ended by the etcd, or the connection was. */
  | 'ended'
  | 'compacted'
  /** An answer that is none, or to another question. */
  | 'malformed'
  /** An error that it has sent. */
  | 'refused'
  | 'silent'
  | 'too-large'
  /** It says more, or more documents, than anybody would publish. */
  | 'too-many'
  /** A CA, certificate or key file cannot be used. */
  | 'files'
  | 'unreachable';

export interface EtcdFailure {
  readonly problem: EtcdProblem;
  /** For people: one line. */
  readonly detail: string;
}

/** The key and what is under it. */
export interface Stored {
  /** The store's revision at which it was written last. */
  readonly modRevision: bigint;
  /** Empty where only keys were asked for. */
  readonly value: Uint8Array;
}

export interface RangeAnswer {
  /** Of the whole store; it rises by one with each change. */
  readonly revision: bigint;
  /** Undefined: there is no such key. */
  readonly stored: Stored | undefined;
}

export type WatchAnswer =
  | { readonly is: 'created' | 'nothing'; readonly revision: bigint }
  | { readonly is: 'changed'; readonly revision: bigint; readonly stored: Stored | undefined };

export function failure(problem: EtcdProblem, detail: string): EtcdFailure {
  return { problem, detail: shortened(detail) };
}

export function isFailure(answer: object): answer is EtcdFailure {
  return 'problem' in answer;
}

export function loginRequest(user: string, password: string): string {
  return JSON.stringify({ name: user, password });
}

export function rangeRequest(key: string, keysOnly: boolean): string {
  return JSON.stringify({ key: base64(key), ...(keysOnly ? { keys_only: true } : {}) });
}

/** @param from first revision whose changes are told */
export function watchRequest(key: string, from: bigint): string {
  return JSON.stringify({ create_request: { key: base64(key), start_revision: String(from) } });
}

/** Writes the value if the key was last written at that revision; 0: if there is no such key. */
export function swapRequest(key: string, modRevision: bigint, value: Uint8Array): string {
  const compare = { key: base64(key), target: 'MOD', result: 'EQUAL', mod_revision: String(modRevision) };
  const put = { request_put: { key: base64(key), value: Buffer.from(value).toString('base64') } };
  return JSON.stringify({ compare: [compare], success: [put] });
}

export function readRange(text: string, key: string): RangeAnswer | EtcdFailure {
  const answer = readObject(text);
  const revision = revisionIn(answer);
  if (answer === undefined || revision === undefined) return MALFORMED;
  const kvs = answer.kvs ?? [];
  if (!Array.isArray(kvs) || kvs.length > 1) return MALFORMED;
  if (kvs.length === 0) return { revision, stored: undefined };
  const stored = readStored(kvs[0], key);
  return stored === undefined ? MALFORMED : { revision, stored };
}

/** What stands for the user from then on: printable, since it goes into a header. */
export function readLogin(text: string): string | EtcdFailure {
  const token = readObject(text)?.token;
  return typeof token === 'string' && /^[\x21-\x7e]{1,4096}$/.test(token) ? token : MALFORMED;
}

/** Whether the value was written. */
export function readSwap(text: string): boolean | EtcdFailure {
  const answer = readObject(text);
  if (answer === undefined || revisionIn(answer) === undefined) return MALFORMED;
  return answer.succeeded === true;
}

/** One line of a watch. Of several changes only the last one counts. */
export function readWatch(text: string, key: string): WatchAnswer | EtcdFailure {
  const line = readObject(text);
  if (line?.error !== undefined) return failure('refused', errorIn(line) ?? 'an error without a message');
  const result = asObject(line?.result);
  if (result?.canceled === true) return cancelled(result); // its header has no revision
  const revision = revisionIn(result);
  if (result === undefined || revision === undefined) return MALFORMED;
  if (result.created === true) return { is: 'created', revision };
  const events = result.events ?? [];
  if (!Array.isArray(events)) return MALFORMED;
  if (events.length === 0) return { is: 'nothing', revision };
  const event = asObject(events.at(-1));
  if (event?.type === 'DELETE') return { is: 'changed', revision, stored: undefined };
  const stored = readStored(event?.kv, key);
  return stored === undefined ? MALFORMED : { is: 'changed', revision, stored };
}

/** The message of an error, as a gateway of 3.4 or of a later one has it. */
export function errorIn(answer: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const { error, message } = answer ?? {};
  const inner = asObject(error)?.message;
  const found = [message, inner, error].find((text) => typeof text === 'string' && text !== '');
  return typeof found === 'string' ? shortened(found) : undefined;
}

/** Undefined: it is no JSON object. */
export function readObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined;
  }
}

const MALFORMED = failure('malformed', 'it answers something else than an etcd would');
const MAX_REVISION = 2n ** 63n - 1n;

function cancelled(result: Readonly<Record<string, unknown>>): EtcdFailure {
  if (int64(result.compact_revision) !== undefined)
    return failure('compacted', 'the changes since the last revision are compacted');
  const { cancel_reason: reason } = result;
  return failure('ended', typeof reason === 'string' && reason !== '' ? reason : 'it has ended the watch');
}

function readStored(kv: unknown, key: string): Stored | undefined {
  const { key: its, value = '', mod_revision: mod } = asObject(kv) ?? {};
  const modRevision = int64(mod);
  if (its !== base64(key) || typeof value !== 'string' || modRevision === undefined) return undefined;
  return { modRevision, value: new Uint8Array(Buffer.from(value, 'base64')) };
}

function revisionIn(answer: Readonly<Record<string, unknown>> | undefined): bigint | undefined {
  return int64(asObject(answer?.header)?.revision);
}

/** 1 … 2^63 - 1. */
function int64(value: unknown): bigint | undefined {
  if (typeof value !== 'string' || !/^[1-9]\d{0,18}$/.test(value)) return undefined;
  const number = BigInt(value);
  return number <= MAX_REVISION ? number : undefined;
}

function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
