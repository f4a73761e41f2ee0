/**
 * Hears sensors (`traffic.sensors`): programs on hypervisors that count for this router what stays on their bridges. Who has not the
 * token is refused, and counted; one that has it is heard so often and no more, as any exporter.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { readPresharedKey } from '../../config/keys.js';
import { bindSocket } from '../../control/socket.js';
import type { Clock } from '../../net/clock.js';
import type { Prefix } from '../../net/prefix.js';
import { KeyedRateLimit, type Rate } from '../../net/rate-limit.js';
import { messageOf } from '../../net/system-error.js';
import { listening } from '../../net/unix-socket.js';
import { Unproven } from '../../net/unproven.js';
import type { Gndt } from '../../tables/gndt.js';
import type { SensorsConfig } from '../../tables/model.js';
import type { TrafficCounters } from '../../traffic/asking/authority.js';
import { costOf, FlowDecoder } from '../../traffic/collect/decoder.js';
import type { Decoded } from '../../traffic/collect/seen-flow.js';
import {
  acceptance,
  greeting,
  NONCE_BYTES,
  REFUSED,
  readIntroduction,
} from '../../traffic/sensors/greeting.js';
import { SensorStream } from '../../traffic/sensors/stream.js';
import { NOTHING_TO_DO, type Prepared } from '../reload/prepared.js';

/** A sensor sends 147 messages of some 28 pairs at most, every ten seconds. */
const MESSAGES: Rate = { perSecond: 50, burst: 1_000 };
const MOST_SENSORS = 64;
/** Connections of one host that have not shown the token. */
export const MOST_UNPROVEN_OF_ONE = 8;
const GREETING_LIMIT_MS = 5_000;

export interface SensorListenerOptions {
  readonly clock: Pick<Clock, 'nowMs' | 'after'>;
  readonly gndt: Pick<Gndt, 'config'>;
  readonly counters: TrafficCounters;
  readonly told: (decoded: Decoded) => void;
}

export class SensorListener {
  readonly #options: SensorListenerOptions;
  readonly #decoder = new FlowDecoder();
  readonly #limit: KeyedRateLimit;
  readonly #sockets = new Set<Socket>();
  readonly #unproven = new Unproven(MOST_SENSORS, MOST_UNPROVEN_OF_ONE);
  #server: Server | undefined;
  #listen = '';
  #token: Uint8Array = new Uint8Array();

  constructor(options: SensorListenerOptions) {
    this.#options = options;
    this.#limit = new KeyedRateLimit(options.clock, MESSAGES, MOST_SENSORS);
  }

  /** @returns a problem with where or how they are to be heard; the router works without them */
  async start(sensors: SensorsConfig | undefined): Promise<string | undefined> {
    const prepared = await this.prepare(sensors, false);
    if (typeof prepared === 'string') return prepared;
    prepared.commit();
    return undefined;
  }

  /** A string is a problem with where or how they are to be heard. @param lenient rather none than a problem */
  async prepare(sensors: SensorsConfig | undefined, lenient: boolean): Promise<Prepared | string> {
    if (sensors === undefined)
      return this.#server === undefined ? NOTHING_TO_DO : this.#change(undefined, '');
    const key = JSON.stringify(sensors.listen);
    const token = readPresharedKey(sensors.tokenFile);
    const problem = 'problem' in token ? `tokenFile: ${token.problem}` : undefined;
    if ('value' in token && this.#server !== undefined && key === this.#listen)
      return this.#change(this.#server, key, token.value);
    const server = 'value' in token ? await this.#open(sensors.listen) : undefined;
    if ('value' in token && typeof server === 'object') return this.#change(server, key, token.value);
    return lenient ? this.#change(undefined, '') : `router.json: traffic.sensors.${problem ?? server}`;
  }

  stop(): void {
    this.#server?.close();
    this.#server = undefined;
    this.#hangUp();
  }

  /** Where it listens, as the system says. */
  get address(): ReturnType<Server['address']> {
    return this.#server?.address() ?? null;
  }

  async #open(listen: SensorsConfig['listen']): Promise<Server | string> {
    const server = createServer((socket) => this.#connected(socket));
    server.maxConnections = MOST_SENSORS;
    try {
      if ('path' in listen) await bindSocket(server, listen.path, 'traffic.sensors.listen');
      else await listening(server, { host: listen.address.key, port: listen.port, ipv6Only: true });
    } catch (error) {
      return `listen: ${messageOf(error)}`;
    }
    server.on('error', () => this.#options.counters.count('traffic_flows_dropped_socket'));
    server.on('drop', () => this.#options.counters.count('traffic_sensors_refused'));
    server.unref();
    return server;
  }

  /** Sensors come again, and show that they have the token that counts now. */
  #change(server: Server | undefined, listen: string, token: Uint8Array = new Uint8Array()): Prepared {
    const before = this.#server;
    return {
      commit: () => {
        if (before !== server) before?.close();
        if (before !== server || !Buffer.from(token).equals(this.#token)) this.#hangUp();
        this.#server = server;
        this.#listen = listen;
        this.#token = token;
      },
      abandon: () => {
        if (server !== before) server?.close();
      },
    };
  }

  #hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #connected(socket: Socket): void {
    const { clock, counters } = this.#options;
    const proven = this.#unproven.take(socket.remoteAddress);
    if (typeof proven === 'string') {
      counters.count(proven === 'too-many' ? 'traffic_sensors_refused' : 'traffic_sensors_refused_host');
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.unref();
    const nonce = randomBytes(NONCE_BYTES);
    const late = clock.after('sensor-greeting', GREETING_LIMIT_MS, () => refuse());
    const refuse = (): void => {
      counters.count('traffic_sensors_refused');
      socket.end(`${REFUSED}\n`, () => socket.destroy());
    };
    const stream = new SensorStream();
    let name: string | undefined;
    socket.on('error', () => {});
    socket.on('close', () => {
      late.cancel();
      proven();
      this.#sockets.delete(socket);
    });
    socket.on('data', (bytes) => {
      if (socket.writableEnded) return;
      stream.push(bytes);
      if (name === undefined) {
        const line = stream.line();
        if (line === undefined) return;
        late.cancel();
        name = line === 'bad' ? undefined : readIntroduction(this.#token, nonce, line.text);
        if (name === undefined) {
          refuse();
          return;
        }
        proven();
        counters.count('traffic_sensors_accepted');
        socket.write(`${acceptance(this.#links())}\n`);
      }
      if (!this.#read(stream, name)) socket.destroy();
    });
    socket.write(`${greeting(nonce)}\n`);
  }

  /** False: what comes makes no sense any more. */
  #read(stream: SensorStream, name: string): boolean {
    const { counters, told } = this.#options;
    for (let message = stream.message(); message !== undefined; message = stream.message()) {
      if (message === 'bad') {
        counters.count('traffic_flows_dropped_length');
        return false;
      }
      if (!this.#limit.allow(name, costOf(message))) {
        counters.count('traffic_flows_dropped_too-soon');
        continue;
      }
      counters.count('traffic_sensor_messages');
      told(this.#decoder.decode(message, { address: `sensor ${name}`, port: 0 }));
    }
    return true;
  }

  /** Nodes of any site may visit this one. */
  #links(): readonly Prefix[] {
    const { vnets, networks } = this.#options.gndt.config;
    const all = [...vnets.flatMap(({ subnet }) => subnet ?? []), ...networks.map(({ prefix }) => prefix)];
    return [...new Map(all.map((prefix) => [prefix.key, prefix])).values()];
  }
}
