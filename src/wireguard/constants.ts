/** The WireGuard paper's constants, to be held beside it. */

/** Noise's protocol name per cipher; hashed into the handshake, so that routers with different ciphers never agree. */
export const PROTOCOL_NAME = {
  'chacha20-poly1305': 'Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s',
  'aes-256-gcm': 'Noise_IKpsk2_25519_AESGCM_BLAKE2s',
} as const;

/** §5.4: Identifier, Label-Mac1, Label-Cookie. */
export const IDENTIFIER = 'WireGuard v1 zx2c4 Jason@zx2c4.com';
export const LABEL_MAC1 = 'mac1----';
export const LABEL_COOKIE = 'cookie--';

/** §5.4, lengths in bytes. */
export const KEY_BYTES = 32;
export const TAG_BYTES = 16;
export const MAC_BYTES = 16;
export const TIMESTAMP_BYTES = 12;
export const COOKIE_NONCE_BYTES = 24;

/** §6.1. Milliseconds, except the message counts. */
export const REKEY_AFTER_MESSAGES = 2 ** 60;
export const REJECT_AFTER_MESSAGES = 2 ** 64 - 2 ** 13 - 1;
export const REKEY_AFTER_TIME_MS = 120_000;
export const REJECT_AFTER_TIME_MS = 180_000;
/** A peer that is a router is tried for ever; after this long without an answer operators are told. */
export const REKEY_ATTEMPT_TIME_MS = 90_000;
export const REKEY_TIMEOUT_MS = 5_000;
export const KEEPALIVE_TIMEOUT_MS = 10_000;
/** §5.4.7: the secret behind the cookies is new, and a cookie that was received is old, after this long. */
export const COOKIE_SECRET_MS = 120_000;

/**
 * Not in the paper, but what its implementations do: random spread of retries, one initiation a peer per 20 ms, and a
 * cookie given up a little before its maker forgets it.
 */
export const REKEY_TIMEOUT_JITTER_MS = 333;
export const MIN_INITIATION_INTERVAL_MS = 20;
export const COOKIE_LATENCY_MS = 5_000;
