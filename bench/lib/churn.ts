/**
 * A third router that makes work: it speaks the real tunnel protocol with the real `Tunnel` and the real engine, has no
 * LAN, and originates host routes for an absent router's network, many at once and then some every few milliseconds.
 *   node churn.js CONFIG-DIRECTORY ROUTES UPDATES-PER-SECOND
 * SIGUSR2 makes the updates begin, the next one makes them stand still, and so on.
 * What is sent to it is checked: only addresses of that network may come. One JSON line a second on stdout.
 */
import { gndtDigest } from '../../src/config/digest.js';
import { loadConfigDirectory, type VineConfig } from '../../src/config/load.js';
import { D, DESCRIPTOR_WORDS, type Engine, EngineCounter, Kind } from '../../src/dataplane/engine.js';
import { loadNative } from '../../src/dataplane/native.js';
import { Ip } from '../../src/net/ip.js';
import type { Mac } from '../../src/net/mac.js';
import { systemClock } from '../../src/net/system-clock.js';
import { ownInnerMtu } from '../../src/protocol/overhead.js';
import { toIp } from '../../src/router/address-words.js';
import { tunnelPorts } from '../../src/router/tunnel-ports.js';
import { Directory } from '../../src/tables/directory.js';
import type { NodeRecord } from '../../src/tables/model.js';
import { Tunnel } from '../../src/tunnel/tunnel.js';
import { pause, waitFor } from '../../test/lab/wait.js';

export interface ChurnReport {
  readonly loaded: boolean;
  /** Records sent after loading: each sets or removes one host route at every router. */
  readonly updates: number;
  /** Data packets that came, and those of them that never should have come here. */
  readonly received: number;
  readonly astray: number;
}

const VNET = 1;
/** 10.64.0.0, and behind it as many addresses as wanted. */
const FIRST = 0x0a400000;
const TICK_MS = 10;
const LOAD_CHUNK = 250;
const POLL_MS = 2;
const OVERLAY_BYTES = 4;

function configuration(directory: string): VineConfig {
  const loaded = loadConfigDirectory(directory);
  if ('errors' in loaded) throw new Error(JSON.stringify(loaded.errors));
  return loaded.config;
}

class Churn {
  readonly #directory: Directory;
  readonly #tunnel: Tunnel;
  readonly #engine: Engine;
  readonly #routes: number;
  #next = 0;
  #loaded = false;
  #goesOn = false;
  #updates = 0;
  #received = 0;
  #astray = 0;

  constructor(config: VineConfig, routes: number) {
    const native = loadNative();
    const { id, listen } = config.router;
    const endpoint = listen[0];
    if (endpoint === undefined) throw new Error('no listen');
    const udp = [native.openUdp(endpoint.address.toBytes(), endpoint.port)];
    this.#routes = routes;
    this.#directory = new Directory(id, systemClock);
    this.#engine = native.createEngine({
      role: 'tunnel',
      lans: [],
      lanRoles: new SharedArrayBuffer(0),
      tuns: [],
      udp,
      wakeupFd: native.createWakeup(),
      slots: 64,
      slotBytes: 66_560,
      counters: new SharedArrayBuffer(EngineCounter.count * 8),
    });
    this.#tunnel = new Tunnel({
      gndt: config.gndt,
      self: id,
      privateKey: config.privateKey,
      description: {
        version: 'churn',
        capabilities: [],
        gndtDigest: gndtDigest(config.gndt),
        innerMtuBytes: ownInnerMtu([]),
      },
      ports: tunnelPorts(native, udp, () => new Uint8Array(8)),
      listeners: { message: () => {}, up: () => {}, down: (router) => console.error(`${router} is down`) },
    });
    this.#tunnel.start();
    process.on('SIGUSR2', () => {
      this.#goesOn = !this.#goesOn;
    });
    setInterval(() => this.#poll(), POLL_MS);
    setInterval(() => this.#report(), 1000);
  }

  async run(perSecond: number): Promise<void> {
    await waitFor('both routers', () => this.#tunnel.upPeers().length === 2, 30_000);
    for (let n = 0; n < this.#routes; n += LOAD_CHUNK) {
      const chunk = Array.from({ length: Math.min(LOAD_CHUNK, this.#routes - n) }, (_, i) =>
        this.#here(n + i),
      );
      this.#send(chunk);
      await pause(TICK_MS);
    }
    this.#loaded = true;
    if (perSecond === 0) return;
    // By the clock, not by ticks: a late tick sends what the missed ones should have sent.
    let seenMs = systemClock.nowMs();
    let due = 0;
    setInterval(() => {
      const nowMs = systemClock.nowMs();
      if (this.#goesOn) due += ((nowMs - seenMs) * perSecond) / 1000;
      seenMs = nowMs;
      const records = Array.from({ length: Math.floor(due) }, () => this.#flip());
      due -= records.length;
      this.#updates += records.length;
      if (records.length > 0) this.#send(records);
    }, TICK_MS);
  }

  #address(n: number): Ip {
    return Ip.v4((FIRST + 1 + n) >>> 0);
  }

  #here(n: number): NodeRecord {
    return this.#directory.originate(VNET, this.#address(n), (0x525400000000 + n) as Mac, 1);
  }

  /** The next node in turn goes, or is there again. */
  #flip(): NodeRecord {
    const n = this.#next++ % this.#routes;
    return this.#directory.withdraw(VNET, this.#address(n)) ?? this.#here(n);
  }

  #send(records: readonly NodeRecord[]): void {
    for (const peer of this.#tunnel.upPeers()) this.#tunnel.send(peer, { type: 'records', records });
  }

  #poll(): void {
    for (let filled = this.#engine.receive(0); filled > 0; filled = this.#engine.receive(0)) {
      for (let i = 0; i < filled; i++) this.#take(i);
    }
  }

  #take(i: number): void {
    const word = (field: number): number => this.#engine.descriptors[i * DESCRIPTOR_WORDS + field] ?? 0;
    const bytes = this.#engine.packets.slice(word(D.offset), word(D.offset) + word(D.length));
    if (word(D.kind) === Kind.handshake) {
      const words = [D.sourceWord0, D.sourceWord1, D.sourceWord2, D.sourceWord3].map(word);
      const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = words;
      const family = word(D.sourceFamily) === 6 ? 6 : 4;
      const address = toIp({ family, words: [w0, w1, w2, w3] }).toBytes();
      this.#tunnel.handshakeReceived(bytes, { address, port: word(D.sourcePort) });
      return;
    }
    if ((word(D.sessionFlags) & 1) !== 0) this.#tunnel.sessionConfirmed(word(D.from), word(D.session) >>> 0);
    const first = bytes[0] ?? 0;
    if (first >>> 4 === 2) this.#tunnel.controlReceived(word(D.from), bytes);
    else if (first === 0x10) this.#data(bytes);
  }

  #data(payload: Uint8Array): void {
    this.#received++;
    const view = new DataView(payload.buffer, payload.byteOffset + OVERLAY_BYTES);
    const n = view.getUint32(16) - FIRST - 1;
    if (view.getUint8(0) >>> 4 !== 4 || n < 0 || n >= this.#routes) this.#astray++;
  }

  #report(): void {
    const report: ChurnReport = {
      loaded: this.#loaded,
      updates: this.#updates,
      received: this.#received,
      astray: this.#astray,
    };
    console.log(JSON.stringify(report));
  }
}

const [directory = '', routes = '', perSecond = ''] = process.argv.slice(2);
await new Churn(configuration(directory), Number(routes)).run(Number(perSecond));
