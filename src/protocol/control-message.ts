/** Everything that a control message can say: what concerns the link itself, and what concerns the tables. */
import type { Coordinate } from '../net/coordinates.js';
import type { Ip } from '../net/ip.js';
import type { RouterId } from '../tables/model.js';
import type { MembershipMessage } from './membership-message.js';
import type { NetworkMessage } from './network-message.js';
import type { PairMessage } from './pair-message.js';
import type { TableMessage } from './table-message.js';
import type { TrafficMessage } from './traffic-message.js';

/** First message of a session, both ways. */
export interface HelloMessage {
  readonly type: 'hello';
  readonly routerId: RouterId;
  /** The product's version, for people. */
  readonly version: string;
  /** A different major is refused at both ends; a minor that is too low for the network's sites at one. */
  readonly protocolMajor: number;
  readonly protocolMinor: number;
  readonly capabilities: readonly string[];
  /** SHA-256 of the parsed gndt.json, so that `vinectl doctor` sees routers whose files differ. 32 bytes. */
  readonly gndtDigest: Uint8Array;
  /** Largest inner packet that the sender wants to receive unfragmented, bytes. */
  readonly innerMtuBytes: number;
}

export interface PingMessage {
  readonly type: 'ping';
  readonly token: number;
}

export interface PongMessage {
  readonly type: 'pong';
  readonly token: number;
  /** Its sender's clock, microseconds of Unix time; 0: not told. */
  readonly wallUs: number;
  /** Where its sender is; undefined: not told. */
  readonly coordinate: Coordinate | undefined;
}

/** "Can you see this router?" */
export interface SeekMessage {
  readonly type: 'seek';
  readonly router: RouterId;
}

/** "I am in direct contact with it." The answer, and at the same time told to the one that is sought. */
export interface SeenMessage {
  readonly type: 'seen';
  readonly router: RouterId;
  /** Where its UDP messages come from; undefined when it comes by TCP. */
  readonly ip: Ip | undefined;
  readonly port: number;
}

/** Orderly stop, or refusal: `reason` is for people. */
export interface ByeMessage {
  readonly type: 'bye';
  readonly reason: string;
  /** The sender will not talk to the receiver as it is now (protocol version); else it just stops. */
  readonly refusal: boolean;
}

/** What one router asks and tells another about a third, so that the two find a way to each other. */
export type IntroductionMessage = SeekMessage | SeenMessage;

export type LinkMessage = HelloMessage | PingMessage | PongMessage | ByeMessage | IntroductionMessage;

export type ControlMessage =
  | LinkMessage
  | TableMessage
  | PairMessage
  | NetworkMessage
  | MembershipMessage
  | TrafficMessage;

/** What the parts of a router are told: all but what a link with a peer keeps to itself. */
export type DeliveredMessage = Exclude<ControlMessage, HelloMessage | PingMessage | PongMessage | ByeMessage>;

interface MessageOf {
  readonly link: LinkMessage;
  readonly table: TableMessage;
  readonly pair: PairMessage;
  readonly network: NetworkMessage;
  readonly membership: MembershipMessage;
  readonly traffic: TrafficMessage;
}

/** Which part of a router each kind of message concerns; a kind that is missing does not compile. */
const PART_OF: { readonly [Part in keyof MessageOf as MessageOf[Part]['type']]: Part } = {
  hello: 'link',
  ping: 'link',
  pong: 'link',
  bye: 'link',
  seek: 'link',
  seen: 'link',
  records: 'table',
  digest: 'table',
  stale: 'table',
  recall: 'table',
  returned: 'table',
  whoHas: 'table',
  has: 'table',
  claim: 'table',
  claimResult: 'table',
  nodesOf: 'table',
  nodes: 'table',
  redirect: 'table',
  search: 'table',
  dhcp: 'table',
  partnerRecords: 'table',
  partnerDigests: 'table',
  partnerWhole: 'table',
  pairHeartbeat: 'pair',
  siteActive: 'pair',
  siteActiveRefused: 'pair',
  partnerQuery: 'pair',
  partnerAnswer: 'pair',
  handOver: 'pair',
  networkState: 'network',
  networkAsk: 'network',
  networkPart: 'network',
  membership: 'membership',
  membershipDigest: 'membership',
  trafficAsk: 'traffic',
  trafficPart: 'traffic',
};

const isOf =
  <Part extends keyof MessageOf>(part: Part) =>
  (message: ControlMessage): message is MessageOf[Part] =>
    PART_OF[message.type] === part;

export const isLinkMessage = isOf('link');
export const isTableMessage = isOf('table');
export const isPairMessage = isOf('pair');
export const isNetworkMessage = isOf('network');
export const isMembershipMessage = isOf('membership');
export const isTrafficMessage = isOf('traffic');

export const isIntroduction = (message: ControlMessage): message is IntroductionMessage =>
  message.type === 'seek' || message.type === 'seen';
