/** An engine for decision tests: packets are put in by hand, and what `send` carries out is kept. No crypto, no wire. */
import { Action, D, DESCRIPTOR_WORDS, type Engine, Kind, SCRATCH_SLOTS } from '../../src/dataplane/engine.js';
import { type Mac, macFromHalves, macHigh, macLow } from '../../src/net/mac.js';

const SLOTS = 8;
const SLOT_BYTES = 4096;
const HEADROOM = 64;

export interface SentTunnel {
  readonly kind: 'tunnel';
  readonly peer: number;
  readonly vnet: number;
  readonly hops: number;
  readonly mtu: number;
  readonly packet: Buffer;
}
export interface SentLan {
  readonly kind: 'lan';
  readonly lan: number;
  readonly to: Mac;
  readonly packet: Buffer;
}

export interface SentMessage {
  readonly kind: 'message';
  readonly peer: number;
  readonly packet: Buffer;
}
/** To a WireGuard client. */
export interface SentBare {
  readonly kind: 'bare';
  readonly peer: number;
  readonly mtu: number;
  readonly packet: Buffer;
}
/** In answer to this handshake message. */
export interface SentCookie {
  readonly kind: 'cookie';
  readonly packet: Buffer;
}

export class MemoryEngine implements Engine {
  readonly slots = SLOTS;
  readonly slotBytes = SLOT_BYTES;
  readonly capacity = SLOTS;
  readonly packets = new Uint8Array((SLOTS + SCRATCH_SLOTS) * SLOT_BYTES);
  readonly descriptors = new Int32Array((SLOTS + SCRATCH_SLOTS) * DESCRIPTOR_WORDS);
  readonly sent: (SentTunnel | SentLan | SentBare | SentCookie | SentMessage)[] = [];

  scratchOffset(i: number): number {
    return (SLOTS + i) * SLOT_BYTES + HEADROOM;
  }

  /** What a relayed transport message opens to, and for which peer; undefined: it is not genuine. */
  relayed: { readonly peer: number; readonly payload: Uint8Array } | undefined;

  openRelayed(_i: number, _skip: number): boolean {
    const relay = this.descriptors[D.from] ?? 0;
    if (this.relayed === undefined) return false;
    this.#put(Kind.message, this.relayed.peer, this.relayed.payload);
    this.descriptors[D.sourceRelay] = relay + 1;
    return true;
  }

  receive(): number {
    return 0;
  }

  close(): void {}

  /** Fills slot 0 as `receive` would for a frame from a LAN. */
  putFrame(lan: number, from: Mac, packet: Uint8Array, to: Mac): void {
    this.#put(Kind.frame, lan, packet);
    this.descriptors[D.dstMacHigh] = macHigh(to);
    this.descriptors[D.dstMacLow] = macLow(to);
    this.descriptors[D.srcMacHigh] = macHigh(from);
    this.descriptors[D.srcMacLow] = macLow(from);
  }

  /** Fills slot 0 as `receive` would for a decrypted message. */
  putMessage(peer: number, payload: Uint8Array, sessionFlags = 0, session = 0): void {
    this.#put(Kind.message, peer, payload);
    this.descriptors[D.sessionFlags] = sessionFlags;
    this.descriptors[D.session] = session;
  }

  putHandshake(bytes: Uint8Array, address: number, port: number, isProven = false): void {
    this.#put(Kind.handshake, -1, bytes);
    this.descriptors[D.sessionFlags] = isProven ? 4 : 0;
    this.descriptors[D.sourceFamily] = 4;
    this.descriptors[D.sourceWord3] = address;
    this.descriptors[D.sourcePort] = port;
  }

  putStream(event: number, stream: number): void {
    this.#put(Kind.stream, 0, new Uint8Array(0));
    this.descriptors[D.session] = stream;
    this.descriptors[D.sessionFlags] = event;
  }

  #put(kind: number, from: number, packet: Uint8Array): void {
    this.descriptors.fill(0, 0, DESCRIPTOR_WORDS);
    this.packets.set(packet, HEADROOM);
    this.descriptors[D.offset] = HEADROOM;
    this.descriptors[D.length] = packet.length;
    this.descriptors[D.kind] = kind;
    this.descriptors[D.from] = from;
  }

  send(first: number, count: number): void {
    for (let i = first; i < first + count; i++) this.#sendOne(i * DESCRIPTOR_WORDS);
  }

  #sendOne(at: number): void {
    const word = (field: number): number => this.descriptors[at + field] ?? 0;
    const offset = word(D.offset);
    const packet = Buffer.from(this.packets.slice(offset, offset + word(D.length)));
    if (word(D.action) === Action.tunnel) {
      const [peer, vnet, hops, mtu] = [word(D.to), word(D.vnet), word(D.hops), word(D.mtu)];
      this.sent.push({ kind: 'tunnel', peer, vnet, hops, mtu, packet });
    } else if (word(D.action) === Action.message) {
      this.sent.push({ kind: 'message', peer: word(D.to), packet });
    } else if (word(D.action) === Action.bare) {
      this.sent.push({ kind: 'bare', peer: word(D.to), mtu: word(D.mtu), packet });
    } else if (word(D.action) === Action.cookie) {
      this.sent.push({ kind: 'cookie', packet });
    } else if (word(D.action) === Action.lan) {
      const to = macFromHalves(word(D.outMacHigh), word(D.outMacLow));
      this.sent.push({ kind: 'lan', lan: word(D.to), to, packet });
    }
  }
}
