/**
 * A `Punt` as 32-bit words in memory that two threads share: the number of its kind, its fields in the order of the type,
 * bytes behind their length and filled up to a whole word. Both ends are one program: nothing is checked here.
 *
 * An address is its family and four words; a MAC its halves (src/net); what may be undefined is one more than it is, or 0.
 */
import { type Mac, macFromHalves, macHigh, macLow } from '../../net/mac.js';
import type { StreamEvent } from '../engine.js';
import type { AddressWords, MessageSource, Punt } from './punt.js';

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

/** Kind and fields without bytes: those of a stream's event are the most. */
const MOST_HEAD_WORDS = 12;

/** Words that it takes at most. */
export function wordsOf(punt: Punt): number {
  return MOST_HEAD_WORDS + wordsOfBytes(bytesOf(punt));
}

function bytesOf(punt: Punt): number {
  if (punt.type === 'control') return punt.payload.length;
  return punt.type === 'handshake' ? punt.bytes.length : 0;
}

function wordsOfBytes(bytes: number): number {
  return (bytes + 3) >>> 2;
}

/** A place in words, which what is written or read moves on. */
export class WordCursor {
  at = 0;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(words: Int32Array) {
    this.#words = words;
    this.#bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  }

  put(word: number): void {
    this.#words[this.at++] = word;
  }

  putBytes(bytes: Uint8Array): void {
    this.put(bytes.length);
    this.#bytes.set(bytes, this.at * 4);
    this.at += wordsOfBytes(bytes.length);
  }

  /** Signed. */
  take(): number {
    return this.#words[this.at++] ?? 0;
  }

  /** A copy of them, in memory that is not shared. */
  takeBytes(): Uint8Array {
    const length = this.take();
    const bytes = new Uint8Array(length);
    bytes.set(this.#bytes.subarray(this.at * 4, this.at * 4 + length));
    this.at += wordsOfBytes(length);
    return bytes;
  }
}

export function encodePunt(punt: Punt, to: WordCursor): void {
  to.put(KINDS[punt.type]);
  switch (punt.type) {
    case 'handshake':
      to.putBytes(punt.bytes);
      putSource(punt.source, to);
      return;
    case 'stream':
      to.put(EVENTS.indexOf(punt.event));
      to.put(punt.stream);
      putSource(punt.source, to);
      to.put(punt.errno);
      return;
    case 'control':
      to.put(punt.peer);
      to.putBytes(punt.payload);
      putSource(punt.source, to);
      return;
    case 'sessionConfirmed':
      to.put(punt.peer);
      to.put(punt.session);
      return;
    case 'clientWanted':
      to.put(punt.peer);
      return;
    case 'want':
      to.put(punt.vnet);
      putAddress(punt.address, to);
      return;
    case 'redirect':
      to.put(punt.peer);
      to.put(punt.vnet);
      putAddress(punt.address, to);
      return;
    case 'sourceElsewhere':
      to.put(punt.lan);
      to.put(punt.vnet);
      putAddress(punt.address, to);
      putMac(punt.mac, to);
      return;
    case 'macElsewhere':
      to.put(punt.lan);
      to.put(punt.vnet);
      putMac(punt.mac, to);
      return;
    case 'unheardOf':
      to.put(punt.vnet);
      putAddress(punt.address, to);
      putMac(punt.mac, to);
  }
}

/** In each literal the fields are evaluated, and so read, from top to bottom. */
export function decodePunt(from: WordCursor): Punt {
  const kind = from.take();
  switch (kind) {
    case KINDS.handshake:
      return { type: 'handshake', bytes: from.takeBytes(), source: takeSource(from) };
    case KINDS.stream:
      return {
        type: 'stream',
        event: takeEvent(from),
        stream: from.take(),
        source: takeSource(from),
        errno: from.take(),
      };
    case KINDS.control:
      return {
        type: 'control',
        peer: from.take(),
        payload: from.takeBytes(),
        source: takeSource(from),
      };
    case KINDS.sessionConfirmed:
      return { type: 'sessionConfirmed', peer: from.take(), session: from.take() >>> 0 };
    case KINDS.clientWanted:
      return { type: 'clientWanted', peer: from.take() };
    case KINDS.want:
      return { type: 'want', vnet: from.take(), address: takeAddress(from) };
    case KINDS.redirect:
      return { type: 'redirect', peer: from.take(), vnet: from.take(), address: takeAddress(from) };
    case KINDS.sourceElsewhere:
      return {
        type: 'sourceElsewhere',
        lan: from.take(),
        vnet: from.take(),
        address: takeAddress(from),
        mac: takeMac(from),
      };
    case KINDS.macElsewhere:
      return { type: 'macElsewhere', lan: from.take(), vnet: from.take(), mac: takeMac(from) };
    case KINDS.unheardOf:
      return { type: 'unheardOf', vnet: from.take(), address: takeAddress(from), mac: takeMac(from) };
  }
  throw new Error(`${kind} is no kind of message to the control thread`);
}

function putAddress({ family, words }: AddressWords, to: WordCursor): void {
  to.put(family);
  for (const word of words) to.put(word);
}

function takeAddress(from: WordCursor): AddressWords {
  return {
    family: from.take() === 6 ? 6 : 4,
    words: [from.take(), from.take(), from.take(), from.take()],
  };
}

function putSource({ address, port, stream, relay }: MessageSource, to: WordCursor): void {
  putAddress(address, to);
  to.put(port);
  to.put(stream === undefined ? 0 : stream + 1);
  to.put(relay === undefined ? 0 : relay + 1);
}

function takeSource(from: WordCursor): MessageSource {
  return {
    address: takeAddress(from),
    port: from.take(),
    stream: takeOptional(from),
    relay: takeOptional(from),
  };
}

function takeOptional(from: WordCursor): number | undefined {
  const word = from.take();
  return word === 0 ? undefined : word - 1;
}

function putMac(mac: number, to: WordCursor): void {
  to.put(macHigh(mac as Mac));
  to.put(macLow(mac as Mac));
}

function takeMac(from: WordCursor): number {
  return macFromHalves(from.take(), from.take());
}

function takeEvent(from: WordCursor): keyof typeof StreamEvent {
  return EVENTS[from.take()] ?? 'closed';
}
