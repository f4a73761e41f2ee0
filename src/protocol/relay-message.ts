/**
 * What carries a WireGuard message by way of a third router: a payload inside the session with that router.
 *
 *   0x30 | direction (1) | 0 0 | tag of a router (8) | WireGuard message (types 1 to 4, whole)
 *
 * Direction 0: "pass this on to the router with this tag". Direction 1: "this comes from the router with this tag".
 * The tag is the first 8 bytes of the router's public key. The relay cannot read the message: it is sealed for the other.
 */
export const RELAY_FIRST_BYTE = 0x30;
export const RELAY_HEADER_BYTES = 12;
export const RELAY_TAG_BYTES = 8;
export const RelayDirection = { forward: 0, forwarded: 1 } as const;

export function relayTag(publicKey: Uint8Array): Uint8Array {
  return publicKey.slice(0, RELAY_TAG_BYTES);
}

/** A message for the relay to pass on. */
export function wrapForRelay(tag: Uint8Array, message: Uint8Array): Uint8Array {
  const wrapped = new Uint8Array(RELAY_HEADER_BYTES + message.length);
  wrapped[0] = RELAY_FIRST_BYTE;
  wrapped[1] = RelayDirection.forward;
  wrapped.set(tag, 4);
  wrapped.set(message, RELAY_HEADER_BYTES);
  return wrapped;
}
