/** A session with a peer, and an attempt to make one; `sessions.ts` says what they do. */
import type { Timer } from '../net/clock.js';
import type { InitiatorState } from '../wireguard/handshake.js';
import type { CipherName } from '../wireguard/primitives.js';
import type { HandshakePurpose } from './cipher-choice.js';

export interface Session {
  readonly localIndex: number;
  readonly role: 'initiator' | 'responder';
  readonly cipher: CipherName;
  /** When its handshake message was sent by this side. */
  readonly sentMs: number;
  readonly expiry: Timer;
}

export interface Attempt {
  purpose: HandshakePurpose;
  /** For answers, all tries together: what was meant to be waited, however late the timer came. */
  waitedMs: number;
  tries: number;
  /** Undefined between tries, and after yielding to the peer. */
  state: InitiatorState | undefined;
  sentMs: number;
  told: boolean;
  timer: Timer | undefined;
}
