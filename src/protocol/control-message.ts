/** Everything that a control message can say: what concerns the link itself, and what concerns the tables. */
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

const LINK_TYPES: { readonly [Type in LinkMessage['type']]: true } = {
  hello: true,
  ping: true,
  pong: true,
  bye: true,
  seek: true,
  seen: true,
};

const PAIR_TYPES: { readonly [Type in PairMessage['type']]: true } = {
  pairHeartbeat: true,
  siteActive: true,
  siteActiveRefused: true,
  partnerQuery: true,
  partnerAnswer: true,
  handOver: true,
};

const NETWORK_TYPES: { readonly [Type in NetworkMessage['type']]: true } = {
  networkState: true,
  networkAsk: true,
  networkPart: true,
};

const MEMBERSHIP_TYPES: { readonly [Type in MembershipMessage['type']]: true } = {
  membership: true,
  membershipDigest: true,
};

const TRAFFIC_TYPES: { readonly [Type in TrafficMessage['type']]: true } = {
  trafficAsk: true,
  trafficPart: true,
};

export function isTrafficMessage(message: ControlMessage): message is TrafficMessage {
  return Object.hasOwn(TRAFFIC_TYPES, message.type);
}

export function isMembershipMessage(message: ControlMessage): message is MembershipMessage {
  return Object.hasOwn(MEMBERSHIP_TYPES, message.type);
}

export function isNetworkMessage(message: ControlMessage): message is NetworkMessage {
  return Object.hasOwn(NETWORK_TYPES, message.type);
}

export function isPairMessage(message: ControlMessage): message is PairMessage {
  return Object.hasOwn(PAIR_TYPES, message.type);
}

export function isLinkMessage(message: ControlMessage): message is LinkMessage {
  return Object.hasOwn(LINK_TYPES, message.type);
}
