/**
 * The running state of a Noise handshake: chaining key and transcript hash (WireGuard paper §5.4.2 and §5.4.3,
 * there C and H). Knows the cipher and nothing of messages.
 */
import { copyOf } from './bytes.js';
import { IDENTIFIER, PROTOCOL_NAME } from './constants.js';
import { type CipherName, hash, kdf, open, seal } from './primitives.js';

const encoder = new TextEncoder();
const EMPTY = new Uint8Array(0);

export class Transcript {
  #chainingKey: Uint8Array;
  #digest: Uint8Array;
  private constructor(
    readonly cipher: CipherName,
    chainingKey: Uint8Array,
    digest: Uint8Array,
  ) {
    this.#chainingKey = chainingKey;
    this.#digest = digest;
  }

  /** Both sides start from the cipher's protocol name and the responder's static public key. */
  static start(cipher: CipherName, responderStatic: Uint8Array): Transcript {
    return Transcript.begin(cipher, PROTOCOL_NAME[cipher], IDENTIFIER, responderStatic);
  }

  /** The same for another handshake of Noise's. @param protocolName longer than 32 characters @param prologue what both know */
  static begin(
    cipher: CipherName,
    protocolName: string,
    prologue: string,
    responderStatic: Uint8Array,
  ): Transcript {
    const chainingKey = hash(encoder.encode(protocolName));
    const named = hash(chainingKey, encoder.encode(prologue));
    return new Transcript(cipher, chainingKey, hash(named, responderStatic));
  }

  /** H := Hash(H ‖ bytes) */
  mixHash(bytes: Uint8Array): void {
    this.#digest = hash(this.#digest, bytes);
  }

  /** C := Kdf1(C, input) */
  mixKey(input: Uint8Array): void {
    const [chainingKey = EMPTY] = kdf(1, this.#chainingKey, input);
    this.#replaceChainingKey(chainingKey);
  }

  /** (C, κ) := Kdf2(C, input); returns κ. */
  mixKeyForSeal(input: Uint8Array): Uint8Array {
    const [chainingKey = EMPTY, key = EMPTY] = kdf(2, this.#chainingKey, input);
    this.#replaceChainingKey(chainingKey);
    return key;
  }

  /** (C, τ, κ) := Kdf3(C, Q); H := Hash(H ‖ τ); returns κ. */
  mixPresharedKey(presharedKey: Uint8Array): Uint8Array {
    const [chainingKey = EMPTY, mixed = EMPTY, key = EMPTY] = kdf(3, this.#chainingKey, presharedKey);
    this.#replaceChainingKey(chainingKey);
    this.mixHash(mixed);
    return key;
  }

  /** Aead(κ, 0, plaintext, H), mixed into H. Wipes the key: it is used once. */
  seal(key: Uint8Array, plaintext: Uint8Array): Uint8Array {
    const sealed = seal(this.cipher, key, plaintext, this.#digest);
    key.fill(0);
    this.mixHash(sealed);
    return sealed;
  }

  /** The opposite; undefined, and nothing mixed, when it is not authentic. Wipes the key. */
  open(key: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    const plaintext = open(this.cipher, key, sealed, this.#digest);
    key.fill(0);
    if (plaintext !== undefined) this.mixHash(sealed);
    return plaintext;
  }

  /** (T_initiator, T_responder) := Kdf2(C, ε): what each side sends with. Ends the handshake. */
  split(): { initiatorKey: Uint8Array; responderKey: Uint8Array } {
    const [initiatorKey = EMPTY, responderKey = EMPTY] = kdf(2, this.#chainingKey, EMPTY);
    this.wipe();
    return { initiatorKey, responderKey };
  }

  copy(): Transcript {
    return new Transcript(this.cipher, copyOf(this.#chainingKey), copyOf(this.#digest));
  }

  wipe(): void {
    this.#chainingKey.fill(0);
    this.#digest.fill(0);
  }

  #replaceChainingKey(next: Uint8Array): void {
    this.#chainingKey.fill(0);
    this.#chainingKey = next;
  }
}
