/** Constants of our control messages (wire.md). */

/** First byte of a decrypted payload that is a control message, version 0 (wire.md). */
export const CONTROL_TYPE = 0x2;
export const CONTROL_VERSION = 0;

/** Protocol version that Hello carries. A different major is refused at both ends. */
export const PROTOCOL_MAJOR = 1;
export const PROTOCOL_MINOR = 0;

/** The longest payload, acknowledgements included, so that it fits in one datagram on any path. */
export const MAX_PAYLOAD_BYTES = 1_200;
/** What it may take without acknowledgements: 24 of these, each at most 8 bytes, fill the rest. */
export const MAX_UNACKED_BYTES = 1_000;
export const MAX_ACKS_PER_ENVELOPE = 24;
