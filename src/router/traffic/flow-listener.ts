/**
 * Hears exporters on UDP (`traffic.listen`). Only those of this site are heard, each so often and no more: what they tell is read
 * where moves are decided too.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { Clock } from '../../net/clock.js';
import { Ip } from '../../net/ip.js';
import { KeyedRateLimit, type Rate, RateLimit } from '../../net/rate-limit.js';
import { messageOf } from '../../net/system-error.js';
import { formatEndpoint } from '../../tables/files/endpoint-text.js';
import type { Gndt } from '../../tables/gndt.js';
import type { Endpoint, TrafficConfig } from '../../tables/model.js';
import type { TrafficCounters } from '../../traffic/asking/authority.js';
import { costOf, FlowDecoder } from '../../traffic/collect/decoder.js';
import type { Decoded } from '../../traffic/collect/seen-flow.js';
import type { Prepared } from '../reload/prepared.js';

/** Datagrams (`costOf`) of one exporter, and of all. A full one has some 30 flows; Open vSwitch's have one, and all of a cache come at once. */
const EACH: Rate = { perSecond: 500, burst: 4_000 };
const ALL: Rate = { perSecond: 1_000, burst: 8_000 };
const MOST_EXPORTERS = 256;
/** An exporter tells all that has ended at once. */
const RECEIVE_BUFFER_BYTES = 1_048_576;

export interface FlowListenerOptions {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly gndt: Pick<Gndt, 'self' | 'config'>;
  readonly counters: TrafficCounters;
  readonly told: (decoded: Decoded) => void;
}

type Heard = Pick<TrafficConfig, 'listen' | 'exporters'>;

export class FlowListener {
  readonly #options: FlowListenerOptions;
  readonly #decoder = new FlowDecoder();
  readonly #each: KeyedRateLimit;
  readonly #all: RateLimit;
  /** By `formatEndpoint`. */
  #sockets: ReadonlyMap<string, Socket> = new Map();
  #exporters: Heard['exporters'];

  constructor(options: FlowListenerOptions) {
    this.#options = options;
    this.#each = new KeyedRateLimit(options.clock, EACH, MOST_EXPORTERS);
    this.#all = new RateLimit(options.clock, ALL);
  }

  /** @returns a problem with an address; the router works without its exporters */
  async start(heard: Heard): Promise<string | undefined> {
    const prepared = await this.prepare(heard, false);
    if (typeof prepared === 'string') return prepared;
    prepared.commit();
    return undefined;
  }

  /** @param lenient rather not heard there than a problem */
  async prepare({ listen, exporters }: Heard, lenient: boolean): Promise<Prepared | string> {
    const before = this.#sockets;
    const opened = new Map<string, Socket>();
    const closeOpened = (): void => {
      for (const socket of opened.values()) socket.close();
    };
    for (const [i, endpoint] of listen.entries()) {
      const key = formatEndpoint(endpoint);
      if (before.has(key) || opened.has(key)) continue;
      const socket = await this.#open(endpoint);
      if (typeof socket !== 'string') opened.set(key, socket);
      else if (!lenient) {
        closeOpened();
        return `router.json: traffic.listen[${i}]: cannot listen on ${key}: ${socket}`;
      }
    }
    const wanted = new Set(listen.map(formatEndpoint));
    const commit = (): void => {
      for (const [key, socket] of before) if (!wanted.has(key)) socket.close();
      this.#sockets = new Map([...[...before].filter(([key]) => wanted.has(key)), ...opened]);
      this.#exporters = exporters;
    };
    return { commit, abandon: closeOpened };
  }

  stop(): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets = new Map();
  }

  /** Where it is heard, as the system says; port 0 has become one. */
  get addresses(): readonly { readonly address: string; readonly port: number }[] {
    return [...this.#sockets.values()].map((socket) => socket.address());
  }

  #open({ address, port }: Endpoint): Promise<Socket | string> {
    const recvBufferSize = RECEIVE_BUFFER_BYTES;
    const socket =
      address.family === 4
        ? createSocket({ type: 'udp4', recvBufferSize })
        : createSocket({ type: 'udp6', ipv6Only: true, recvBufferSize });
    return new Promise((resolve) => {
      socket.once('error', (error) => {
        socket.close();
        resolve(messageOf(error));
      });
      socket.bind({ address: address.key, port, exclusive: true }, () => {
        socket.removeAllListeners('error');
        socket.on('error', () => this.#options.counters.count('traffic_flows_dropped_socket'));
        socket.on('message', (datagram, from) => this.#received(datagram, from));
        socket.unref();
        resolve(socket);
      });
    });
  }

  #received(datagram: Uint8Array, { address, port }: RemoteInfo): void {
    const { counters, told } = this.#options;
    const from = Ip.parse(address);
    if (from === undefined || !this.#isHeard(from)) {
      counters.count('traffic_flows_dropped_exporter');
      return;
    }
    // Its own limit first: who says too much must not use up what is there for the others.
    const cost = costOf(datagram);
    if (!this.#each.allow(from.key, cost) || !this.#all.allow(cost)) {
      counters.count('traffic_flows_dropped_too-soon');
      return;
    }
    counters.count('traffic_flow_datagrams');
    told(this.#decoder.decode(datagram, { address: from.key, port }));
  }

  #isHeard(ip: Ip): boolean {
    if (this.#exporters !== undefined) return this.#exporters.some((prefix) => prefix.contains(ip));
    const { config, self } = this.#options.gndt;
    if (ip.isLoopback) return true;
    return config.networks.some(({ prefix, router }) => router === self && prefix.contains(ip));
  }
}
