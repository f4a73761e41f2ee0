/**
 * A `Punt` as 32-bit words in memory that two threads share: a head with a place for every field that there is, and bytes
 * behind it, filled up to a whole word. Both ends are one program: nothing is checked here.
 *
 * It runs once in a while, in a thread that has done other things since: what it costs is the number of functions and of
 * lines of memory that have to be fetched, so there are few of both.
 */
import { type Mac, macFromHalves, macHigh, macLow } from '../../net/mac.js';
import type { StreamEvent } from '../engine.js';
import type { AddressWords, MessageSource, Punt } from './punt.js';

/** Places in the head. */
const KIND = 0;
/** Numbers of the kind, in the order of its type. */
const FIRST = 1;
const SECOND = 2;
const THIRD = 3;
const MAC_HIGH = 4;
const MAC_LOW = 5;
const FAMILY = 6;
const ADDRESS = 7;
const PORT = 11;
/** One more than it is; 0: none. */
const STREAM = 12;
const RELAY = 13;
const BYTES = 14;
const HEAD_WORDS = 16;

/** Never 0, by which a ring says something else (`PuntWriter`). */
const KINDS = {
  handshake: 1,
  stream: 2,
  control: 3,
  sessionConfirmed: 4,
  clientWanted: 5,
  want: 6,
  redirect: 7,
  sourceElsewhere: 8,
  macElsewhere: 9,
  unheardOf: 10,
} as const satisfies Record<Punt['type'], number>;
const EVENTS = ['connected', 'accepted', 'closed'] as const satisfies readonly (keyof typeof StreamEvent)[];

/** The same memory in two ways. */
export interface PuntMemory {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
}

/** Words that it takes. */
export function wordsOf(punt: Punt): number {
  if (punt.type === 'control') return wordsFor(punt.payload.length);
  return punt.type === 'handshake' ? wordsFor(punt.bytes.length) : HEAD_WORDS;
}

function wordsFor(bytes: number): number {
  return HEAD_WORDS + ((bytes + 3) >>> 2);
}

/** Words that the message at this place takes. */
export function wordsAt({ words }: PuntMemory, at: number): number {
  const kind = words[at];
  const hasBytes = kind === KINDS.control || kind === KINDS.handshake;
  return hasBytes ? wordsFor(words[at + BYTES] ?? 0) : HEAD_WORDS;
}

/** @param at the word where it begins; `wordsOf` it are needed */
export function encodePunt(punt: Punt, memory: PuntMemory, at: number): void {
  const { words } = memory;
  words[at + KIND] = KINDS[punt.type];
  switch (punt.type) {
    case 'handshake':
      putSource(punt.source, punt.bytes, memory, at);
      return;
    case 'stream':
      words[at + FIRST] = EVENTS.indexOf(punt.event);
      words[at + SECOND] = punt.stream;
      words[at + THIRD] = punt.errno;
      putSource(punt.source, undefined, memory, at);
      return;
    case 'control':
      words[at + FIRST] = punt.peer;
      putSource(punt.source, punt.payload, memory, at);
      return;
    case 'sessionConfirmed':
      words[at + FIRST] = punt.peer;
      words[at + SECOND] = punt.session;
      return;
    case 'clientWanted':
      words[at + FIRST] = punt.peer;
      return;
    case 'want':
      words[at + FIRST] = punt.vnet;
      putAddress(punt.address, words, at);
      return;
    case 'redirect':
      words[at + FIRST] = punt.peer;
      words[at + SECOND] = punt.vnet;
      putAddress(punt.address, words, at);
      return;
    case 'sourceElsewhere':
      words[at + FIRST] = punt.lan;
      words[at + SECOND] = punt.vnet;
      putAddress(punt.address, words, at);
      putMac(punt.mac, words, at);
      return;
    case 'macElsewhere':
      words[at + FIRST] = punt.lan;
      words[at + SECOND] = punt.vnet;
      putMac(punt.mac, words, at);
      return;
    case 'unheardOf':
      words[at + FIRST] = punt.vnet;
      putAddress(punt.address, words, at);
      putMac(punt.mac, words, at);
  }
}

/** A message of the reader's own: its bytes are a copy. */
export function decodePunt(memory: PuntMemory, at: number): Punt {
  const { words } = memory;
  const kind = words[at + KIND];
  const first = words[at + FIRST] ?? 0;
  const second = words[at + SECOND] ?? 0;
  switch (kind) {
    case KINDS.handshake:
      return { type: 'handshake', bytes: bytesAt(memory, at), source: sourceAt(words, at) };
    case KINDS.stream: {
      const event = EVENTS[first] ?? 'closed';
      const errno = words[at + THIRD] ?? 0;
      return { type: 'stream', event, stream: second, source: sourceAt(words, at), errno };
    }
    case KINDS.control:
      return { type: 'control', peer: first, payload: bytesAt(memory, at), source: sourceAt(words, at) };
    case KINDS.sessionConfirmed:
      return { type: 'sessionConfirmed', peer: first, session: second >>> 0 };
    case KINDS.clientWanted:
      return { type: 'clientWanted', peer: first };
    case KINDS.want:
      return { type: 'want', vnet: first, address: addressAt(words, at) };
    case KINDS.redirect:
      return { type: 'redirect', peer: first, vnet: second, address: addressAt(words, at) };
    case KINDS.sourceElsewhere: {
      const address = addressAt(words, at);
      return { type: 'sourceElsewhere', lan: first, vnet: second, address, mac: macAt(words, at) };
    }
    case KINDS.macElsewhere:
      return { type: 'macElsewhere', lan: first, vnet: second, mac: macAt(words, at) };
    case KINDS.unheardOf:
      return { type: 'unheardOf', vnet: first, address: addressAt(words, at), mac: macAt(words, at) };
  }
  throw new Error(`${kind} is no kind of message to the control thread`);
}

function putSource(
  { address, port, stream, relay }: MessageSource,
  payload: Uint8Array | undefined,
  { words, bytes }: PuntMemory,
  at: number,
): void {
  putAddress(address, words, at);
  words[at + PORT] = port;
  words[at + STREAM] = stream === undefined ? 0 : stream + 1;
  words[at + RELAY] = relay === undefined ? 0 : relay + 1;
  if (payload === undefined) return;
  words[at + BYTES] = payload.length;
  bytes.set(payload, 4 * (at + HEAD_WORDS));
}

function sourceAt(words: Int32Array, at: number): MessageSource {
  const stream = words[at + STREAM] ?? 0;
  const relay = words[at + RELAY] ?? 0;
  return {
    address: addressAt(words, at),
    port: words[at + PORT] ?? 0,
    stream: stream === 0 ? undefined : stream - 1,
    relay: relay === 0 ? undefined : relay - 1,
  };
}

function putAddress({ family, words: address }: AddressWords, words: Int32Array, at: number): void {
  words[at + FAMILY] = family;
  words[at + ADDRESS] = address[0];
  words[at + ADDRESS + 1] = address[1];
  words[at + ADDRESS + 2] = address[2];
  words[at + ADDRESS + 3] = address[3];
}

function addressAt(words: Int32Array, at: number): AddressWords {
  const from = at + ADDRESS;
  return {
    family: words[at + FAMILY] === 6 ? 6 : 4,
    words: [words[from] ?? 0, words[from + 1] ?? 0, words[from + 2] ?? 0, words[from + 3] ?? 0],
  };
}

function putMac(mac: number, words: Int32Array, at: number): void {
  words[at + MAC_HIGH] = macHigh(mac as Mac);
  words[at + MAC_LOW] = macLow(mac as Mac);
}

function macAt(words: Int32Array, at: number): number {
  return macFromHalves(words[at + MAC_HIGH] ?? 0, words[at + MAC_LOW] ?? 0);
}

function bytesAt({ words, bytes }: PuntMemory, at: number): Uint8Array {
  const from = 4 * (at + HEAD_WORDS);
  return new Uint8Array(bytes.subarray(from, from + (words[at + BYTES] ?? 0)));
}
