/** Sends what was counted in each period to IPFIX collectors, when the period has ended. */
import { createSocket, type Socket } from 'node:dgram';
import type { Clock, Timer } from '../../net/clock.js';
import type { Endpoint } from '../../tables/model.js';
import type { TrafficCounters } from '../../traffic/asking/authority.js';
import type { CountedPair } from '../../traffic/counted.js';
import { ipfixMessages } from '../../traffic/export/ipfix.js';
import { PERIOD_SECONDS } from '../../traffic/periods.js';

/** A full period has 250 messages: a collector's socket holds a few dozen. */
const MESSAGES_AT_ONCE = 16;
const PAUSE_MS = 20;

export interface ExporterOptions {
  readonly clock: Clock;
  readonly counters: TrafficCounters;
  readonly collectors: readonly Endpoint[];
  /** By which collectors tell routers behind one address apart. */
  readonly domain: number;
}

interface Collector {
  readonly endpoint: Endpoint;
  readonly socket: Socket;
}

export class Exporter {
  readonly #options: ExporterOptions;
  readonly #collectors: readonly Collector[];
  #sequence = 0;
  #timer: Timer | undefined;

  constructor(options: ExporterOptions) {
    this.#options = options;
    this.#collectors = options.collectors.map((endpoint) => {
      const socket = createSocket(endpoint.address.family === 4 ? 'udp4' : 'udp6');
      // What an ICMP error says of a message of before; there is another one in 30 s.
      socket.on('error', () => options.counters.count('traffic_export_failed'));
      socket.unref();
      return { endpoint, socket };
    });
  }

  get endpoints(): readonly Endpoint[] {
    return this.#options.collectors;
  }

  get isWanted(): boolean {
    return this.#collectors.length > 0;
  }

  export(startSeconds: number, pairs: readonly CountedPair[]): void {
    const { clock, domain } = this.#options;
    const known = pairs.filter(
      ({ source, destination }) => source !== undefined || destination !== undefined,
    );
    const period = {
      startMs: startSeconds * 1_000,
      endMs: (startSeconds + PERIOD_SECONDS) * 1_000,
      pairs: known,
    };
    const context = { exportSeconds: Math.floor(clock.wallMs() / 1_000), domain, sequence: this.#sequence };
    this.#sequence += known.length;
    this.#timer?.cancel();
    this.#send(ipfixMessages(period, context));
  }

  stop(): void {
    this.#timer?.cancel();
    for (const { socket } of this.#collectors) socket.close();
  }

  #send(messages: Generator<Uint8Array>): void {
    const { clock, counters } = this.#options;
    for (let i = 0; i < MESSAGES_AT_ONCE; i++) {
      const next = messages.next();
      if (next.done === true) return;
      for (const { endpoint, socket } of this.#collectors) {
        socket.send(next.value, endpoint.port, endpoint.address.key, (error) =>
          counters.count(error === null ? 'traffic_messages_exported' : 'traffic_export_failed'),
        );
      }
    }
    this.#timer = clock.after('traffic-export', PAUSE_MS, () => this.#send(messages));
  }
}
