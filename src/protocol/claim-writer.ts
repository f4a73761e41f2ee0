/**
 * Envelopes with a claim, written without protobufjs: byte for byte what that writes (a test compares them), in a third of
 * the time. A claim is rare, so all the code that it needs has to be fetched from memory first, and a node waits meanwhile.
 *
 * Written from the end to the beginning: the length of what is inside a field is known when the field's head is written.
 */
import { writeMac } from '../net/mac.js';
import type { NodeRecord } from '../tables/model.js';
import { MAX_SINCE_DETECTION_US } from './constants.js';
import type { Envelope } from './envelope.js';
import type { ClaimMessage, MoveClaim } from './table-message.js';
import { MOVE_TRIGGER_NUMBER, NODE_STATE_NUMBER } from './words.js';

const CAPACITY_BYTES = 4_096;
/** Ids have up to 63 bytes (`NAME`); seven numbers of up to 9 bytes, addresses, tags and lengths. */
const MOST_OF_A_RECORD = 192;
const MOST_OF_A_MOVE = 192;
const MOST_OF_THE_REST = 512;
const MOST_ACKS = 32;
const MAC_BYTES = 6;

const VARINT = 0;
const LENGTH_DELIMITED = 2;
/** Of `Envelope.claim`. */
const CLAIM_FIELD = 25;

export class ClaimWriter {
  readonly #bytes = new Uint8Array(CAPACITY_BYTES);
  #at = 0;

  /**
   * The payload: the first byte, and the envelope. Undefined: there is more in it than a claim of a node or a few has;
   * protobufjs writes that.
   */
  write(firstByte: number, envelope: Envelope, claim: ClaimMessage): Uint8Array | undefined {
    if (!fits(envelope, claim)) return undefined;
    this.#at = CAPACITY_BYTES;
    this.#claim(claim);
    const { id, acks, epoch, ackEpoch, oldest } = envelope;
    this.#number(5, oldest);
    this.#number(4, ackEpoch);
    this.#number(3, epoch);
    if (acks.length > 0) this.#acks(acks);
    this.#number(1, id);
    this.#bytes[--this.#at] = firstByte;
    return this.#bytes.slice(this.#at);
  }

  #acks(acks: readonly number[]): void {
    const end = this.#at;
    for (let i = acks.length - 1; i >= 0; i--) this.#varint(acks[i] ?? 0);
    this.#head(2, end);
  }

  #claim({ claimId, moves }: ClaimMessage): void {
    const end = this.#at;
    for (let i = moves.length - 1; i >= 0; i--) {
      const move = moves[i];
      if (move !== undefined) this.#move(move);
    }
    this.#number(1, claimId);
    this.#head(CLAIM_FIELD, end);
  }

  #move({ vnet, mac, records, trigger, sinceDetectionUs, objection, against }: MoveClaim): void {
    const end = this.#at;
    if (trigger === 'search') this.#number(8, 1);
    if (objection === true && against !== undefined) this.#text(7, against);
    if (objection === true) this.#number(6, 1);
    this.#number(5, Math.min(MAX_SINCE_DETECTION_US, Math.max(0, Math.round(sinceDetectionUs))));
    this.#number(4, MOVE_TRIGGER_NUMBER[trigger]);
    for (let i = records.length - 1; i >= 0; i--) {
      const record = records[i];
      if (record !== undefined) this.#record(record);
    }
    this.#mac(2, mac);
    this.#number(1, vnet);
    this.#head(2, end);
  }

  #record({ vnet, ip, mac, router, seq, state, stamp, frozen }: NodeRecord): void {
    const end = this.#at;
    this.#number(8, frozen === true ? 1 : 0);
    this.#number(7, stamp);
    this.#number(6, NODE_STATE_NUMBER[state]);
    this.#number(5, seq);
    this.#text(4, router);
    this.#mac(3, mac);
    const addressEnd = this.#at;
    const address = ip.toBytes();
    this.#at -= address.length;
    this.#bytes.set(address, this.#at);
    this.#head(2, addressEnd);
    this.#number(1, vnet);
    this.#head(3, end);
  }

  #mac(field: number, mac: NodeRecord['mac']): void {
    const end = this.#at;
    this.#at -= MAC_BYTES;
    writeMac(mac, this.#bytes, this.#at);
    this.#head(field, end);
  }

  /** ASCII (see `fits`). */
  #text(field: number, text: string): void {
    const end = this.#at;
    this.#at -= text.length;
    for (let i = 0; i < text.length; i++) this.#bytes[this.#at + i] = text.charCodeAt(i);
    this.#head(field, end);
  }

  /** What is 0 is not written (proto3). */
  #number(field: number, value: number): void {
    if (value === 0) return;
    this.#varint(value);
    this.#varint(field * 8 + VARINT);
  }

  /** Of what has been written since, up to `end`. */
  #head(field: number, end: number): void {
    this.#varint(end - this.#at);
    this.#varint(field * 8 + LENGTH_DELIMITED);
  }

  /** A whole number up to 2^53. */
  #varint(value: number): void {
    let length = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
    this.#at -= length;
    let rest = value;
    for (let at = this.#at; at < this.#at + length - 1; at++) {
      this.#bytes[at] = (rest % 0x80) + 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#at + length - 1] = rest;
  }
}

/** Is there room, and no id that needs more than a byte for a letter? */
function fits({ acks }: Envelope, { moves }: ClaimMessage): boolean {
  if (acks.length > MOST_ACKS) return false;
  let most = MOST_OF_THE_REST;
  for (const { records, against } of moves) {
    most += MOST_OF_A_MOVE + records.length * MOST_OF_A_RECORD;
    if (against !== undefined && !isPlain(against)) return false;
    for (const { router } of records) if (!isPlain(router)) return false;
  }
  return most <= CAPACITY_BYTES;
}

function isPlain(id: string): boolean {
  if (id.length > 63) return false;
  for (let i = 0; i < id.length; i++) if (id.charCodeAt(i) >= 0x80) return false;
  return true;
}
