/**
 * What one part of mobility finds out and another has to act upon. Parts do not know each other in circles: they say what
 * follows, as data, and the front door (mobility.ts) has it done when the current frame, message or timer has been dealt
 * with.
 */
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { NodesMessage } from '../protocol/table-message.js';
import type { NetworkConfig, NodeRecord, RouterId, VnetId } from '../tables/model.js';
import type { Arrived, Candidate } from './destination/candidate.js';
import type { Evidence } from './evidence.js';
import type { DoubtCause } from './search/missing.js';

export type FollowUp =
  /** Evidence whose meaning has become clear, or whose obstacle is gone: classified as any other. */
  | { readonly do: 'consider'; readonly evidence: Evidence }
  /** A node that was asked has spoken (`evidence`), or has not within the deadline. */
  | { readonly do: 'probed'; readonly purpose: ProbePurpose; readonly evidence: Evidence | undefined }
  /** A node may be claimed again, wherever it is. */
  | { readonly do: 'release'; readonly vnet: VnetId; readonly ip: Ip }
  /** An own node was claimed by a router whose claims of it are refused: all are told that it is here, with this number. */
  | {
      readonly do: 'object';
      readonly vnet: VnetId;
      readonly ip: Ip;
      readonly seq: number;
      readonly against: RouterId;
    }
  /** The node's announcements here are not to be believed for a moment. */
  | { readonly do: 'hold'; readonly vnet: VnetId; readonly mac: Mac }
  /** A router's records of itself, in answer to a question. */
  | { readonly do: 'records'; readonly from: RouterId; readonly records: readonly NodeRecord[] }
  /** The router that has a claimed node has said whether it still has it, or said nothing. */
  | { readonly do: 'confirmed'; readonly id: number; readonly holder: RouterId; readonly word: HoldersWord }
  /** The nodes of a network, of which one that has arrived must be told. */
  | {
      readonly do: 'neighbours';
      readonly arrived: Arrived;
      readonly network: NetworkConfig;
      readonly nodes: NodesMessage['nodes'];
    };

export type HoldersWord = 'has-it' | 'has-it-not' | 'silent';

/** Why a node is asked, with what its asker needs to go on. */
export type ProbePurpose =
  /** A claim that must be verified before it is believed. */
  | { readonly for: 'verification'; readonly id: number }
  /** Another router has taken the node: is it really gone? `record` is the own one that was displaced. */
  | {
      readonly for: 'departure';
      readonly record: NodeRecord;
      readonly to: RouterId;
      /** Its record crossed the own claim: an answer contradicts nobody. */
      readonly isCrossed: boolean;
    }
  /** An own claim was undone by the router that had the node: does it answer here too? `record` was displaced. */
  | {
      readonly for: 'undone';
      readonly record: NodeRecord;
      readonly by: RouterId;
      readonly claimId: number;
      readonly seq: number;
    }
  /** Another router says that a node which this one has claimed back answers there. */
  | { readonly for: 'contradiction'; readonly record: NodeRecord; readonly by: RouterId }
  /** Does a host of this LAN really use the address that a candidate brings? */
  | { readonly for: 'native'; readonly candidate: Candidate; readonly record: NodeRecord; readonly mac: Mac }
  /** An own record is beaten: is the node here? */
  | { readonly for: 'beaten'; readonly record: NodeRecord }
  /** An own node whose claim by another router was refused unasked (it is frozen, or the claimer suppressed): is it here? */
  | { readonly for: 'refused'; readonly record: NodeRecord; readonly by: RouterId }
  /** A node that could not be claimed when it was seen. */
  | { readonly for: 'deferred' }
  /** A node that is wanted and says nothing: is it still here? Asked from `askedMs` on. */
  | {
      readonly for: 'doubt';
      readonly record: NodeRecord;
      readonly askedMs: number;
      readonly cause: DoubtCause;
    }
  /** A record of this router's that another has kept: is the node here? `isOwn`: it was, as far as was known here then. */
  | { readonly for: 'returned'; readonly record: NodeRecord; readonly isOwn: boolean };

/** Why a router is asked, with what the asker needs to go on. */
export type QueryPurpose =
  /** Evidence that can be understood when it is known who has the node. */
  | { readonly for: 'evidence'; readonly evidence: Evidence }
  /** What comes back is worth knowing. */
  | { readonly for: 'records' }
  /** A claim, or a withdrawal, waits for the word of the router that has the node: `Verification`. */
  | { readonly for: 'verification'; readonly id: number };
