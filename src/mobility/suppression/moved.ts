/** How often a node has moved, as far as one router has heard. Pure. */
import type { NodeRecord, RouterId } from '../../tables/model.js';

/** A node's record was displaced by one of another router. */
export interface Moved {
  readonly from: RouterId;
  readonly to: RouterId;
  /** Sequence number of the record that says so. */
  readonly seq: number;
  /** Monotonic milliseconds. */
  readonly atMs: number;
}

/** A router has claimed a node, whether it was believed or not. */
export interface Claimed {
  readonly claimer: RouterId;
  readonly seq: number;
  readonly atMs: number;
}

/**
 * How often the node has moved before it came to where it is now. Moves of which nothing was seen but a claim that came too
 * late are to the claimer and on from it; a claim of the router that had the node then, or had it next, is but another number.
 * @param end where the node is now
 * @param seen moves by sequence number
 */
export function movesBefore(
  end: Pick<NodeRecord, 'router' | 'seq'>,
  seen: ReadonlyMap<number, Moved>,
  claims: readonly Claimed[],
): number {
  const inOrder = [...seen.values()].sort((a, b) => a.seq - b.seq);
  const path = [{ seq: 0, router: inOrder[0]?.from ?? end.router }];
  for (const { seq, to } of inOrder) if (seq < end.seq) path.push({ seq, router: to });
  path.push(end);
  let moves = seen.size - (inOrder.at(-1)?.to === end.router ? 1 : 0);
  for (const { claimer: router, seq } of claims) {
    const next = path.findIndex((place) => place.seq >= seq);
    const [before, after] = [path[next - 1], path[next]];
    if (before === undefined || after === undefined || after.seq === seq) continue;
    if (before.router === router || after.router === router) continue;
    moves += before.router === after.router && after !== end ? 2 : 1;
    path.splice(next, 0, { seq, router });
  }
  return moves;
}
