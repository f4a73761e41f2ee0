/**
 * What the relaying of messages needs to know of gndt.json, in memory that the packet workers read: for each peer
 * number a router's tag (the first 8 bytes of its public key), and whether it passes messages on.
 *
 *   version | tag high, tag low, flags | …
 *
 * One writer; the version rises with each change. A reader that sees half a change refuses or misses a message at most.
 */
const WORDS = 3;

export const RelayFlag = { router: 1, relay: 2 } as const;

export interface RelayEntry {
  readonly peer: number;
  /** 8 bytes. */
  readonly tag: Uint8Array;
  readonly isRelay: boolean;
}

export class RelayTable {
  readonly #words: Int32Array;
  readonly #numberOf = new Map<number, number>();
  #version = -1;

  private constructor(readonly memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** @param peers how many peer numbers there are */
  static create(peers: number): RelayTable {
    return new RelayTable(new SharedArrayBuffer(4 * (1 + WORDS * peers)));
  }

  static attach(memory: SharedArrayBuffer): RelayTable {
    return new RelayTable(memory);
  }

  /** Replaces everything. */
  set(entries: readonly RelayEntry[]): void {
    this.#words.fill(0, 1);
    for (const { peer, tag, isRelay } of entries) {
      const at = 1 + WORDS * peer;
      this.#words[at] = word32(tag, 0);
      this.#words[at + 1] = word32(tag, 4);
      this.#words[at + 2] = RelayFlag.router | (isRelay ? RelayFlag.relay : 0);
    }
    Atomics.add(this.#words, 0, 1);
  }

  /** Undefined when no router has the tag at `bytes[at …]`. */
  numberOf(bytes: Uint8Array, at: number): number | undefined {
    this.#refresh();
    const [high, low] = [word32(bytes, at), word32(bytes, at + 4)];
    const number = this.#numberOf.get(keyOf(high, low)) ?? -1;
    return number >= 0 && this.#words[2 + WORDS * number] === low ? number : undefined;
  }

  isRouter(peer: number): boolean {
    return ((this.#words[3 + WORDS * peer] ?? 0) & RelayFlag.router) !== 0;
  }

  isRelay(peer: number): boolean {
    return ((this.#words[3 + WORDS * peer] ?? 0) & RelayFlag.relay) !== 0;
  }

  writeTag(peer: number, bytes: Uint8Array, at: number): void {
    put32(bytes, at, this.#words[1 + WORDS * peer] ?? 0);
    put32(bytes, at + 4, this.#words[2 + WORDS * peer] ?? 0);
  }

  #refresh(): void {
    const version = Atomics.load(this.#words, 0);
    if (version === this.#version) return;
    this.#version = version;
    this.#numberOf.clear();
    for (let peer = 0; 3 + WORDS * peer < this.#words.length; peer++) {
      if (!this.isRouter(peer)) continue;
      const at = 1 + WORDS * peer;
      this.#numberOf.set(keyOf(this.#words[at] ?? 0, this.#words[at + 1] ?? 0), peer);
    }
  }
}

/** As much of the tag as a number holds exactly. */
function keyOf(high: number, low: number): number {
  return (high >>> 0) * 2 ** 21 + (low >>> 11);
}

function word32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)
  );
}

function put32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = (value >>> 16) & 0xff;
  bytes[at + 2] = (value >>> 8) & 0xff;
  bytes[at + 3] = value & 0xff;
}
