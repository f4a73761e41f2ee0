/** A packet engine in TypeScript over one UDP socket: for a program that speaks on control links and has no packets. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Socket } from 'node:dgram';
import { Ip } from '../../../src/net/ip.js';
import { systemClock } from '../../../src/net/system-clock.js';
import type { DatagramAddress, TunnelPorts } from '../../../src/tunnel/ports.js';
import type { Tunnel } from '../../../src/tunnel/tunnel.js';
import type { HandshakeKeys } from '../../../src/wireguard/handshake.js';
import { decodeMessage, encodeTransportHeader, MessageType } from '../../../src/wireguard/messages.js';

const TAG_BYTES = 16;
const CONTROL = 2;

interface Session {
  readonly peer: number;
  readonly keys: HandshakeKeys;
  sent: bigint;
  isConfirmed: boolean;
}

interface Peer {
  endpoint: DatagramAddress | undefined;
  current: Session | undefined;
}

export class SoftwareEngine {
  readonly #socket: Socket;
  readonly #sessions = new Map<number, Session>();
  readonly #peers = new Map<number, Peer>();
  /** Sees what the tunnel sends to a peer before it is sealed. */
  onSealed: (peer: number, payload: Uint8Array) => void = () => {};

  /** @param socket bound, IPv4 */
  constructor(socket: Socket) {
    this.#socket = socket;
  }

  ports(): TunnelPorts {
    return {
      clock: systemClock,
      random: (length) => randomBytes(length),
      installSession: (peer, keys) => {
        const copy = { ...keys, sendKey: keys.sendKey.slice(), receiveKey: keys.receiveKey.slice() };
        this.#sessions.set(keys.localIndex, { peer, keys: copy, sent: 0n, isConfirmed: false });
      },
      setCurrentSession: (peer, localIndex) => {
        this.#peer(peer).current = this.#sessions.get(localIndex);
      },
      removeSession: (localIndex) => {
        const session = this.#sessions.get(localIndex);
        this.#sessions.delete(localIndex);
        const peer = session && this.#peer(session.peer);
        if (peer?.current === session && peer !== undefined) peer.current = undefined;
      },
      setPeerEndpoint: (peer, to) => {
        this.#peer(peer).endpoint = { ...to, address: to.address.slice() };
      },
      removePeer: (peer) => {
        for (const [index, session] of this.#sessions)
          if (session.peer === peer) this.#sessions.delete(index);
        this.#peers.delete(peer);
      },
      sealAndSend: (peer, payload, to) => {
        this.onSealed(peer, payload);
        return this.seal(peer, payload, to);
      },
      sendDatagram: (to, bytes) => this.#send(to, bytes),
    };
  }

  /** Whatever comes, to the tunnel. */
  feed(tunnel: Tunnel): void {
    this.#socket.on('message', (bytes, from) => {
      const source = { address: Ip.of(from.address).toBytes(), port: from.port };
      if (bytes[0] === MessageType.transport) this.#open(tunnel, bytes, source);
      else tunnel.handshakeReceived(bytes, source);
    });
  }

  /** Seals a payload of one's own making. False: there is no session. */
  seal(number: number, payload: Uint8Array, path?: DatagramAddress): boolean {
    const { current, endpoint } = this.#peer(number);
    const to = path ?? endpoint;
    if (current === undefined || to === undefined) return false;
    const nonce = nonceOf(current.sent);
    const box = createCipheriv('chacha20-poly1305', current.keys.sendKey, nonce, {
      authTagLength: TAG_BYTES,
    });
    const sealed = [box.update(payload), box.final(), box.getAuthTag()];
    const header = encodeTransportHeader(current.keys.remoteIndex, current.sent);
    current.sent++;
    return this.#send(to, Buffer.concat([header, ...sealed]));
  }

  #open(tunnel: Tunnel, bytes: Uint8Array, from: DatagramAddress): void {
    const message = decodeMessage(bytes);
    if (typeof message === 'string' || message.type !== MessageType.transport) return;
    const session = this.#sessions.get(message.receiver);
    const payload = session && opened(session, message.counter, message.sealedPacket);
    if (session === undefined || payload === undefined) return;
    this.#peer(session.peer).endpoint = from;
    if (!session.isConfirmed) {
      session.isConfirmed = true;
      tunnel.sessionConfirmed(session.peer, session.keys.localIndex);
    }
    if ((payload[0] ?? 0) >> 4 === CONTROL) tunnel.controlReceived(session.peer, payload, from);
  }

  #peer(number: number): Peer {
    let peer = this.#peers.get(number);
    if (peer === undefined) {
      peer = { endpoint: undefined, current: undefined };
      this.#peers.set(number, peer);
    }
    return peer;
  }

  #send({ address, port }: DatagramAddress, bytes: Uint8Array): boolean {
    if (address.length !== 4) return false;
    this.#socket.send(bytes, port, address.join('.'));
    return true;
  }
}

function opened({ keys }: Session, counter: bigint, sealed: Uint8Array): Uint8Array | undefined {
  const end = sealed.length - TAG_BYTES;
  const box = createDecipheriv('chacha20-poly1305', keys.receiveKey, nonceOf(counter), {
    authTagLength: TAG_BYTES,
  });
  box.setAuthTag(sealed.subarray(end));
  try {
    return Buffer.concat([box.update(sealed.subarray(0, end)), box.final()]);
  } catch {
    return undefined;
  }
}

function nonceOf(counter: bigint): Uint8Array {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setBigUint64(4, counter, true);
  return nonce;
}
