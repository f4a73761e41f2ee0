/**
 * QEMU's migration stream (precopy), version 3, piece by piece. Pure: bytes in, tokens out.
 *
 * The tokens' bytes, put together, are the bytes that were pushed, whatever those are: from the first thing that is not known
 * the rest is passed on as it is, since sections carry no length. A stream that is misunderstood loses savings, never a byte.
 */
import {
  COMMAND,
  CONFIGURATION,
  FOOTER,
  isMultifd,
  isTls,
  machineType,
  readCommand,
  readConfiguration,
  readMagic,
  readSectionStart,
  readSubsection,
  SECTION_END,
  SECTION_PART,
  SECTION_START,
  SUBSECTION,
} from './head.js';
import { type Item, MORE, type Reading, Unknown, u32 } from './item.js';
import { pagesOf, readPacket } from './multifd.js';
import { type RamLayout, readRam } from './ram.js';
import { PAGE_BYTES, type Phase, type Speaker, type Token, type TokenKind } from './token.js';

/** More than a page with its header. */
const REST_BYTES = 8192;
const LEAST_PAGE_BITS = 10;
const MOST_PAGE_BITS = 16;

/**
 * Where the parser is. `configured`: behind the configuration, where its subsections may stand; `packet`: where one of multifd begins, or one
 * of its pages.
 */
type Place = 'magic' | 'configured' | 'between' | 'ram' | 'page' | 'package' | 'packet' | 'passing';

export class StreamParser {
  #place: Place = 'magic';
  #phase: Phase = 'running';
  #speaker: Speaker | undefined;
  #layout: RamLayout = { pageBytes: PAGE_BYTES, ignoreShared: false };
  #ramSection: number | undefined;
  #machine: string | undefined;
  #passedBecause: string | undefined;
  /** Of multifd's packet, that are still to come. */
  #packetPages = 0;
  /** Of the package that is passed on. */
  #packageBytes = 0;
  /** The beginning of an item whose rest has not come yet, with room behind it: what comes in tiny pieces is not copied with each. */
  #held = Buffer.alloc(0);
  #heldLength = 0;
  /** So much of what is held has been given out already, by `release`. */
  #released = 0;
  #tokens: Token[] = [];
  readonly #counts = new Map<TokenKind, number>();

  /** Undefined until the first bytes have told. */
  get speaker(): Speaker | undefined {
    return this.#speaker;
  }

  get phase(): Phase {
    return this.#phase;
  }

  get machine(): string | undefined {
    return this.#machine;
  }

  /** What stood where the parser stopped looking; for people. */
  get passedBecause(): string | undefined {
    return this.#passedBecause;
  }

  /** Items so far, by kind. */
  get counts(): ReadonlyMap<TokenKind, number> {
    return this.#counts;
  }

  /** How many bytes wait for the rest of their item, and were not given out. */
  get heldBytes(): number {
    return this.#heldLength - this.#released;
  }

  /** The items that are complete with `chunk`. */
  push(chunk: Uint8Array): readonly Token[] {
    if (this.#heldLength > 0) this.#behindHeld(chunk);
    else this.#hold(chunk, this.#readAll(chunk));
    return this.#taken();
  }

  /** Of a large chunk only the beginning is copied to what is held: the rest of nearly every item. */
  #behindHeld(chunk: Uint8Array): void {
    const heldBefore = this.#heldLength;
    let bytes = this.#append(chunk.subarray(0, REST_BYTES));
    let at = this.#readAll(bytes);
    if (at >= heldBefore) {
      const rest = chunk.subarray(at - heldBefore);
      this.#hold(rest, this.#readAll(rest));
      return;
    }
    if (chunk.length > REST_BYTES) {
      bytes = this.#append(chunk.subarray(REST_BYTES));
      at += this.#readAll(bytes.subarray(at));
    }
    if (at > 0) this.#hold(bytes, at);
  }

  /** Gives the items that are all there; answers where the next one begins. */
  #readAll(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length) {
      const rest = bytes.subarray(at);
      const item = this.#read(rest);
      if (item === MORE) break;
      this.#give(item.kind, rest.subarray(0, item.bytes));
      at += item.bytes;
    }
    return at;
  }

  /** A copy: what is held should not keep a large chunk alive, nor is the tokens' memory written to. */
  #hold(bytes: Uint8Array, at: number): void {
    this.#held = Buffer.from(bytes.subarray(at));
    this.#heldLength = this.#held.length;
  }

  #append(chunk: Uint8Array): Uint8Array {
    const length = this.#heldLength + chunk.length;
    if (length > this.#held.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, 2 * this.#held.length));
      larger.set(this.#held.subarray(0, this.#heldLength));
      this.#held = larger;
    }
    this.#held.set(chunk, this.#heldLength);
    this.#heldLength = length;
    return this.#held.subarray(0, length);
  }

  /**
   * What is held, although its item is not complete: nothing may wait here for bytes that the source sends only when it has been
   * answered. The item's rest will come as `verbatim`.
   */
  release(): readonly Token[] {
    if (this.heldBytes === 0) return [];
    this.#tokens.push({ kind: 'verbatim', bytes: this.#held.subarray(this.#released, this.#heldLength) });
    this.#released = this.#heldLength;
    return this.#taken();
  }

  #taken(): readonly Token[] {
    const tokens = this.#tokens;
    this.#tokens = [];
    return tokens;
  }

  #give(kind: TokenKind, bytes: Uint8Array): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    const isWhole = this.#released === 0;
    // `released` is less than the item: what is held is always incomplete. Only for what is passed on it may be all.
    const rest = bytes.subarray(this.#released);
    this.#released = 0;
    if (rest.length > 0) this.#tokens.push({ kind: isWhole ? kind : 'verbatim', bytes: rest });
  }

  /** One item that is all there, and the step behind it. */
  #read(bytes: Uint8Array): Item | typeof MORE {
    const reading = this.#at(bytes);
    if (reading instanceof Unknown) return this.#pass(reading, bytes);
    if (reading === MORE || reading.bytes > bytes.length) return MORE;
    this.#step(reading, bytes);
    return reading;
  }

  #at(bytes: Uint8Array): Reading {
    switch (this.#place) {
      case 'magic':
        return readMagic(bytes);
      case 'configured':
      case 'between':
        return this.#atTop(bytes);
      case 'ram':
        return readRam(bytes, this.#layout);
      case 'page':
        return {
          kind: this.#layout.pageBytes === PAGE_BYTES ? 'page' : 'verbatim',
          bytes: this.#layout.pageBytes,
        };
      case 'package':
        return { kind: 'verbatim', bytes: Math.min(this.#packageBytes, bytes.length) };
      case 'packet':
        return this.#packetPages === 0 ? readPacket(bytes) : { kind: 'page', bytes: PAGE_BYTES };
      case 'passing':
        return { kind: 'verbatim', bytes: bytes.length };
    }
  }

  #atTop(bytes: Uint8Array): Reading {
    switch (bytes[0]) {
      case CONFIGURATION:
        return readConfiguration(bytes);
      case SUBSECTION:
        return this.#place === 'configured' ? readSubsection(bytes).reading : new Unknown('subsection');
      case SECTION_START:
        return readSectionStart(bytes);
      case SECTION_PART:
        return this.#section(bytes, 'section-part');
      case SECTION_END:
        return this.#section(bytes, 'section-end');
      case FOOTER:
        return { kind: 'footer', bytes: 5 };
      case COMMAND:
        return readCommand(bytes).reading;
      default:
        return new Unknown(bytes[0] === 4 ? 'device state' : `section of type ${bytes[0]}`);
    }
  }

  #section(bytes: Uint8Array, kind: TokenKind): Reading {
    if (bytes.length < 5) return MORE;
    return u32(bytes, 1) === this.#ramSection
      ? { kind, bytes: 5 }
      : new Unknown(`a part of section ${u32(bytes, 1)}`);
  }

  #step(item: Item, bytes: Uint8Array): void {
    switch (item.kind) {
      case 'magic':
        this.#speaker = 'qemu';
        this.#place = 'between';
        return;
      case 'configuration':
        this.#configured(bytes.subarray(0, item.bytes));
        return;
      case 'section-start':
        this.#ramSection = u32(bytes, 1);
        this.#place = 'ram';
        return;
      case 'section-end':
        this.#phase = 'stopped';
        this.#place = 'ram';
        return;
      case 'section-part':
        this.#place = 'ram';
        return;
      case 'command':
        this.#packageBytes = readCommand(bytes).packagedBytes;
        this.#place = this.#packageBytes > 0 ? 'package' : 'between';
        return;
      case 'verbatim':
        this.#afterVerbatim(item.bytes);
        return;
      case 'page-header':
        this.#place = 'page';
        return;
      case 'page':
        if (this.#place === 'packet') this.#packetPages--;
        else this.#place = 'ram';
        return;
      case 'multifd-hello':
        this.#speaker = 'multifd';
        this.#place = 'packet';
        return;
      case 'multifd-packet':
        this.#packetPages = pagesOf(bytes);
        return;
      case 'part-end':
      case 'footer':
        this.#place = 'between';
    }
  }

  #afterVerbatim(length: number): void {
    if (this.#place === 'page') this.#place = 'ram';
    if (this.#place !== 'package') return;
    this.#packageBytes -= length;
    if (this.#packageBytes === 0) this.#place = 'between';
  }

  #configured(bytes: Uint8Array): void {
    this.#place = 'configured';
    if (bytes[0] === CONFIGURATION) {
      this.#machine = machineType(bytes);
      return;
    }
    const { targetPageBits: bits, capabilities } = readSubsection(bytes).says;
    if (bits !== undefined && bits >= LEAST_PAGE_BITS && bits <= MOST_PAGE_BITS)
      this.#layout = { ...this.#layout, pageBytes: 2 ** bits };
    if (capabilities?.includes('x-ignore-shared')) this.#layout = { ...this.#layout, ignoreShared: true };
  }

  /** From here on nothing is looked at. */
  #pass(unknown: Unknown, bytes: Uint8Array): Item {
    if (this.#place === 'magic')
      this.#speaker = isTls(bytes) ? 'tls' : bytes.length >= 4 && isMultifd(bytes) ? 'multifd' : 'unknown';
    this.#passedBecause = unknown.reason;
    // Behind the memory's last part comes the state of the devices: the guest stands still.
    if (this.#phase === 'running') this.#phase = 'passing';
    this.#place = 'passing';
    return { kind: 'verbatim', bytes: bytes.length };
  }
}
