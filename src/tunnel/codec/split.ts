/**
 * Cuts a table message that would not fit in one datagram into several that do. All of these messages are lists whose
 * parts mean the same as the whole, since every one is idempotent and none needs order.
 */
import type { MoveClaim, TableMessage } from '../../tables/message.js';
import { MAX_UNACKED_BYTES } from '../constants.js';
import type { ControlCodec } from './control-codec.js';

/** A list element costs at most this much more inside a longer list than alone: the outer lengths grow by a byte. */
const GROWTH_BYTES = 2;

const LONGEST_HEAD = {
  id: Number.MAX_SAFE_INTEGER,
  acks: [],
  epoch: Number.MAX_SAFE_INTEGER,
  ackEpoch: Number.MAX_SAFE_INTEGER,
  oldest: Number.MAX_SAFE_INTEGER,
};

/**
 * So few list elements fit whatever is in them: the largest, a move with one IPv6 record and a router id of 63 bytes,
 * takes 150 bytes. Most messages are that small, and need not be encoded only to be measured.
 */
const SURELY_FIT = 5;

/** At least one message; each payload takes at most `MAX_UNACKED_BYTES`, unless one element is larger by itself. */
export function split(message: TableMessage, codec: ControlCodec): TableMessage[] {
  if (elementsOf(message) <= SURELY_FIT) return [message];
  const bytesOf = (body: TableMessage): number => codec.encode({ ...LONGEST_HEAD, body }).length;
  // One measurement instead of one for each element: most that are longer fit as well.
  if (bytesOf(message) <= MAX_UNACKED_BYTES) return [message];
  const cut = <Element>(
    elements: readonly Element[],
    build: (part: readonly Element[]) => TableMessage,
  ): TableMessage[] => parts(elements, (part) => bytesOf(build(part))).map(build);
  switch (message.type) {
    case 'records':
    case 'returned':
    case 'has':
      return cut(message.records, (records) => ({ ...message, records }));
    case 'stale':
      return cut(message.records, (records) => ({ ...message, records }));
    case 'nodes':
      return cut(message.nodes, (nodes) => ({ ...message, nodes }));
    case 'claimResult':
      return cut(message.results, (results) => ({ ...message, results }));
    case 'claim': {
      const withMoves = (moves: readonly MoveClaim[]): TableMessage => ({ ...message, moves });
      const moves = message.moves.flatMap((move) => splitMove(move, (part) => bytesOf(withMoves([part]))));
      return cut(moves, withMoves);
    }
    case 'recall':
    case 'digest':
    case 'whoHas':
    case 'nodesOf':
    case 'redirect':
      return [message];
  }
}

function elementsOf(message: TableMessage): number {
  switch (message.type) {
    case 'records':
    case 'returned':
    case 'has':
    case 'stale':
      return message.records.length;
    case 'nodes':
      return message.nodes.length;
    case 'claimResult':
      return message.results.length;
    case 'claim':
      return message.moves.reduce((sum, { records }) => sum + Math.max(1, records.length), 0);
    case 'recall':
    case 'digest':
    case 'whoHas':
    case 'nodesOf':
    case 'redirect':
      return 1;
  }
}

/** The move of a node with very many addresses becomes several moves of the same MAC. */
function splitMove(move: MoveClaim, bytesOf: (move: MoveClaim) => number): MoveClaim[] {
  if (move.records.length <= SURELY_FIT) return [move];
  const withRecords = (records: MoveClaim['records']): MoveClaim => ({ ...move, records });
  return parts(move.records, (records) => bytesOf(withRecords(records))).map(withRecords);
}

/** Consecutive runs of the elements, each as long as fits; one empty run when there are none. */
function parts<Element>(
  elements: readonly Element[],
  bytesOf: (part: readonly Element[]) => number,
): Element[][] {
  const emptyBytes = bytesOf([]);
  let part: Element[] = [];
  let partBytes = emptyBytes;
  const all = [part];
  for (const element of elements) {
    const bytes = bytesOf([element]) - emptyBytes + GROWTH_BYTES;
    if (part.length > 0 && partBytes + bytes > MAX_UNACKED_BYTES) {
      part = [];
      partBytes = emptyBytes;
      all.push(part);
    }
    part.push(element);
    partBytes += bytes;
  }
  return all;
}
