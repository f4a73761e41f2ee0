/** The path to a peer that is only where it was heard last: a WireGuard client, which roams and is never looked for. */
import type { DatagramAddress, TunnelPorts } from '../ports.js';
import type { HandshakePaths } from '../sessions.js';

export class FollowedPath implements HandshakePaths {
  readonly #peer: number;
  readonly #ports: TunnelPorts;
  #heard: DatagramAddress | undefined;

  constructor(peer: number, ports: TunnelPorts) {
    this.#peer = peer;
    this.#ports = ports;
  }

  candidates(): readonly DatagramAddress[] {
    const path = this.#ports.peerEndpoint?.(this.#peer) ?? this.#heard;
    return path === undefined ? [] : [path];
  }

  adopt(source: DatagramAddress): void {
    this.#heard = { ...source, address: Uint8Array.from(source.address) };
    this.#ports.setPeerEndpoint(this.#peer, this.#heard);
  }
}
