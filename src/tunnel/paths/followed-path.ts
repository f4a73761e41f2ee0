/**
 * The path to a peer that is only where it was heard last: a WireGuard client, which roams and is never looked for.
 *
 * An initiation proves nothing of where it came from: after a restart of this router, which does not remember the
 * greatest timestamp of before, anybody may send a recorded one from anywhere. It is answered there, and believed when
 * the session that comes of it is used; until then the way to the client stays as it was.
 */
import type { DatagramAddress, TunnelPorts } from '../ports.js';
import type { HandshakePaths } from '../sessions.js';
import { kindOf } from './path.js';

export class FollowedPath implements HandshakePaths {
  readonly #peer: number;
  readonly #ports: TunnelPorts;
  #heard: DatagramAddress | undefined;
  #caller: DatagramAddress | undefined;

  /** @param heard where it was before this router started */
  constructor(peer: number, ports: TunnelPorts, heard?: DatagramAddress) {
    this.#peer = peer;
    this.#ports = ports;
    this.#heard = heard;
  }

  candidates(): readonly DatagramAddress[] {
    const path = this.#ports.peerEndpoint?.(this.#peer) ?? this.#heard;
    return path === undefined ? [] : [path];
  }

  called(source: DatagramAddress): void {
    this.#caller = copyOf(source);
  }

  /** The session that it called for is in use. The packet engine follows it by itself, but to no other kind of path. */
  confirmed(): void {
    const caller = this.#caller;
    if (caller === undefined) return;
    const engines = this.#ports.peerEndpoint?.(this.#peer);
    if (engines === undefined || kindOf(engines) !== kindOf(caller)) this.adopt(caller);
  }

  adopt(source: DatagramAddress): void {
    this.#heard = copyOf(source);
    this.#ports.setPeerEndpoint(this.#peer, this.#heard);
  }
}

function copyOf(path: DatagramAddress): DatagramAddress {
  return { ...path, address: Uint8Array.from(path.address) };
}
