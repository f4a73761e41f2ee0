/** What routers tell one another about the tables and about moves (wire.md, "Control messages"). */
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { Prefix } from '../net/prefix.js';
import type { MoveTrigger, NodeRecord, RouterId, SiteId, VnetId } from '../tables/model.js';

/** Directory records that the sender originates. The receiver accepts only records naming the sender. */
export interface RecordsMessage {
  readonly type: 'records';
  readonly records: readonly NodeRecord[];
}

/** What the sender knows of the *receiver's* records; the receiver answers with what is missing. */
export interface DigestMessage {
  readonly type: 'digest';
  readonly highestStamp: number;
  readonly count: number;
  /** 32-bit order-independent hash over the records; see `Directory.digest`. */
  readonly hash: number;
}

/** A record of the receiver's own that is beaten: it makes the originator go above `seq` if the node is there. */
export interface StaleMessage {
  readonly type: 'stale';
  readonly records: readonly {
    readonly vnet: VnetId;
    readonly ip: Ip;
    readonly seq: number;
    readonly router: RouterId;
  }[];
}

/** "You hold records of mine that I do not know (any more): give them back." */
export interface RecallMessage {
  readonly type: 'recall';
}

/** The answer: records that name the *receiver*, as the sender has them. */
export interface ReturnedMessage {
  readonly type: 'returned';
  readonly records: readonly NodeRecord[];
}

/** Fallback look-up by MAC or by IPs: one of the two, `ips` is empty with a MAC. */
export interface WhoHasMessage {
  readonly type: 'whoHas';
  readonly queryId: number;
  readonly vnet: VnetId;
  readonly mac: Mac | undefined;
  /** At most `MAX_ASKED_IPS` in one message (`split` sees to that). */
  readonly ips: readonly Ip[];
}

/** The answer: the sender's own records that fit; empty when it has none. */
export interface HasMessage {
  readonly type: 'has';
  readonly queryId: number;
  readonly records: readonly NodeRecord[];
}

/** One node's move; all its addresses move together. The claimer is the sender. */
export interface MoveClaim {
  readonly vnet: VnetId;
  readonly mac: Mac;
  /** The records that the claimer originates by this claim (`router` = claimer). */
  readonly records: readonly NodeRecord[];
  readonly trigger: MoveTrigger;
  /** Microseconds between the announcement on the LAN and the sending of the claim. */
  readonly sinceDetectionUs: number;
  /** The claim of a router that had the node and got an answer from it after another's claim: that one is undone. */
  readonly objection?: true;
  /** Of an objection: whose claim that was. None: nobody is contradicted. */
  readonly against?: RouterId;
}

export interface ClaimMessage {
  readonly type: 'claim';
  readonly claimId: number;
  readonly moves: readonly MoveClaim[];
}

export type ClaimVerdict = 'accepted' | 'refused' | 'objection';

/** Why a claim was not accepted. */
export type ClaimReason =
  | ''
  | 'stale'
  | 'not-allowed'
  | 'unknown-network'
  | 'frozen'
  | 'node-answers-here'
  | 'not-yours';

export interface ClaimResultMessage {
  readonly type: 'claimResult';
  readonly claimId: number;
  readonly results: readonly {
    readonly vnet: VnetId;
    readonly ip: Ip;
    readonly verdict: ClaimVerdict;
    readonly reason: ClaimReason;
    /** For `stale`: the sequence number that beat the claim; else the claim's own. */
    readonly seq: number;
    /** For `stale`: whose record that is, if it is told. */
    readonly router?: RouterId;
  }[];
}

/** Asks for the hosts of a network (when the claimer does not have them). */
export interface NodesOfMessage {
  readonly type: 'nodesOf';
  readonly queryId: number;
  readonly vnet: VnetId;
  readonly prefix: Prefix;
}

/** The answer, gateway first. */
export interface NodesMessage {
  readonly type: 'nodes';
  readonly queryId: number;
  readonly nodes: readonly { readonly ip: Ip; readonly mac: Mac }[];
}

/** "This node is at that VR": sent to a router that forwarded to a stale place. A hint: the receiver asks `router`. */
export interface RedirectMessage {
  readonly type: 'redirect';
  readonly vnet: VnetId;
  readonly ip: Ip;
  readonly router: RouterId;
  readonly seq: number;
}

/** "Is this node on your LANs?" Whoever finds it claims it; there is no other answer. */
export interface SearchMessage {
  readonly type: 'search';
  readonly vnet: VnetId;
  readonly mac: Mac;
  /** 1 to `MAX_SEARCHED_IPS`. */
  readonly ips: readonly Ip[];
  /** For so long the receiver goes on asking by itself; 0: it asks once. At most `MAX_LISTEN_SECONDS`. */
  readonly listenSeconds: number;
}

/**
 * A DHCP message of a visiting node: from the router where the node is to its home router, and back. Which of the two
 * says the message itself.
 */
export interface DhcpCarriedMessage {
  readonly type: 'dhcp';
  readonly vnet: VnetId;
  readonly mac: Mac;
  readonly family: 4 | 6;
  /** What is inside UDP: 1 to `MAX_DHCP_BYTES` bytes that may be anything. */
  readonly bytes: Uint8Array;
  /** Of a server's answer: it reaches the node by itself, as a packet. */
  readonly routed?: true;
}

/** To the site's other router: what the active one's directory holds, of all sites. */
export interface PartnerRecordsMessage {
  readonly type: 'partnerRecords';
  readonly records: readonly NodeRecord[];
}

/** From the standby to the active router of its site: what it knows of each site. See `DigestMessage`. */
export interface PartnerDigestsMessage {
  readonly type: 'partnerDigests';
  readonly digests: readonly SiteDigest[];
}

export interface SiteDigest {
  readonly site: SiteId;
  readonly highestStamp: number;
  readonly count: number;
  readonly hash: number;
}

/** To the standby, after all records of a site: this is what they come to. */
export interface PartnerWholeMessage extends SiteDigest {
  readonly type: 'partnerWhole';
}

/** What only the two routers of a site say to each other. */
export type PartnerMessage = PartnerRecordsMessage | PartnerDigestsMessage | PartnerWholeMessage;

export type TableMessage =
  | RecordsMessage
  | DigestMessage
  | StaleMessage
  | RecallMessage
  | ReturnedMessage
  | WhoHasMessage
  | HasMessage
  | ClaimMessage
  | ClaimResultMessage
  | NodesOfMessage
  | NodesMessage
  | RedirectMessage
  | SearchMessage
  | DhcpCarriedMessage
  | PartnerMessage;
