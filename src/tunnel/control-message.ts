/** Everything that a control message can say: what concerns the link itself, and what concerns the tables. */
import type { TableMessage } from '../tables/message.js';
import type { RouterId } from '../tables/model.js';

/** First message of a session, both ways. */
export interface HelloMessage {
  readonly type: 'hello';
  readonly routerId: RouterId;
  /** The product's version, for people. */
  readonly version: string;
  /** A different major is refused at both ends; minor differences are fine. */
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

/** Orderly stop, or refusal: `reason` is for people. */
export interface ByeMessage {
  readonly type: 'bye';
  readonly reason: string;
  /** The sender will not talk to the receiver as it is now (protocol version); else it just stops. */
  readonly refusal: boolean;
}

export type LinkMessage = HelloMessage | PingMessage | PongMessage | ByeMessage;

export type ControlMessage = LinkMessage | TableMessage;
