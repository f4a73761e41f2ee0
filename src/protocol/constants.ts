/** Constants of our control messages (wire.md). */

/** First byte of a decrypted payload that is a control message, version 0 (wire.md). */
export const CONTROL_TYPE = 0x2;
export const CONTROL_VERSION = 0;

/** Protocol version that Hello carries. A different major is refused at both ends. */
export const PROTOCOL_MAJOR = 1;
export const PROTOCOL_MINOR = 1;
/** The first that knows sites of two routers. */
export const PAIRS_MINOR = 1;

/** The longest payload, acknowledgements included, so that it fits in one datagram on any path. */
export const MAX_PAYLOAD_BYTES = 1_200;
/** What it may take without acknowledgements: 24 of these, each at most 8 bytes, fill the rest. */
export const MAX_UNACKED_BYTES = 1_000;
export const MAX_ACKS_PER_ENVELOPE = 24;

/** No payload of an honest router has more in its fields; zeros for padding do not count. */
export const MAX_FIELDS_BYTES = 4_096;
/**
 * Elements of any list in a message: the smallest element takes 15 bytes, and a message that is not cut further has no more
 * than `MAX_UNACKED_BYTES` of them.
 */
export const MAX_ELEMENTS = 64;
/** Addresses that one question may be about. */
export const MAX_ASKED_IPS = 32;
/** Addresses of one machine that a search may be about, and for how long who is asked may go on asking. */
export const MAX_SEARCHED_IPS = 8;
export const MAX_LISTEN_SECONDS = 60;

/** Ids of messages, questions and claims, epochs and tokens: all count from 1 or from a Unix time in milliseconds. */
export const MAX_ID = 2 ** 52;
/** A site's terms: one begins with each change of its active router. */
export const MAX_TERM = 2 ** 48;
/** A router's LANs. */
export const MAX_LANS = 1_024;
/** Longer ago is the same. */
export const MAX_HEARD_AGO_MS = 60_000;
/** A router's records: what a set can hold. */
export const MAX_RECORDS = 2 ** 24;
/** Between an announcement and its claim. A day; nothing waits that long. */
export const MAX_SINCE_DETECTION_US = 86_400_000_000;
