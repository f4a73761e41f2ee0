/** Handshake messages as they come in: whose each is, by the key or the index in it, and what becomes of it. */

import { hasValidMac1, type Identity, openInitiation } from '../wireguard/handshake.js';
import {
  type CookieMessage,
  decodeMessage,
  type InitiationMessage,
  MessageType,
  type ResponseMessage,
} from '../wireguard/messages.js';
import { CIPHERS, type CipherName } from '../wireguard/primitives.js';
import { type CipherPolicy, isWelcome } from './cipher-choice.js';
import { Client } from './client.js';
import type { Counters } from './counters.js';
import type { Peer } from './peer.js';
import type { PeerTable } from './peer-table.js';
import type { DatagramAddress } from './ports.js';
import type { SessionIndexes } from './session-index.js';
import type { PeerSessions } from './sessions.js';

export interface HandshakeDispatcherContext {
  /** With the cipher that routers call with first. */
  readonly identity: Identity;
  readonly ciphers: CipherPolicy;
  /** WireGuard clients know one cipher only. */
  readonly clientCipher: CipherName;
  readonly peerTable: PeerTable;
  readonly indexes: SessionIndexes<PeerSessions>;
  readonly counters: Counters;
}

export class HandshakeDispatcher {
  readonly #context: HandshakeDispatcherContext;

  constructor(context: HandshakeDispatcherContext) {
    this.#context = context;
  }

  /** A datagram of type 1, 2 or 3, as it came. Why it was dropped is counted. */
  received(bytes: Uint8Array, source: DatagramAddress): void {
    const dropReason = this.#handle(bytes, source);
    if (dropReason !== undefined) this.#context.counters.add(`handshake_drop_${dropReason}`);
  }

  #handle(bytes: Uint8Array, source: DatagramAddress): string | undefined {
    const message = decodeMessage(bytes);
    if (typeof message === 'string') return message;
    if (message.type === MessageType.transport) return 'unknown-type';
    if (message.type === MessageType.cookie) return this.#cookie(message);
    if (!hasValidMac1(this.#context.identity, message)) return 'bad-mac1';
    return message.type === MessageType.initiation
      ? this.#initiation(message, source)
      : this.#response(message, source);
  }

  #initiation(message: InitiationMessage, source: DatagramAddress): string | undefined {
    const { identity, clientCipher, peerTable } = this.#context;
    const isOne = identity.cipher === clientCipher;
    const opened = openInitiation<Peer | Client>(
      identity,
      message,
      (key) => peerTable.peerWithKey(key) ?? (isOne ? peerTable.clientWithKey(key) : undefined),
    );
    if (typeof opened !== 'string') return opened.peer.sessions.initiationOpened(opened, source);
    return opened === 'not-authentic' ? this.#initiationInOtherCipher(message, source) : opened;
  }

  /**
   * A message that cannot be read with the routers' first cipher may be a WireGuard client's, which know one only, a peer's that
   * changes the cipher, or a peer's whose file says another: that is worth a word.
   */
  #initiationInOtherCipher(message: InitiationMessage, source: DatagramAddress): string | undefined {
    const { identity, ciphers, clientCipher, peerTable } = this.#context;
    for (const cipher of CIPHERS) {
      if (cipher === identity.cipher) continue;
      const opened = openInitiation<Peer | Client>(
        { ...identity, cipher },
        message,
        (key) =>
          (cipher === clientCipher ? peerTable.clientWithKey(key) : undefined) ?? peerTable.peerWithKey(key),
      );
      if (typeof opened === 'string') continue;
      const { peer, timestamp, state } = opened;
      if (peer instanceof Client || isWelcome(ciphers, cipher))
        return peer.sessions.initiationOpened({ peer, timestamp, state }, source);
      peer.cipherDiffers(cipher);
      return 'other-cipher';
    }
    return 'not-authentic';
  }

  #response(message: ResponseMessage, source: DatagramAddress): string | undefined {
    const owner = this.#context.indexes.ownerOf(message.receiver);
    return owner === undefined ? 'no-handshake' : owner.responseReceived(message, source);
  }

  #cookie(message: CookieMessage): string | undefined {
    const owner = this.#context.indexes.ownerOf(message.receiver);
    const dropReason = owner === undefined ? 'no-handshake' : owner.cookieReceived(message);
    if (dropReason === undefined) this.#context.counters.add('handshake_cookies_received');
    return dropReason;
  }
}
