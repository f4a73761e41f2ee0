/**
 * TCP connections: who dials whom and when, whose each connection is, and which are closed.
 *
 *   dialled    ─connected─▶ a path to try; the peer proves itself by answering on it
 *   accepted   ─authentic message within `streamProofMs`─▶ the path of the peer that sent it
 *              ─nothing, or a byte a minute─▶ closed
 *
 * A peer is dialled while a straight path over UDP does not work, at its `tcp://` endpoints in turn, with pauses from
 * 0.5 s that double to 30 s. A connection on which nothing authentic was heard for `streamIdleMs` is closed: that is
 * what becomes of it when UDP works again. Accepted connections without a proof are few; a new one drives out the oldest.
 */

import type { Clock } from '../../net/clock.js';
import type { Counters } from '../counters.js';
import type { DatagramAddress, TunnelPorts } from '../ports.js';
import type { TunnelTimes } from '../times.js';

/** Accepted connections that have not proven whose they are. */
const MAX_STRANGERS = 64;
/** Of those from one address (IPv6: one /64). */
const MAX_STRANGERS_EACH = 16;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/** What a peer wants of connections, and is told of them. */
export interface StreamUser {
  readonly tcpEndpoints: readonly DatagramAddress[];
  readonly wantsStream: boolean;
  streamOpened(path: DatagramAddress): void;
  streamClosed(path: DatagramAddress, reason: string): void;
}

export interface StreamsContext {
  readonly ports: TunnelPorts;
  readonly times: TunnelTimes;
  chance(): number;
  readonly counters: Counters;
}

interface Connection {
  readonly path: DatagramAddress;
  /** When it began, and when something authentic was heard on it; the time of own stalls does not count. */
  sinceMs: number;
  /** Undefined: accepted, and not proven yet. */
  user: StreamUser | undefined;
  isOpen: boolean;
  isProven: boolean;
  lastReceivedMs: number;
}

interface Dial {
  stream: number | undefined;
  attempts: number;
  nextMs: number;
}

export class Streams {
  readonly #context: StreamsContext;
  readonly #connections = new Map<number, Connection>();
  readonly #dials = new Map<StreamUser, Dial>();

  constructor(context: StreamsContext) {
    this.#context = context;
  }

  /** Every now and then. @param stalledMs this router did not run for so long since the last time */
  tick(users: Iterable<StreamUser>, stalledMs: number): void {
    const nowMs = this.#nowMs;
    for (const [stream, connection] of this.#connections) {
      connection.sinceMs = Math.min(nowMs, connection.sinceMs + stalledMs);
      connection.lastReceivedMs = Math.min(nowMs, connection.lastReceivedMs + stalledMs);
      const reason = this.#endOf(connection, nowMs);
      if (reason !== undefined) this.#close(stream, reason);
    }
    for (const user of users) if (user.tcpEndpoints.length > 0) this.#seeTo(user, nowMs);
  }

  /** One that was dialled is there. */
  connected(stream: number): void {
    const connection = this.#connections.get(stream);
    if (connection === undefined) return;
    connection.isOpen = true;
    connection.lastReceivedMs = this.#nowMs;
    this.#context.counters.add('tcp_connected');
    connection.user?.streamOpened(connection.path);
  }

  /** Somebody has connected. */
  accepted(path: DatagramAddress): void {
    const { stream } = path;
    if (stream === undefined) return;
    this.#context.counters.add('tcp_accepted');
    this.#makeRoom(path);
    const nowMs = this.#nowMs;
    this.#connections.set(stream, {
      path,
      sinceMs: nowMs,
      user: undefined,
      isOpen: true,
      isProven: false,
      lastReceivedMs: nowMs,
    });
  }

  /** It has ended by itself. */
  closed(stream: number, reason: string): void {
    this.#context.counters.add('tcp_closed');
    this.#forget(stream, reason);
  }

  /** An authenticated packet of that peer has come by it. */
  authenticatedPacketReceived(stream: number, user: StreamUser): void {
    const connection = this.#connections.get(stream);
    if (connection === undefined) return;
    connection.lastReceivedMs = this.#nowMs;
    if (connection.isProven && connection.user === user) return;
    connection.user = user;
    connection.isProven = true;
    this.#context.ports.trustStream?.(stream);
    const dial = this.#dials.get(user);
    if (dial !== undefined) dial.attempts = 0;
  }

  /** The peer is no more. */
  forgetUser(user: StreamUser): void {
    this.#dials.delete(user);
    for (const [stream, connection] of [...this.#connections])
      if (connection.user === user) this.#close(stream, 'the peer has gone');
  }

  stop(): void {
    for (const stream of this.#connections.keys()) this.#context.ports.closeStream?.(stream);
    this.#connections.clear();
    this.#dials.clear();
  }

  get size(): number {
    return this.#connections.size;
  }

  #endOf(connection: Connection, nowMs: number): string | undefined {
    const { streamProofMs, streamIdleMs } = this.#context.times;
    if (!connection.isProven && nowMs - connection.sinceMs >= streamProofMs)
      return connection.isOpen ? 'nothing authentic came' : 'no connection';
    return nowMs - connection.lastReceivedMs >= streamIdleMs ? 'idle' : undefined;
  }

  #seeTo(user: StreamUser, nowMs: number): void {
    const dial = this.#dials.get(user) ?? { stream: undefined, attempts: 0, nextMs: 0 };
    if (dial.stream !== undefined || !user.wantsStream || nowMs < dial.nextMs) return;
    this.#dials.set(user, dial);
    const endpoint = user.tcpEndpoints[dial.attempts % user.tcpEndpoints.length];
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(dial.attempts, 16));
    dial.attempts++;
    // Half fixed, half by chance: routers that lost the same peer must not come back all at once.
    dial.nextMs = nowMs + pauseMs * (0.5 + 0.5 * this.#context.chance());
    if (endpoint === undefined) return;
    const stream = this.#context.ports.connectStream?.(endpoint.address, endpoint.port);
    this.#context.counters.add(stream === undefined ? 'tcp_dial_failed' : 'tcp_dialled');
    if (stream === undefined) return;
    dial.stream = stream;
    const path = { ...endpoint, stream };
    const state = { isOpen: false, isProven: false, lastReceivedMs: nowMs };
    this.#connections.set(stream, { path, sinceMs: nowMs, user, ...state });
  }

  #makeRoom(path: DatagramAddress): void {
    const strangers = [...this.#connections].filter(([, { user }]) => user === undefined);
    const same = strangers.filter(([, other]) => hostOf(other.path) === hostOf(path));
    const oldest = same.length >= MAX_STRANGERS_EACH ? same[0] : undefined;
    const victim = oldest ?? (strangers.length >= MAX_STRANGERS ? strangers[0] : undefined);
    if (victim !== undefined) this.#close(victim[0], 'too many');
  }

  #close(stream: number, reason: string): void {
    this.#context.ports.closeStream?.(stream);
    this.#context.counters.add('tcp_given_up');
    this.#forget(stream, reason);
  }

  #forget(stream: number, reason: string): void {
    const connection = this.#connections.get(stream);
    this.#connections.delete(stream);
    for (const dial of this.#dials.values()) if (dial.stream === stream) dial.stream = undefined;
    connection?.user?.streamClosed(connection.path, reason);
  }

  get #nowMs(): number {
    return this.#clock.nowMs();
  }

  get #clock(): Clock {
    return this.#context.ports.clock;
  }
}

/** Of IPv6 the first 64 bits: one subscriber has all the rest. */
function hostOf({ address }: DatagramAddress): string {
  return Buffer.from(address.length === 16 ? address.subarray(0, 8) : address).toString('hex');
}
