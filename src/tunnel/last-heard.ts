/** Where somebody was heard last, as it outlives a router: a straight UDP address. What a connection or a relay carried ends with them. */
import { ipOf } from './endpoint.js';
import type { DatagramAddress } from './ports.js';

export interface LastHeard {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Proven by a message that was sealed for this router and new. 4 or 16 bytes, network order. */
  readonly address: Uint8Array;
  readonly port: number;
  /** There was a session, for which the other side may still seal. */
  readonly hasSession: boolean;
  /** No handshake message that was sent to it has a later timestamp. Microseconds of Unix time. */
  readonly stampUs: number;
}

/** Can it be called there by a router that has only the address? Link-local ones want an interface too. */
export function isLasting(path: DatagramAddress): boolean {
  return path.stream === undefined && path.relay === undefined && ipOf(path.address)?.isLinkLocal === false;
}

export function sameAddress(
  a: Pick<LastHeard, 'address' | 'port'>,
  b: Pick<LastHeard, 'address' | 'port'>,
): boolean {
  return a.port === b.port && Buffer.compare(a.address, b.address) === 0;
}

/**
 * What is to be remembered of a router now; undefined: nothing, it has never been heard where it is not listed.
 * @param address where it is heard now, when that is none of its listed endpoints @param lastUs of the newest handshake made
 */
export function heardNow(
  last: LastHeard | undefined,
  publicKey: Uint8Array,
  address: { readonly address: Uint8Array; readonly port: number } | undefined,
  lastUs: number,
): LastHeard | undefined {
  const where = address ?? last;
  if (where === undefined) return undefined;
  return {
    publicKey,
    address: Uint8Array.from(where.address),
    port: where.port,
    hasSession: address !== undefined,
    stampUs: Math.max(lastUs, last?.stampUs ?? 0),
  };
}
