/** What this router says of itself in every greeting. */
import { PROTOCOL_MAJOR, PROTOCOL_MINOR } from '../protocol/constants.js';
import type { HelloMessage } from '../protocol/control-message.js';
import type { RouterId } from '../tables/model.js';
import { type CipherPolicy, cipherCapabilities } from './cipher-choice.js';

/** What we say of ourselves to every peer. */
export interface SelfDescription {
  readonly version: string;
  readonly capabilities: readonly string[];
  /** SHA-256 of the parsed gndt.json, 32 bytes. */
  readonly gndtDigest: Uint8Array;
  /** Largest inner packet that we want to receive unfragmented. */
  readonly innerMtuBytes: number;
  /** Other than this program's own only in tests. */
  readonly protocolMajor?: number;
  readonly protocolMinor?: number;
}

export function helloOf(self: RouterId, description: SelfDescription, ciphers: CipherPolicy): HelloMessage {
  return {
    type: 'hello',
    routerId: self,
    version: description.version,
    protocolMajor: description.protocolMajor ?? PROTOCOL_MAJOR,
    protocolMinor: description.protocolMinor ?? PROTOCOL_MINOR,
    capabilities: [...description.capabilities, ...cipherCapabilities(ciphers)],
    gndtDigest: description.gndtDigest,
    innerMtuBytes: description.innerMtuBytes,
  };
}
