/** Engines in pairs, and short ways to hand them packets and to see what they say. */
import { randomBytes } from 'node:crypto';
import {
  D,
  DESCRIPTOR_WORDS,
  type Engine,
  EngineCounter,
  type LanSocket,
  type NativeAddon,
  PeerStat,
  type SessionKeys,
  type TunSocket,
  type UdpSocket,
} from '../../src/dataplane/engine.js';
import type { EngineFlows } from '../../src/dataplane/flows/engine-flows.js';
import { LanRoles } from '../../src/dataplane/lan-roles.js';
import { GENERATION_WORDS } from '../../src/tables/forwarding/generations.js';
import type { CipherName } from '../support/transport-message.js';
import { LOOPBACK, type World } from './world.js';

export type Fields = Partial<Record<keyof typeof D, number>>;
export type Described = Record<keyof typeof D, number> & { readonly bytes: Uint8Array };
export type CounterName = Exclude<keyof typeof EngineCounter, 'count'>;

/** For what must come, however busy the machine is. */
export const PATIENCE_MS = 10_000;
/** Their indexes are smaller. */
const MOST_LANS = 8;
/** Between two looks at a counter. */
const SHORT_MS = 50;

/** Sessions are one registry per process: every test takes numbers of its own. */
let lastPeer = 0;
let lastIndex = 0x1000;

export function newPeer(): number {
  lastPeer += 1;
  return lastPeer;
}

/** Also with the top bit set: indexes are random 32-bit numbers. */
export function newIndex(): number {
  lastIndex += 1;
  return (0x9000_0000 + lastIndex) >>> 0;
}

export interface RigOptions {
  readonly role: 'lan' | 'tunnel';
  readonly lans?: readonly LanSocket[];
  readonly tuns?: readonly TunSocket[];
  readonly udp?: readonly UdpSocket[];
  readonly streams?: boolean;
  readonly slots?: number;
  readonly slotBytes?: number;
  readonly counters?: SharedArrayBuffer;
  readonly lanRoles?: LanRoles;
  readonly flows?: EngineFlows;
}

/** One engine with its counters and its wake-up. */
export class Rig {
  readonly engine: Engine;
  readonly wakeupFd: number;
  readonly lanRoles: LanRoles;
  readonly #counters: SharedArrayBuffer;
  readonly #addon: NativeAddon;

  constructor(addon: NativeAddon, options: RigOptions) {
    this.#addon = addon;
    this.#counters = options.counters ?? new SharedArrayBuffer(EngineCounter.count * 8);
    this.lanRoles = options.lanRoles ?? LanRoles.create(MOST_LANS);
    this.wakeupFd = addon.createWakeup();
    this.engine = addon.createEngine({
      role: options.role,
      lans: options.lans ?? [],
      lanRoles: this.lanRoles.memory,
      tuns: options.tuns ?? [],
      udp: options.udp ?? [],
      wakeupFd: this.wakeupFd,
      streams: options.streams ?? false,
      slots: options.slots ?? 32,
      slotBytes: options.slotBytes ?? 66_000,
      counters: this.#counters,
      ...(options.flows === undefined ? {} : { flows: options.flows }),
    });
  }

  counter(name: CounterName): number {
    return Number(new BigUint64Array(this.#counters)[EngineCounter[name]]);
  }

  /** Puts a packet into scratch slot `i` and describes it; returns the descriptor's index. */
  place(i: number, packet: Uint8Array, fields: Fields): number {
    const offset = this.engine.scratchOffset(i);
    this.engine.packets.set(packet, offset);
    const index = this.engine.capacity + i;
    this.describe(index, { offset, length: packet.length, ...fields });
    return index;
  }

  describe(index: number, fields: Fields): void {
    const base = index * DESCRIPTOR_WORDS;
    this.engine.descriptors.fill(0, base, base + DESCRIPTOR_WORDS);
    for (const [name, value] of Object.entries(fields)) {
      this.engine.descriptors[base + D[name as keyof typeof D]] = value;
    }
  }

  send(packet: Uint8Array, fields: Fields): void {
    this.engine.send(this.place(0, packet, fields), 1);
  }

  /** Receives until `count` descriptors have come; fewer when nothing more comes for as long as `PATIENCE_MS`. */
  receive(count: number): Described[] {
    return this.receiveWhile((all) => all.length < count);
  }

  /** Receives as long as more is wanted, but for the time that nothing comes. */
  receiveWhile(isWanted: (all: readonly Described[]) => boolean): Described[] {
    const all: Described[] = [];
    while (isWanted(all)) {
      const batch = this.receiveOnce(PATIENCE_MS);
      if (batch.length === 0) break;
      all.push(...batch);
    }
    return all;
  }

  receiveOnce(timeoutMs: number): Described[] {
    const filled = this.engine.receive(timeoutMs);
    return Array.from({ length: filled }, (_, i) => this.read(i));
  }

  /** Receives until a counter has reached a value: for what leaves no descriptor. Returns all that came meanwhile. */
  receiveUntil(name: CounterName, value: number): Described[] {
    const all: Described[] = [];
    const tries = PATIENCE_MS / SHORT_MS;
    for (let i = 0; i < tries && this.counter(name) < value; i++) all.push(...this.receiveOnce(SHORT_MS));
    return all;
  }

  /** What a descriptor says now. */
  read(index: number): Described {
    const base = index * DESCRIPTOR_WORDS;
    const word = (name: keyof typeof D) => this.engine.descriptors[base + D[name]] ?? 0;
    const names = Object.keys(D) as (keyof typeof D)[];
    const fields = Object.fromEntries(names.map((name) => [name, word(name)]));
    const bytes = this.engine.packets.slice(word('offset'), word('offset') + word('length'));
    return { ...(fields as Record<keyof typeof D, number>), bytes };
  }

  close(): void {
    this.engine.close();
    this.#addon.closeSocket(this.wakeupFd);
  }
}

/** One end of a session: an engine of role `tunnel`, its socket, and its number for the other end. */
export interface End {
  readonly rig: Rig;
  readonly udp: UdpSocket;
  readonly peer: number;
  readonly keys: SessionKeys;
}

export interface Pair {
  readonly a: End;
  readonly b: End;
  close(): void;
}

export interface PairOptions {
  readonly cipher?: CipherName;
  /** A flow memory of end a. */
  readonly memory?: SharedArrayBuffer;
  readonly family?: 4 | 6;
}

/** Two ends with one session between them, current at both. */
export function openPair(world: World, options: PairOptions = {}): Pair {
  const { addon } = world;
  const family = options.family ?? 4;
  const cipher = options.cipher ?? 'chacha20-poly1305';
  const [keyAb, keyBa] = [randomBytes(32), randomBytes(32)];
  const [indexA, indexB] = [newIndex(), newIndex()];
  const flowsOfA = options.memory === undefined ? {} : { flows: flowsOf(options.memory) };
  const ends = [
    { localIndex: indexA, remoteIndex: indexB, sendKey: keyAb, receiveKey: keyBa, cipher },
    { localIndex: indexB, remoteIndex: indexA, sendKey: keyBa, receiveKey: keyAb, cipher },
  ].map((keys, i) => {
    const udp = addon.openUdp(LOOPBACK[family], 0);
    const rig = new Rig(addon, { role: 'tunnel', udp: [udp], slots: 64, ...(i === 0 ? flowsOfA : {}) });
    return { keys, udp, peer: newPeer(), rig };
  });
  const [a, b] = ends;
  if (a === undefined || b === undefined) throw new Error('a pair has two ends');
  for (const [end, other] of [
    [a, b],
    [b, a],
  ] as const) {
    addon.setPeerEndpoint(end.peer, end.udp.fd, LOOPBACK[family], other.udp.port);
    addon.installSession(end.peer, end.keys);
    addon.setCurrentSession(end.peer, end.keys.localIndex);
  }
  const close = () => {
    for (const end of [a, b]) {
      end.rig.close();
      addon.removePeer(end.peer);
      addon.closeSocket(end.udp.fd);
    }
  };
  return { a, b, close };
}

/** With books that nobody looks at. */
function flowsOf(memory: SharedArrayBuffer): EngineFlows {
  const shared = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);
  return {
    memory,
    generations: shared(4 * GENERATION_WORDS),
    generationsWord: 0,
    packetCounters: shared(8),
    vnetCounters: shared(8),
    activity: shared(8),
    stop: shared(4),
    turns: shared(4),
  };
}

export function peerStat(
  addon: NativeAddon,
  peer: number,
  stat: Exclude<keyof typeof PeerStat, 'count'>,
): number {
  const out = new Float64Array(PeerStat.count);
  addon.peerStats(peer, out);
  return out[PeerStat[stat]] ?? Number.NaN;
}
