/**
 * Which cipher the next handshake with a peer uses. Pure: it is told what happens, and asked.
 *
 * A network that says one uses that. With `auto` the first session is WireGuard's own, ChaCha20-Poly1305. In it both sides say in
 * their Hello whether AES-256-GCM is clearly faster at their machine; if both say so, the initiator of that session makes another
 * handshake, with AES-256-GCM, while the session goes on. What is said is sealed and authentic: a third party can keep handshakes
 * from arriving, whatever their cipher, and cannot make two routers choose. Where handshakes with AES-256-GCM go unanswered
 * a few times in a row, ChaCha20-Poly1305 stays, or comes back, until the next one is due anyway; operators see it.
 */
import type { GndtConfig } from '../tables/model.js';
import type { CipherName } from '../wireguard/primitives.js';

const CHACHA: CipherName = 'chacha20-poly1305';
const AES: CipherName = 'aes-256-gcm';

/** In Hello's `capabilities`: "AES-256-GCM, if you say so too", and "nothing else". */
const LIKES_AES = 'aes-256-gcm';
const ONLY_AES = 'only-aes-256-gcm';

/**
 * Handshakes in a row that are tried with AES-256-GCM, 5 s apart: for a change there is time, but a responder that renews a
 * session has 15 s left of it (`responderRekeyMs`).
 */
const TRIES = { change: 5, renewal: 2 } as const;

/** What a handshake is for: another cipher in place of a session that is well, or a session. */
export type HandshakePurpose = 'change' | 'renewal';

export interface CipherPolicy {
  /** What gndt.json says. */
  readonly setting: GndtConfig['cipher'];
  /** AES-256-GCM is clearly faster here than ChaCha20-Poly1305. */
  readonly fastAes: boolean;
}

/** AES-256-GCM at so many times the speed of ChaCha20-Poly1305 is worth a handshake. */
const CLEARLY_FASTER = 1.2;

/** @param speeds any unit; 0: it does not work */
export function isFastAes(speeds: { readonly chachaGbps: number; readonly aesGbps: number }): boolean {
  return speeds.aesGbps >= CLEARLY_FASTER * speeds.chachaGbps && speeds.aesGbps > 0;
}

/** The cipher that a router calls with when it knows nothing of the peer. */
export function firstCipher({ setting }: CipherPolicy): CipherName {
  return setting === 'auto' ? CHACHA : setting;
}

/** May a peer's handshake use it? */
export function isWelcome({ setting }: CipherPolicy, cipher: CipherName): boolean {
  return setting === 'auto' || setting === cipher;
}

/** What Hello's capabilities say of it. */
export function cipherCapabilities({ setting, fastAes }: CipherPolicy): readonly string[] {
  if (setting === AES) return [LIKES_AES, ONLY_AES];
  return setting === 'auto' && fastAes ? [LIKES_AES] : [];
}

export class CipherChoice {
  readonly #policy: CipherPolicy;
  /** Of the peer's last Hello; undefined before it. */
  #said: readonly string[] | undefined;
  /** Of the current session, and who began it. */
  #inUse: CipherName | undefined;
  #role: 'initiator' | 'responder' = 'responder';
  /** In use at the last Hello. */
  #told: CipherName | undefined;
  /** Handshakes with AES-256-GCM have gone unanswered, and none has succeeded since. */
  #isUnanswered = false;

  constructor(policy: CipherPolicy) {
    this.#policy = policy;
  }

  get inUse(): CipherName | undefined {
    return this.#inUse;
  }

  get isUnanswered(): boolean {
    return this.#isUnanswered;
  }

  /** The one that both want, by what was said inside a session. */
  get agreed(): CipherName {
    const { setting, fastAes } = this.#policy;
    if (setting !== 'auto') return setting;
    const said = this.#said ?? [];
    return said.includes(ONLY_AES) || (fastAes && said.includes(LIKES_AES)) ? AES : CHACHA;
  }

  /**
   * Beside the current session another one should be made at once, by this side. Not again after vain attempts: a renewal comes
   * in two minutes, and tries.
   */
  get isChangeDue(): boolean {
    const isBetter = this.#inUse === CHACHA && this.agreed === AES;
    return isBetter && this.#role === 'initiator' && !this.#isUnanswered;
  }

  /** Why it is the one that it is, for operators. */
  get reason(): string {
    const { setting, fastAes } = this.#policy;
    if (setting !== 'auto') return 'gndt.json says so';
    if (this.#inUse === undefined) return 'no session';
    const said = this.#said ?? [];
    if (this.#inUse === AES) return said.includes(ONLY_AES) ? 'the peer uses nothing else' : 'fast at both';
    if (this.#isUnanswered) return `no answer to handshakes with ${AES}`;
    if (!fastAes) return `${AES} is not faster here`;
    if (this.#said === undefined) return 'the peer has not greeted yet';
    if (!said.includes(LIKES_AES)) return `the peer does not offer ${AES}`;
    return this.#role === 'initiator' ? 'about to change' : `waiting for the peer's handshake with ${AES}`;
  }

  /**
   * True: operators should hear of another cipher. Once for each Hello at most, of which a peer may not send many.
   * @param capabilities of a Hello of the peer
   */
  greeted(capabilities: readonly string[]): boolean {
    const told = this.#told;
    this.#said = capabilities;
    this.#told = this.#inUse;
    return told !== undefined && told !== this.#inUse;
  }

  /**
   * For the next handshake. Undefined: none, it was for another cipher only, and that has been tried often enough.
   * @param tries of the attempt, so far
   * @param hasSession that a handshake is made beside
   */
  forHandshake(purpose: HandshakePurpose, tries: number, hasSession: boolean): CipherName | undefined {
    const first = firstCipher(this.#policy);
    if (!hasSession || this.agreed === first) return purpose === 'change' && hasSession ? undefined : first;
    if (tries < TRIES[purpose]) return this.agreed;
    this.#isUnanswered = true;
    return purpose === 'change' ? undefined : first;
  }

  /** A session is current. */
  established(cipher: CipherName, role: 'initiator' | 'responder'): void {
    this.#inUse = cipher;
    this.#role = role;
    if (cipher === AES) this.#isUnanswered = false;
  }

  /** No session is left, and perhaps the peer is another one when it is back. */
  ended(): void {
    this.#inUse = undefined;
    this.#told = undefined;
    this.#said = undefined;
    this.#isUnanswered = false;
  }
}
