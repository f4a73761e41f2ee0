/**
 * Relay messages (docs/wire-notes.md): what one peer wants passed on to another, and what a relay has passed on to us.
 * A relay passes on sealed WireGuard messages only, only between routers of gndt.json that are both its peers, of a
 * bounded size and at a bounded rate for each sender; it cannot read them.
 */
import { C } from '../counters.js';
import { Action, D, RELAY_HEADER_BYTES } from '../engine.js';
import type { Punter } from './punter.js';
import type { RelayTable } from './relay-table.js';
import type { WorkerContext } from './worker-context.js';

const FORWARD = 0;
const FORWARDED = 1;
/** From the shortest WireGuard message (a keep-alive) to what a path of 9,000 bytes carries. */
const SHORTEST_BYTES = 32;
const LONGEST_BYTES = 9_000;
const TRANSPORT = 4;
/** Bytes, for each sender: 1 Gbit/s, and a tenth of a second's worth at once. */
const SENDER_RATE = { perSecond: 125_000_000, burst: 12_500_000 };

export class RelayForwarder {
  readonly #ctx: WorkerContext;
  readonly #table: RelayTable;
  readonly #punter: Punter;
  /** By peer. */
  readonly #rates: { allow(peer: number, bytes: number): boolean };

  constructor(context: WorkerContext, table: RelayTable, punter: Punter) {
    this.#ctx = context;
    this.#table = table;
    this.#punter = punter;
    this.#rates = context.budgets.numbered('relaySenders', SENDER_RATE);
  }

  /** True: descriptor `i` holds now a message of another peer, to be decided over like any other. */
  decide(i: number): boolean {
    const ctx = this.#ctx;
    const at = ctx.word(i, D.offset);
    const length = ctx.word(i, D.length) - RELAY_HEADER_BYTES;
    const bytes = ctx.engine.packets;
    const other =
      length < SHORTEST_BYTES || length > LONGEST_BYTES ? undefined : this.#table.numberOf(bytes, at + 4);
    const type = bytes[at + RELAY_HEADER_BYTES] ?? 0;
    if (other === undefined || type < 1 || type > TRANSPORT) {
      ctx.count(C.drop_relay_malformed);
      return false;
    }
    if (bytes[at + 1] === FORWARDED) return this.#take(i, other, type);
    if (bytes[at + 1] === FORWARD) this.#passOn(i, other, length);
    else ctx.count(C.drop_relay_malformed);
    return false;
  }

  #passOn(i: number, to: number, length: number): void {
    const ctx = this.#ctx;
    const from = ctx.word(i, D.from);
    const mayPass = this.#table.isRelay(ctx.selfPeer) && this.#table.isRouter(from);
    if (!mayPass || to === from || to === ctx.selfPeer) {
      ctx.count(C.drop_relay_refused);
      return;
    }
    if (!this.#rates.allow(from, length)) {
      ctx.count(C.drop_relay_rate);
      return;
    }
    const bytes = ctx.engine.packets;
    const at = ctx.word(i, D.offset);
    bytes[at + 1] = FORWARDED;
    this.#table.writeTag(from, bytes, at + 4);
    ctx.setWord(i, D.length, RELAY_HEADER_BYTES + length);
    ctx.setWord(i, D.to, to);
    ctx.setWord(i, D.action, Action.message);
    ctx.count(C.relayed);
  }

  /** A message that came by way of `from`, said to be of peer `sender`: only what its own session proves is believed. */
  #take(i: number, sender: number, type: number): boolean {
    const ctx = this.#ctx;
    const relay = ctx.word(i, D.from);
    if (!this.#table.isRelay(relay) || sender === relay) {
      ctx.count(C.drop_relay_refused);
      return false;
    }
    ctx.count(C.relayed_received);
    if (type !== TRANSPORT) {
      ctx.setWord(i, D.sourceRelay, relay + 1);
      this.#punter.relayedHandshake(i, sender);
      return false;
    }
    if (!ctx.engine.openRelayed(i, RELAY_HEADER_BYTES)) return false;
    if (ctx.word(i, D.from) === sender) return true;
    ctx.count(C.drop_relay_refused);
    return false;
  }
}
