/**
 * Claims read without protobufjs, in a third of the time (see `claim-writer`): those that are written as that does it, each
 * field once and in the order of the numbers, and that have nothing in them which `from-wire` refuses. For all others, and
 * for what is to be said about them, there is the general way; what is read here it would have read alike (a test compares
 * the two over thousands of mutated claims).
 */
import { Ip } from '../net/ip.js';
import { isGroupMac, type Mac, readMac, ZERO_MAC } from '../net/mac.js';
import type { MoveTrigger, NodeRecord } from '../tables/model.js';
import { MAX_SEQUENCE, MAX_STAMP } from '../tables/record.js';
import { MAX_ELEMENTS, MAX_ID, MAX_SINCE_DETECTION_US } from './constants.js';
import { knownId } from './field-reader.js';
import type { ClaimMessage, MoveClaim } from './table-message.js';
import { MOVE_TRIGGER, NODE_STATE_NUMBER } from './words.js';

const MAX_VNET = 65_535;
const MAC_BYTES = 6;
/** A power of two. */
const ADDRESSES = 256;
/** Of a number that may be: what is longer is not read on. 56 bits are more than any field may have. */
const MOST_VARINT_BYTES = 8;

/** Tags of one byte: field number and wire type. */
const number = (field: number): number => field * 8;
const delimited = (field: number): number => field * 8 + 2;

export class ClaimReader {
  /** Addresses that were read last: nodes that move, move again, and what tables know them by need not be made anew. */
  readonly #addresses: Ip[] = Array.from({ length: ADDRESSES }, () => Ip.v4(0));
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** It is no such claim: what is read from now on means nothing. */
  #failed = false;

  /** @param bytes of the message `Claim` */
  read(bytes: Uint8Array): ClaimMessage | undefined {
    this.#bytes = bytes;
    this.#at = 0;
    this.#failed = false;
    const claimId = this.#number(number(1), 0, MAX_ID);
    const moves: MoveClaim[] = [];
    while (!this.#failed && this.#is(delimited(2))) moves.push(this.#move(this.#end()));
    if (this.#failed || this.#at !== bytes.length || moves.length > MAX_ELEMENTS) return undefined;
    return { type: 'claim', claimId, moves };
  }

  #move(end: number): MoveClaim {
    const vnet = this.#number(number(1), 1, MAX_VNET);
    const mac = this.#mac(delimited(2));
    const records: NodeRecord[] = [];
    while (!this.#failed && this.#is(delimited(3))) records.push(this.#record(this.#end(), vnet, mac));
    if (records.length > MAX_ELEMENTS) this.#failed = true;
    const announced = MOVE_TRIGGER.get(this.#number(number(4), 1, MAX_VNET));
    const sinceDetectionUs = this.#number(number(5), 0, MAX_SINCE_DETECTION_US);
    const objection = this.#flag(number(6));
    const against = objection && this.#bytes[this.#at] === delimited(7) ? this.#id(delimited(7)) : undefined;
    const trigger: MoveTrigger | undefined = this.#flag(number(8)) ? 'search' : announced;
    if (announced === undefined || this.#at !== end) this.#failed = true;
    const move: MoveClaim = { vnet, mac, records, trigger: trigger ?? 'operator', sinceDetectionUs };
    return objection ? { ...move, objection, ...(against !== undefined && { against }) } : move;
  }

  /** Of the move's vnet and MAC, and here. */
  #record(end: number, vnet: number, mac: Mac): NodeRecord {
    if (this.#number(number(1), 1, MAX_VNET) !== vnet) this.#failed = true;
    const ip = this.#ip(delimited(2));
    if (this.#mac(delimited(3)) !== mac) this.#failed = true;
    const router = this.#id(delimited(4));
    const seq = this.#number(number(5), 1, MAX_SEQUENCE);
    if (this.#number(number(6), 1, MAX_VNET) !== NODE_STATE_NUMBER.here) this.#failed = true;
    const stamp = this.#number(number(7), 1, MAX_STAMP);
    const frozen = this.#flag(number(8));
    if (this.#at !== end) this.#failed = true;
    const record: NodeRecord = { vnet, ip, mac, router, seq, state: 'here', stamp };
    return frozen ? { ...record, frozen } : record;
  }

  #ip(tag: number): Ip {
    const end = this.#is(tag) ? this.#end() : this.#at;
    const length = end - this.#at;
    if (length !== 4 && length !== 16) this.#failed = true;
    const ip = Ip.read(length === 4 ? 4 : 6, this.#bytes, this.#at);
    if (!ip.isNodeAddress) this.#failed = true;
    this.#at = end;
    const place = (ip.w1 ^ ip.w2 ^ ip.w3 ^ (ip.w3 >>> 8)) & (ADDRESSES - 1);
    const known = this.#addresses[place];
    if (known?.equals(ip) === true) return known;
    this.#addresses[place] = ip;
    return ip;
  }

  #mac(tag: number): Mac {
    if (!this.#is(tag) || this.#bytes[this.#at++] !== MAC_BYTES) this.#failed = true;
    const mac = readMac(this.#bytes, this.#at);
    if (mac === ZERO_MAC || isGroupMac(mac)) this.#failed = true;
    this.#at += MAC_BYTES;
    return mac;
  }

  /** A router's. */
  #id(tag: number): string {
    const end = this.#is(tag) ? this.#end() : this.#at;
    let text = '';
    while (this.#at < end) text += String.fromCharCode(this.#bytes[this.#at++] ?? 0);
    const id = knownId(text);
    if (id === undefined) this.#failed = true;
    return id ?? '';
  }

  #flag(tag: number): true | undefined {
    if (!this.#is(tag)) return undefined;
    if (this.#bytes[this.#at++] !== 1) this.#failed = true;
    return true;
  }

  /** Not there: 0. */
  #number(tag: number, min: number, max: number): number {
    const value = this.#is(tag) ? this.#varint() : 0;
    if (value < min || value > max) this.#failed = true;
    return value;
  }

  #varint(): number {
    let value = 0;
    let scale = 1;
    for (let n = 0; n < MOST_VARINT_BYTES; n++) {
      const byte = this.#bytes[this.#at++] ?? 0x80;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    this.#failed = true;
    return 0;
  }

  /** Where what follows ends: its length comes first. */
  #end(): number {
    const length = this.#varint();
    if (this.#at + length > this.#bytes.length) this.#failed = true;
    return this.#failed ? this.#at : this.#at + length;
  }

  #is(tag: number): boolean {
    if (this.#bytes[this.#at] !== tag) return false;
    this.#at++;
    return true;
  }
}
