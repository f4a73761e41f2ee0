/** The constants of the NBD protocol (NetworkBlockDevice/nbd, doc/proto.md), by its names. All numbers are big-endian. */

export const INIT_PASSWD = 0x4e42444d41474943n;
export const IHAVEOPT = 0x49484156454f5054n;
export const OPTION_REPLY_MAGIC = 0x3e889045565a9n;
export const REQUEST_MAGIC = 0x25609513;
export const SIMPLE_REPLY_MAGIC = 0x67446698;
export const STRUCTURED_REPLY_MAGIC = 0x668e33ef;

/** Of the server's handshake flags, and of the client's. */
export const FIXED_NEWSTYLE = 1 << 0;
export const NO_ZEROES = 1 << 1;

export const OPT = {
  ...{ exportName: 1, abort: 2, list: 3, info: 6, go: 7 },
  ...{ structuredReply: 8, listMetaContext: 9, setMetaContext: 10 },
} as const;

const ERROR_REPLY = 2 ** 31;
export const REP = {
  ack: 1,
  server: 2,
  info: 3,
  metaContext: 4,
  errUnsup: ERROR_REPLY + 1,
  errInvalid: ERROR_REPLY + 3,
  errUnknown: ERROR_REPLY + 6,
  errTooBig: ERROR_REPLY + 9,
} as const;

export function isErrorReply(type: number): boolean {
  return type >= ERROR_REPLY;
}

export const INFO = { export: 0, blockSize: 3 } as const;

/** Transmission flags. */
export const FLAG = {
  hasFlags: 1 << 0,
  readOnly: 1 << 1,
  sendFlush: 1 << 2,
  sendFua: 1 << 3,
  sendTrim: 1 << 5,
  sendWriteZeroes: 1 << 6,
  sendDf: 1 << 7,
  canMultiConn: 1 << 8,
  sendFastZero: 1 << 11,
} as const;

export const CMD = { read: 0, write: 1, disc: 2, flush: 3, trim: 4, writeZeroes: 6, blockStatus: 7 } as const;

/** Command flags. */
export const FUA = 1 << 0;
export const NO_HOLE = 1 << 1;
/** A read's data in one chunk. */
export const DF = 1 << 2;
/** One extent is enough. */
export const REQ_ONE = 1 << 3;
export const FAST_ZERO = 1 << 4;

export const ERROR = {
  none: 0,
  perm: 1,
  io: 5,
  invalid: 22,
  noSpace: 28,
  notSup: 95,
  shutdown: 108,
} as const;

/** Types of a structured reply's chunks, and their flag. */
export const REPLY = { none: 0, offsetData: 1, blockStatus: 5, error: 2 ** 15 + 1 } as const;
export const REPLY_DONE = 1 << 0;

/** The metadata context that says what is a hole, and the states of its extents. */
export const ALLOCATION = 'base:allocation';
export const ALLOCATION_ID = 1;
export const STATE = { data: 0, hole: 1 << 0, zero: 1 << 1 } as const;

/** What client and server have agreed to have beside the rest. */
export interface Agreed {
  readonly isStructured: boolean;
  /** `base:allocation`, for the export that was chosen. */
  readonly hasAllocation: boolean;
}

export const NOTHING_AGREED: Agreed = { isStructured: false, hasAllocation: false };

export const REQUEST_BYTES = 28;
export const SIMPLE_REPLY_BYTES = 16;
export const STRUCTURED_REPLY_BYTES = 20;
/** After an export's size and flags, unless both sides have said that they can do without. */
export const RESERVED_BYTES = 124;
/** Names of exports and texts. */
export const MOST_STRING_BYTES = 4096;

/** What a server tells of an export; sizes in bytes. */
export interface ExportFacts {
  readonly sizeBytes: number;
  readonly flags: number;
  readonly minimumBytes: number;
  readonly preferredBytes: number;
  readonly mostPayloadBytes: number;
}

/** What holds where a server does not say it ("Size constraints"). */
export const DEFAULT_SIZES = {
  minimumBytes: 1,
  preferredBytes: 4096,
  mostPayloadBytes: 32 * 1024 * 1024,
} as const;
