/** The flow memory's model: what native/engine/flow_memory.cc does, over the same shared memory. */
import { Action, D, DESCRIPTOR_WORDS, FlowNote, Kind } from '../../src/dataplane/engine.js';
import type { EngineFlows } from '../../src/dataplane/flows/engine-flows.js';
import {
  E,
  F,
  FLOW_ENTRY_WORDS,
  FLOW_HEADER_WORDS,
  FLOW_MAGIC,
  FlowFlag,
  FlowKind,
} from '../../src/dataplane/flows/flow-memory.js';
import { decrementTtl } from '../../src/dataplane/forward/packet.js';
import { TCP } from '../../src/net/ip-protocol.js';
import { bucketOf, GENERATION_WORDS, NO_GENERATION } from '../../src/tables/forwarding/generations.js';
import { fragmentPacket, splitPacket } from './fake-segment.js';

const KEY_WORDS = E.generation - E.kind;
const UPPER_LAYERS = [4, 6, 17, 41, 47, 50, 58, 132];
const ALL_HOPS = 4;
const LEAST_V6_MTU = 1_280;

interface Parsed {
  readonly key: readonly number[];
  /** False: TypeScript decides, whatever entry there is. */
  readonly isPlain: boolean;
  readonly offset: number;
  readonly length: number;
  readonly isV6: boolean;
}

export class FakeFlows {
  /** By name: what has happened. */
  readonly counts = { flowHits: 0, flowMisses: 0, flowStale: 0, flowsReplaced: 0 };
  readonly #flows: EngineFlows;
  readonly #words: Int32Array;
  readonly #wide: BigUint64Array;
  readonly #generations: Int32Array;
  readonly #packetCounters: Float64Array;
  readonly #vnetCounters: Float64Array;
  readonly #activity: Int32Array;
  readonly #lastUsed = new Map<number, number>();
  #batch = 0;

  constructor(flows: EngineFlows) {
    if (!(flows.memory instanceof SharedArrayBuffer)) throw new TypeError('memory');
    this.#flows = flows;
    this.#words = new Int32Array(flows.memory);
    if (this.#words[F.magic] !== FLOW_MAGIC) throw new RangeError('memory');
    this.#wide = new BigUint64Array(flows.memory);
    const generations = new Int32Array(flows.generations);
    if (flows.generationsWord + GENERATION_WORDS > generations.length) throw new RangeError('generations');
    this.#generations = generations.subarray(flows.generationsWord);
    this.#packetCounters = new Float64Array(flows.packetCounters);
    this.#vnetCounters = new Float64Array(flows.vnetCounters);
    this.#activity = new Int32Array(flows.activity);
  }

  turn(): void {
    Atomics.add(new Int32Array(this.#flows.turns), 0, 1);
  }

  /** @returns numbers of the descriptors that are not known */
  forward(filled: number, packets: Uint8Array, descriptors: Int32Array): number[] {
    this.#batch++;
    const left: number[] = [];
    for (let i = 0; i < filled; i++) {
      const words = descriptors.subarray(i * DESCRIPTOR_WORDS, (i + 1) * DESCRIPTOR_WORDS);
      if (!this.#forwardOne(packets, words)) left.push(i);
    }
    this.counts.flowHits += filled - left.length;
    this.counts.flowMisses += left.length;
    return left;
  }

  note(packets: Uint8Array, words: Int32Array): void {
    const flags = words[D.flow] ?? 0;
    if ((flags & FlowNote.forwarded) === 0 || (flags & FlowNote.keyed) === 0) return;
    const [offset = 0, length = 0] = [words[D.offset], words[D.length]];
    if (offset < 0 || length < 0 || offset + length > packets.length) return;
    const isV6 = (packets[offset] ?? 0) >>> 4 === 6;
    if (length < (isV6 ? 40 : 20)) return;
    const kind =
      (flags & FlowNote.overlay) !== 0
        ? FlowKind.overlay
        : (flags & FlowNote.bare) !== 0
          ? FlowKind.bare
          : FlowKind.frame;
    const key = keyOf(packets.subarray(offset), isV6, kind, words, words[D.flowVnet] ?? 0);
    const isKept = (flags & FlowNote.keep) !== 0 && words[D.flowGeneration] === this.#generationOf(key);
    const known = this.#find(key);
    const entry = known ?? this.#make(key);
    const isNew = known === undefined || !this.#goesSameWay(known, words);
    if (known !== undefined && isNew) {
      this.#handOver(known);
      this.#start(known, key);
    }
    if (isNew || isKept) this.#write(entry, words, isKept ? (words[D.flowGeneration] ?? 0) : NO_GENERATION);
    this.#countPacket(entry, words, packets.subarray(offset, offset + length));
  }

  #goesSameWay(entry: number, words: Int32Array): boolean {
    return (
      ((this.#words[entry + E.action] ?? 0) & 0xff) === words[D.action] &&
      this.#words[entry + E.to] === words[D.to] &&
      (this.#words[entry + E.vnetHops] ?? 0) >> 8 === ((words[D.flowVnet] ?? 0) & 0xffff)
    );
  }

  #forwardOne(packets: Uint8Array, words: Int32Array): boolean {
    const parsed = parse(packets, words);
    words[D.flowGeneration] = parsed === undefined ? NO_GENERATION : this.#generationOf(parsed.key);
    const entry = parsed && this.#find(parsed.key);
    if (parsed === undefined || entry === undefined) return false;
    const word = (at: number): number => this.#words[entry + at] ?? 0;
    if (word(E.generation) !== words[D.flowGeneration]) {
      if (word(E.generation) !== NO_GENERATION) this.counts.flowStale++;
      return false;
    }
    const spends = ((word(E.action) >> 8) & FlowFlag.spendsTtl) !== 0;
    const ttlAt = parsed.offset + (parsed.isV6 ? 7 : 8);
    const hasHop = !spends || (packets[ttlAt] ?? 0) > 1;
    const mayPass =
      parsed.isPlain && hasHop && fits(packets, words, parsed, word(E.action) & 0xff, word(E.mtu));
    if (!mayPass || word(E.batch) === this.#batch) {
      this.#words[entry + E.batch] = this.#batch;
      return false;
    }
    words[D.offset] = parsed.offset;
    words[D.length] = parsed.length;
    words[D.action] = word(E.action) & 0xff;
    for (const [to, from] of [
      [D.to, E.to],
      [D.outMacHigh, E.outMacHigh],
      [D.outMacLow, E.outMacLow],
      [D.mtu, E.mtu],
    ] as const)
      words[to] = word(from);
    words[D.vnet] = word(E.vnetHops) >> 8;
    words[D.hops] = word(E.vnetHops) & 0xff;
    if (spends) decrementTtl(packets, parsed.offset, parsed.isV6 ? 6 : 4);
    const counters = word(E.counter) >>> 0;
    add(this.#packetCounters, counters & 0xffff, 1);
    if (counters >>> 16 > 0) add(this.#packetCounters, (counters >>> 16) - 1, 1);
    if (word(E.vnetCounter) >= 0) {
      add(this.#vnetCounters, word(E.vnetCounter), 1);
      add(this.#vnetCounters, word(E.vnetCounter) + 1, parsed.length);
    }
    const machines = this.#activity.length / 2;
    if (word(E.heard) >= 0 && word(E.heard) < machines) add(this.#activity, machines + word(E.heard), 1);
    if (word(E.sent) >= 0 && word(E.sent) < machines) add(this.#activity, word(E.sent), 1);
    this.#countPacket(entry, words, packets.subarray(parsed.offset, parsed.offset + parsed.length));
    return true;
  }

  #generationOf(key: readonly number[]): number {
    const word = (at: number): number => key[at - E.kind] ?? 0;
    const address = (at: number): number => bucketOf(word(at), word(at + 1), word(at + 2), word(at + 3));
    const buckets = [
      0,
      address(E.source),
      address(E.destination),
      bucketOf(0, 0, word(E.macsHigh) >>> 16, word(E.srcMacLow)),
      bucketOf(0, 0, word(E.macsHigh) & 0xffff, word(E.dstMacLow)),
    ];
    return buckets.reduce((sum, bucket) => (sum + Atomics.load(this.#generations, bucket)) | 0, 0);
  }

  #keyAt(entry: number): readonly number[] {
    return [...this.#words.subarray(entry + E.kind, entry + E.generation)];
  }

  #setOf(key: readonly number[]): number {
    let h = this.#words[F.seed] ?? 0;
    for (const word of key) {
      h = Math.imul(h ^ word, 0x9e3779b1);
      h ^= h >>> 15;
    }
    h = Math.imul(h, 0x85ebca6b);
    h ^= h >>> 13;
    return h & ((this.#words[F.entries] ?? 0) / 2 - 1);
  }

  /** Offset of the entry's first word. */
  #find(key: readonly number[]): number | undefined {
    const set = this.#setOf(key);
    for (const way of [0, 1]) {
      const entry = offsetOf(2 * set + way);
      if (this.#words[entry + E.serial] === 0) continue;
      if (key.some((word, i) => this.#words[entry + E.kind + i] !== word)) continue;
      this.#lastUsed.set(set, way);
      return entry;
    }
    return undefined;
  }

  #make(key: readonly number[]): number {
    const set = this.#setOf(key);
    const ways = [0, 1];
    const entryOf = (way: number): number => offsetOf(2 * set + way);
    const way =
      ways.find((one) => this.#words[entryOf(one) + E.serial] === 0) ??
      ways.find(
        (one) => this.#words[entryOf(one) + E.generation] !== this.#generationOf(this.#keyAt(entryOf(one))),
      ) ??
      1 - (this.#lastUsed.get(set) ?? 0);
    this.#lastUsed.set(set, way);
    const entry = entryOf(way);
    if (this.#words[entry + E.serial] === 0) {
      add(this.#words, F.used, 1);
    } else {
      this.#handOver(entry);
      this.counts.flowsReplaced++;
    }
    this.#start(entry, key);
    return entry;
  }

  #start(entry: number, key: readonly number[]): void {
    add(this.#words, F.serial, 1);
    Atomics.add(this.#words, entry + E.sequence, 1);
    this.#words[entry + E.serial] = this.#words[F.serial] ?? 0;
    for (const [i, word] of key.entries()) this.#words[entry + E.kind + i] = word;
    this.#words[entry + E.batch] = 0;
    this.#wide[(entry + E.packets) / 2] = 0n;
    this.#wide[(entry + E.bytes) / 2] = 0n;
    Atomics.add(this.#words, entry + E.sequence, 1);
  }

  #handOver(entry: number): void {
    const [head = 0, ring = 0] = [this.#words[F.head], this.#words[F.ring]];
    if (((head - (this.#words[F.tail] ?? 0)) | 0) >= ring) {
      const [packets = 0n, bytes = 0n] = [
        this.#wide[(entry + E.packets) / 2],
        this.#wide[(entry + E.bytes) / 2],
      ];
      this.#unattributed(packets, bytes);
      return;
    }
    const place = offsetOf((this.#words[F.entries] ?? 0) + (head & (ring - 1)));
    this.#words.copyWithin(place, entry, entry + FLOW_ENTRY_WORDS);
    this.#words[place + E.sequence] = (entry - offsetOf(0)) / FLOW_ENTRY_WORDS;
    Atomics.add(this.#words, F.head, 1);
  }

  #write(entry: number, words: Int32Array, generation: number): void {
    const flags = ((words[D.flow] ?? 0) & FlowNote.spendsTtl) !== 0 ? FlowFlag.spendsTtl : 0;
    this.#words[entry + E.action] = ((words[D.action] ?? 0) & 0xff) | (flags << 8);
    this.#words[entry + E.vnetHops] =
      (((words[D.flowVnet] ?? 0) & 0xffff) << 8) | ((words[D.hops] ?? 0) & 0xff);
    for (const [to, from] of [
      [E.to, D.to],
      [E.outMacHigh, D.outMacHigh],
      [E.outMacLow, D.outMacLow],
      [E.mtu, D.mtu],
      [E.counter, D.flowCounter],
      [E.vnetCounter, D.flowVnetCounter],
      [E.heard, D.flowHeard],
      [E.sent, D.flowSent],
    ] as const)
      this.#words[entry + to] = words[from] ?? 0;
    this.#words[entry + E.generation] = generation;
  }

  #countPacket(entry: number, words: Int32Array, packet: Uint8Array): void {
    const lengths = travellingLengths(packet, words);
    this.#addWide(entry + E.bytes, BigInt(lengths.reduce((sum, length) => sum + length, 0)));
    this.#addWide(entry + E.packets, BigInt(lengths.length));
    Atomics.add(this.#words, F.counted, 1);
  }

  #unattributed(packets: bigint, bytes: bigint): void {
    this.#addWide(F.unattributedPackets, packets);
    this.#addWide(F.unattributedBytes, bytes);
  }

  #addWide(word: number, amount: bigint): void {
    Atomics.add(this.#wide, word / 2, amount);
  }
}

/** Cuts as the sender does, and looks. */
function travellingLengths(packet: Uint8Array, words: Int32Array): readonly number[] {
  const isCutHere = words[D.action] === Action.tunnel || words[D.action] === Action.bare;
  const mtu = isCutHere && (words[D.mtu] ?? 0) > 0 ? (words[D.mtu] ?? 0) : Number.MAX_SAFE_INTEGER;
  const offload = {
    gsoType: words[D.gsoType] ?? 0,
    gsoSize: words[D.gsoSize] ?? 0,
    flags: words[D.flags] ?? 0,
    checksumStart: words[D.checksumStart] ?? 0,
    checksumOffset: words[D.checksumOffset] ?? 0,
  };
  const parts = splitPacket(packet, offload, mtu) ?? [packet];
  return parts.flatMap((part) => fragmentPacket(part, mtu).map(({ length }) => length));
}

function offsetOf(entry: number): number {
  return FLOW_HEADER_WORDS + entry * FLOW_ENTRY_WORDS;
}

function add(counts: Float64Array | Int32Array, at: number, amount: number): void {
  if (at < counts.length) counts[at] = (counts[at] ?? 0) + amount;
}

/** Undefined: no packet that could have an entry. */
function parse(packets: Uint8Array, words: Int32Array): Parsed | undefined {
  const [from = -1, kind] = [words[D.from], words[D.kind]];
  let [offset = 0, length = 0] = [words[D.offset], words[D.length]];
  if (offset < 0 || length <= 0 || offset + length > packets.length || from < 0) return undefined;
  let [flowKind, vnet, hasAllHops]: [number, number, boolean] = [FlowKind.frame, 0, true];
  const hasNews = kind === Kind.message && words[D.sessionFlags] !== 0;
  if (kind === Kind.message) {
    flowKind = FlowKind.bare;
    if (packets[offset] === 0x10) {
      if (length < 4) return undefined;
      flowKind = FlowKind.overlay;
      hasAllHops = (packets[offset + 1] ?? 0) >= ALL_HOPS;
      vnet = ((packets[offset + 2] ?? 0) << 8) | (packets[offset + 3] ?? 0);
      offset += 4;
      length -= 4;
    }
  } else if (kind !== Kind.frame) return undefined;
  const packet = packets.subarray(offset, offset + length);
  const version = (packet[0] ?? 0) >>> 4;
  const isV6 = version === 6;
  if (length < 20 || (version !== 4 && !isV6) || (isV6 && length < 40)) return undefined;
  const key = keyOf(packet, isV6, flowKind, words, vnet);
  let isSound = true;
  if (flowKind !== FlowKind.frame) {
    const stated = isV6 ? 40 + u16(packet, 4) : u16(packet, 2);
    isSound = stated <= length && stated > (isV6 ? 40 : 19);
    length = stated;
  }
  const isUnadorned = isV6
    ? UPPER_LAYERS.includes(packet[6] ?? 0)
    : packet[0] === 0x45 && (u16(packet, 6) & 0x3fff) === 0;
  return { key, isPlain: isSound && hasAllHops && !hasNews && isUnadorned, offset, length, isV6 };
}

function keyOf(
  packet: Uint8Array,
  isV6: boolean,
  kind: number,
  words: Int32Array,
  vnet: number,
): readonly number[] {
  const isFrame = kind === FlowKind.frame;
  const macsHigh = ((words[D.srcMacHigh] ?? 0) << 16) | ((words[D.dstMacHigh] ?? 0) & 0xffff);
  const addresses = isV6
    ? [8, 12, 16, 20, 24, 28, 32, 36].map((at) => i32(packet, at))
    : [0, 0, 0, i32(packet, 12), 0, 0, 0, i32(packet, 16)];
  const key = [
    (isV6 ? 6 : 4) | (kind << 8),
    words[D.from] ?? 0,
    kind === FlowKind.overlay ? vnet : 0,
    ...addresses,
    isFrame ? macsHigh : 0,
    isFrame ? (words[D.srcMacLow] ?? 0) : 0,
    isFrame ? (words[D.dstMacLow] ?? 0) : 0,
  ];
  if (key.length !== KEY_WORDS) throw new Error('the key has other words');
  return key;
}

function fits(
  packets: Uint8Array,
  words: Int32Array,
  { offset, length, isV6 }: Parsed,
  action: number,
  mtu: number,
): boolean {
  if (action !== Action.tunnel && action !== Action.bare) return true;
  const header = isV6 ? 40 : 20;
  const protocol = packets[offset + (isV6 ? 6 : 9)] ?? 0;
  if (protocol === TCP) return length >= header + 20 && ((packets[offset + header + 13] ?? 0) & 2) === 0;
  if (!isV6 && (u16(packets, offset + 6) & 0x4000) === 0) return true;
  const part = words[D.gsoType] === 0 ? length : Math.min(length, header + 8 + (words[D.gsoSize] ?? 0));
  return part <= (isV6 ? Math.max(mtu, LEAST_V6_MTU) : mtu);
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function i32(bytes: Uint8Array, at: number): number {
  return (u16(bytes, at) << 16) | u16(bytes, at + 2);
}
