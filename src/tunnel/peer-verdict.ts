/** Whether a router is reached, in a word, and why not. Pure. */
import type { PeerState } from './peer-state.js';

export type PeerVerdict = Pick<PeerState, 'state' | 'reason'>;

export interface PeerCondition {
  readonly isUp: boolean;
  /** One of the two wants nothing of the other, for the reason in `trouble`. */
  readonly isRefused: boolean;
  /** There is a session, and nothing else yet. */
  readonly isGreeting: boolean;
  /** Why it is not up, when that is more than "not yet". */
  readonly trouble: string;
  /** Calls without an answer. */
  readonly tries: number;
  /** Why it cannot be called; empty when it can. */
  readonly noEndpoint: string;
  /** Somewhere: where its endpoints are not known, it may have been heard. */
  readonly isCalled: boolean;
  readonly calledAt: string;
  /** Calls that stay unanswered are nothing unusual yet. */
  readonly isEarly: boolean;
}

export function verdictOf(peer: PeerCondition): PeerVerdict {
  const { trouble, tries, noEndpoint } = peer;
  if (peer.isUp) return { state: 'up', reason: '' };
  if (peer.isRefused) return { state: 'refused', reason: trouble };
  if (peer.isGreeting) return { state: 'connecting', reason: 'waiting for its greeting' };
  const isNowhere = noEndpoint !== '' && !peer.isCalled;
  if ((tries === 0 || isNowhere) && trouble === '') {
    return noEndpoint === ''
      ? { state: 'connecting', reason: 'not called yet' }
      : { state: 'down', reason: noEndpoint };
  }
  const silence = tries === 0 ? '' : `no answer from ${peer.calledAt} to ${tries} calls`;
  const reason = [trouble, silence].filter((part) => part !== '').join('; ');
  return { state: trouble === '' && peer.isEarly ? 'connecting' : 'down', reason };
}
