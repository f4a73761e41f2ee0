/** The enums of proto/vine.proto and the words of src/tables that they stand for. */

import type { MoveTrigger, NodeRecord } from '../tables/model.js';
import { DOCUMENT_KINDS, type DocumentKind, type TellVerdict } from './network-message.js';
import type { PairRole } from './pair-message.js';
import type { ClaimReason, ClaimVerdict } from './table-message.js';
import type { TrafficRowKind } from './traffic-message.js';

export const NODE_STATE_NUMBER: Readonly<Record<NodeRecord['state'], number>> = { here: 1, withdrawn: 2 };

const ANNOUNCED_NUMBER: Readonly<Record<Exclude<MoveTrigger, 'search'>, number>> = {
  rarp: 1,
  'gratuitous-arp': 2,
  arp: 3,
  'neighbour-advertisement': 4,
  operator: 5,
};

/** What was found by a search has answered: to routers that know no searches it is that. */
export const MOVE_TRIGGER_NUMBER: Readonly<Record<MoveTrigger, number>> = {
  ...ANNOUNCED_NUMBER,
  search: ANNOUNCED_NUMBER.arp,
};

export const CLAIM_VERDICT_NUMBER: Readonly<Record<ClaimVerdict, number>> = {
  accepted: 1,
  refused: 2,
  objection: 3,
};

export const CLAIM_REASON_NUMBER: Readonly<Record<ClaimReason, number>> = {
  '': 0,
  stale: 1,
  'not-allowed': 2,
  'unknown-network': 3,
  frozen: 4,
  'node-answers-here': 5,
  'not-yours': 6,
};

export const PAIR_ROLE_NUMBER: Readonly<Record<PairRole, number>> = { active: 1, standby: 2, isolated: 3 };

export const NETWORK_VERDICT_NUMBER: Readonly<Record<TellVerdict['outcome'], number>> = {
  refused: 1,
  undone: 2,
};

export const TRAFFIC_ROW_KIND_NUMBER: Readonly<Record<TrafficRowKind, number>> = {
  pair: 0,
  sites: 1,
  nobody: 2,
};

export const TRAFFIC_ROW_KIND = inverse(TRAFFIC_ROW_KIND_NUMBER);
export const NODE_STATE = inverse(NODE_STATE_NUMBER);
/** Without `search`, which has a flag of its own: its number is another's. */
export const MOVE_TRIGGER = inverse<Exclude<MoveTrigger, 'search'>>(ANNOUNCED_NUMBER);
export const CLAIM_VERDICT = inverse(CLAIM_VERDICT_NUMBER);
export const CLAIM_REASON = inverse(CLAIM_REASON_NUMBER);
export const PAIR_ROLE = inverse(PAIR_ROLE_NUMBER);
export const DOCUMENT_KIND = inverse<DocumentKind>(DOCUMENT_KINDS);
export const NETWORK_VERDICT: ReadonlyMap<number, TellVerdict['outcome'] | 'none'> = new Map([
  [0, 'none' as const],
  ...inverse(NETWORK_VERDICT_NUMBER),
]);

function inverse<Word extends string>(numbers: Readonly<Record<Word, number>>): ReadonlyMap<number, Word> {
  const words = Object.keys(numbers) as Word[];
  return new Map(words.map((word) => [numbers[word], word]));
}
