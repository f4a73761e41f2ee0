/**
 * Relay messages (docs/wire-notes.md): what one peer wants passed on to another, and what a relay has passed on to us.
 * A relay passes on sealed WireGuard messages only, only between routers of gndt.json that are both its peers, of a
 * bounded size and at a bounded rate for each sender; it cannot read them.
 */
import { Action, D, RELAY_HEADER_BYTES } from './engine.js';
import type { WorkerContext } from './worker-context.js';
import type { Relaying } from './worker-message.js';

const FORWARD = 0;
const FORWARDED = 1;
/** From the shortest WireGuard message (a keep-alive) to what a path of 9,000 bytes carries. */
const SHORTEST_BYTES = 32;
const LONGEST_BYTES = 9_000;
const TRANSPORT = 4;
/** For each sender: 1 Gbit/s, and a tenth of a second's worth at once. */
const BYTES_PER_MS = 125_000;
const BURST_BYTES = 12_500_000;

/** A token bucket for each peer. */
class RelayBudget {
  readonly #tokens = new Map<number, { bytes: number; atMs: number }>();

  take(peer: number, bytes: number, nowMs: number): boolean {
    const bucket = this.#tokens.get(peer) ?? { bytes: BURST_BYTES, atMs: nowMs };
    bucket.bytes = Math.min(BURST_BYTES, bucket.bytes + (nowMs - bucket.atMs) * BYTES_PER_MS);
    bucket.atMs = nowMs;
    this.#tokens.set(peer, bucket);
    if (bucket.bytes < bytes) return false;
    bucket.bytes -= bytes;
    return true;
  }
}

export class RelayForwarder {
  readonly #ctx: WorkerContext;
  readonly #relaying: Relaying;
  readonly #numberOf = new Map<number, number>();
  readonly #budget = new RelayBudget();

  constructor(context: WorkerContext) {
    this.#ctx = context;
    this.#relaying = context.input.relaying;
    for (const [number, { tagHigh, tagLow }] of this.#relaying.peers.entries())
      this.#numberOf.set(keyOf(tagHigh, tagLow), number);
  }

  /**
   * What descriptor `i` holds now: a `message` of another peer, to be decided over like any other; a `handshake`
   * message of another peer, behind the relay header; or nothing more to be done.
   */
  decide(i: number): 'message' | 'handshake' | 'done' {
    const ctx = this.#ctx;
    const at = ctx.word(i, D.offset);
    const length = ctx.word(i, D.length) - RELAY_HEADER_BYTES;
    const bytes = ctx.engine.packets;
    const other =
      length < SHORTEST_BYTES || length > LONGEST_BYTES ? undefined : this.#taggedAt(bytes, at + 4);
    const type = bytes[at + RELAY_HEADER_BYTES] ?? 0;
    if (other === undefined || type < 1 || type > TRANSPORT) {
      ctx.count('drop_relay_malformed');
      return 'done';
    }
    if (bytes[at + 1] === FORWARDED) return this.#take(i, other, type);
    if (bytes[at + 1] === FORWARD) this.#passOn(i, other, length);
    else ctx.count('drop_relay_malformed');
    return 'done';
  }

  #taggedAt(bytes: Uint8Array, at: number): number | undefined {
    const tagLow = word32(bytes, at + 4);
    const number = this.#numberOf.get(keyOf(word32(bytes, at), tagLow));
    return this.#relaying.peers[number ?? -1]?.tagLow === tagLow ? number : undefined;
  }

  #passOn(i: number, to: number, length: number): void {
    const ctx = this.#ctx;
    const from = ctx.word(i, D.from);
    const sender = this.#relaying.peers[from];
    if (!this.#relaying.isRelay || sender === undefined || to === from || to === ctx.input.selfPeer) {
      ctx.count('drop_relay_refused');
      return;
    }
    if (!this.#budget.take(from, length, ctx.nowMs())) {
      ctx.count('drop_relay_rate');
      return;
    }
    const bytes = ctx.engine.packets;
    const at = ctx.word(i, D.offset);
    bytes[at + 1] = FORWARDED;
    put32(bytes, at + 4, sender.tagHigh);
    put32(bytes, at + 8, sender.tagLow);
    ctx.setWord(i, D.length, RELAY_HEADER_BYTES + length);
    ctx.setWord(i, D.to, to);
    ctx.setWord(i, D.action, Action.message);
    ctx.count('relayed');
  }

  /** A message that came by way of `from`, said to be of peer `sender`: only what its own session proves is believed. */
  #take(i: number, sender: number, type: number): 'message' | 'handshake' | 'done' {
    const ctx = this.#ctx;
    const relay = ctx.word(i, D.from);
    if (this.#relaying.peers[relay]?.isRelay !== true || sender === relay) {
      ctx.count('drop_relay_refused');
      return 'done';
    }
    ctx.count('relayed_received');
    if (type !== TRANSPORT) {
      ctx.setWord(i, D.sourceRelay, relay + 1);
      return 'handshake';
    }
    if (!ctx.engine.openRelayed(i, RELAY_HEADER_BYTES)) return 'done';
    if (ctx.word(i, D.from) === sender) return 'message';
    ctx.count('drop_relay_refused');
    return 'done';
  }
}

/** As much of the tag as a number holds exactly. */
function keyOf(tagHigh: number, tagLow: number): number {
  return (tagHigh >>> 0) * 2 ** 21 + (tagLow >>> 11);
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
