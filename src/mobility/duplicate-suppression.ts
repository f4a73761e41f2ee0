/**
 * Nodes that stay where they are for a while: those that two machines claim to be, and those that bounce. The VR that
 * has the node says so in its record, so all routers know; it also ends it, after 180 s or by an operator's word.
 */

import { BoundedMap } from '../net/bounded-map.js';
import type { Timer } from '../net/clock.js';
import type { Ip } from '../net/ip.js';
import type { DirectoryChange } from '../tables/directory.js';
import type { NodeRecord, RouterId, VnetId } from '../tables/model.js';
import { type Context, nodeKey } from './context.js';
import type { UpdateBatcher } from './sync/update-batcher.js';

export const FREEZE_MS = 180_000;
/** Others wait so much longer for the holder's word, then stop waiting for it: it may be gone. */
const GRACE_MS = 5_000;
/** Nodes whose last moves are remembered. */
const REMEMBERED = 4_096;

export class DuplicateSuppression {
  readonly #context: Context;
  readonly #updates: UpdateBatcher;
  /** When each node moved, monotonic milliseconds, oldest first; no more than count. */
  readonly #moves = new BoundedMap<string, readonly number[]>(REMEMBERED);
  /** Until when each frozen node is. */
  readonly #frozen = new Map<string, { readonly untilMs: number; readonly timer: Timer }>();
  readonly #released: (vnet: VnetId, ip: Ip) => void;

  /** @param released called when a node may be claimed again, wherever it is */
  constructor(context: Context, updates: UpdateBatcher, released: (vnet: VnetId, ip: Ip) => void) {
    this.#context = context;
    this.#updates = updates;
    this.#released = released;
    context.directory.subscribe((change) => this.#changed(change));
    for (const record of context.directory.all()) if (record.frozen === true) this.#begin(record);
  }

  /** May announcements of the node be believed that come from elsewhere? Not for the time being. */
  isFrozen({ vnet, ip, frozen }: NodeRecord): boolean {
    if (frozen !== true) return false;
    return this.#context.clock.nowMs() < (this.#frozen.get(nodeKey(vnet, ip))?.untilMs ?? 0);
  }

  /** Would one more move make it too many? */
  isMoveTooMany(vnet: VnetId, ip: Ip): boolean {
    return this.#recent(nodeKey(vnet, ip)).length + 1 >= this.#context.config.maxMoves;
  }

  /** Freezes a node that is here, by its record of now: one with the number of a moment ago would be beaten by that. */
  freeze(vnet: VnetId, ip: Ip, other: RouterId): void {
    const { directory, self, ports } = this.#context;
    const current = directory.here(vnet, ip);
    if (current?.router !== self || current.frozen === true) return;
    this.#updates.publish(directory.originate(vnet, ip, current.mac, current.seq, true));
    this.alarm(current, other);
    ports.saveState();
  }

  alarm({ vnet, ip, mac }: NodeRecord, other: RouterId): void {
    this.#context.counters.count('nodes_frozen');
    this.#context.ports.event({ event: 'node_frozen', vnet, ip, mac, other });
  }

  /** Ends the freeze of a node that is here. A string says why not. */
  release(vnet: VnetId, ip: Ip): NodeRecord | string {
    const { directory, self, ports } = this.#context;
    const record = directory.here(vnet, ip);
    if (record === undefined) return `${ip.key} is not known to be anywhere`;
    if (record.frozen !== true) return `${ip.key} is not frozen`;
    if (record.router !== self) return `${ip.key} is frozen by ${record.router}: release it there`;
    const released = directory.originate(vnet, ip, record.mac, record.seq, false);
    this.#updates.publish(released);
    this.#context.counters.count('nodes_released');
    ports.event({ event: 'node_released', vnet, ip, mac: record.mac });
    ports.saveState();
    return released;
  }

  #changed({ before, after }: DirectoryChange): void {
    const key = nodeKey(after.vnet, after.ip);
    const isMove = before !== undefined && before.router !== after.router && after.state === 'here';
    if (isMove) this.#moves.set(key, [...this.#recent(key), this.#context.clock.nowMs()]);
    if (after.frozen === true) this.#begin(after);
    else if (before?.frozen === true) this.#end(after, key, before.router === after.router);
  }

  #begin(record: NodeRecord): void {
    const { clock, self, timers } = this.#context;
    const key = nodeKey(record.vnet, record.ip);
    const isOwn = record.router === self;
    // Own ones go on where they were before a restart; of others' clocks nothing is known.
    const sinceMs = isOwn ? Math.max(0, clock.wallMs() - record.stamp / 1000) : -GRACE_MS;
    const leftMs = Math.max(0, FREEZE_MS - sinceMs);
    this.#frozen.get(key)?.timer.cancel();
    const timer = timers.after('freeze', leftMs, () => this.#expired(record.vnet, record.ip));
    this.#frozen.set(key, { untilMs: clock.nowMs() + leftMs, timer });
  }

  #expired(vnet: VnetId, ip: Ip): void {
    const record = this.#context.directory.here(vnet, ip);
    if (record?.frozen !== true) return;
    if (record.router === this.#context.self) this.release(vnet, ip);
    else this.#released(vnet, ip);
  }

  /** @param isForgiven released where it was: begins with a clean slate */
  #end({ vnet, ip }: NodeRecord, key: string, isForgiven: boolean): void {
    this.#frozen.get(key)?.timer.cancel();
    this.#frozen.delete(key);
    if (isForgiven) this.#moves.delete(key);
    this.#released(vnet, ip);
  }

  /** The node's moves within the window. */
  #recent(key: string): readonly number[] {
    const { clock, config } = this.#context;
    const sinceMs = clock.nowMs() - config.moveWindowSeconds * 1000;
    return (this.#moves.get(key) ?? []).filter((atMs) => atMs > sinceMs).slice(-config.maxMoves);
  }
}
