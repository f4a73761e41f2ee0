/**
 * Cuts a table message that would not fit in one datagram into several that do. All of these messages are lists whose
 * parts mean the same as the whole, since every one is idempotent and none needs order.
 */

import { chunks } from '../tables/chunks.js';
import { MAX_ASKED_IPS, MAX_UNACKED_BYTES } from './constants.js';
import {
  AROUND_BYTES,
  bareMoveBytes,
  digestBytes,
  moveBytes,
  nodeBytes,
  recordBytes,
  resultBytes,
  staleBytes,
} from './size.js';
import type { ClaimMessage, MoveClaim, TableMessage } from './table-message.js';

/** That many take less than `MAX_UNACKED_BYTES` with the longest ids and the largest numbers. */
const FEW_RECORDS = 4;

/** At least one message; each payload takes at most `MAX_UNACKED_BYTES`, unless one element is larger by itself. */
export function split(message: TableMessage): TableMessage[] {
  switch (message.type) {
    case 'records':
    case 'returned':
    case 'has':
    case 'partnerRecords':
      return cut(message, message.records, recordBytes, (records) => ({ ...message, records }));
    case 'partnerDigests':
      return cut(message, message.digests, digestBytes, (digests) => ({ ...message, digests }));
    case 'stale':
      return cut(message, message.records, staleBytes, (records) => ({ ...message, records }));
    case 'nodes':
      return cut(message, message.nodes, nodeBytes, (nodes) => ({ ...message, nodes }));
    case 'claimResult':
      return cut(message, message.results, resultBytes, (results) => ({ ...message, results }));
    case 'claim':
      if (isOfOneNode(message)) return [message];
      return cut(message, message.moves.flatMap(splitMove), moveBytes, (moves) => ({ ...message, moves }));
    case 'whoHas':
      if (message.ips.length <= MAX_ASKED_IPS) return [message];
      return [...chunks(message.ips, MAX_ASKED_IPS)].map((ips) => ({ ...message, ips }));
    case 'recall':
    case 'digest':
    case 'partnerWhole':
    case 'nodesOf':
    case 'redirect':
    case 'search':
    case 'dhcp':
      return [message];
  }
}

/** A move with a few addresses, as nearly all are, fits whatever is in it: nothing is added up while a node waits. */
function isOfOneNode({ moves: [move, ...others] }: ClaimMessage): boolean {
  return others.length === 0 && move !== undefined && move.records.length <= FEW_RECORDS;
}

/** @param build makes the message of a part of the elements */
function cut<Element>(
  message: TableMessage,
  elements: readonly Element[],
  bytesOf: (element: Element) => number,
  build: (part: readonly Element[]) => TableMessage,
): TableMessage[] {
  const parts = runs(elements, bytesOf, MAX_UNACKED_BYTES - AROUND_BYTES);
  return parts.length <= 1 ? [message] : parts.map(build);
}

/** The move of a node with very many addresses becomes several moves of the same MAC. */
function splitMove(move: MoveClaim): MoveClaim[] {
  const room = MAX_UNACKED_BYTES - AROUND_BYTES - bareMoveBytes(move);
  const parts = runs(move.records, recordBytes, room);
  return parts.length <= 1 ? [move] : parts.map((records) => ({ ...move, records }));
}

/** Consecutive runs of the elements, each of as many as fit in the room, and of one at least. */
function runs<Element>(
  elements: readonly Element[],
  bytesOf: (element: Element) => number,
  roomBytes: number,
): Element[][] {
  const all: Element[][] = [];
  let run: Element[] = [];
  let runBytes = Number.POSITIVE_INFINITY;
  for (const element of elements) {
    const bytes = bytesOf(element);
    if (runBytes + bytes > roomBytes) {
      run = [];
      runBytes = 0;
      all.push(run);
    }
    run.push(element);
    runBytes += bytes;
  }
  return all;
}
