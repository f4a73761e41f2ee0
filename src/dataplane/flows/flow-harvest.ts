/**
 * Reads the counts of a worker's flow memory while the worker goes on: each packet that it has forwarded for somebody is told of
 * once, with its flow, or is among those of no flow. One reader for a memory, in any thread.
 */
import type { Family, IpWords } from '../../net/ip.js';
import { E, F, FLOW_ENTRY_WORDS, FLOW_HEADER_WORDS } from './flow-memory.js';

/** A flow and what is done with its packets now. Words as in `IpWords`. */
export interface Flow {
  readonly family: Family;
  readonly vnet: number;
  /** Of `FlowKind`, and the LAN, TUN port or peer that they come from. */
  readonly kind: number;
  readonly from: number;
  readonly source: IpWords;
  readonly destination: IpWords;
  /** `Action`, and the LAN, TUN port or peer that they go to. */
  readonly action: number;
  readonly to: number;
}

/** As packets travel: a super-packet or what is fragmented counts as its parts. */
export interface FlowCounts {
  readonly packets: number;
  readonly bytes: number;
}

type Told = (flow: Flow, counts: FlowCounts) => void;

/** What has been told of the entry that has had that serial number. */
interface Seen {
  readonly serial: number;
  readonly packets: number;
  readonly bytes: number;
  /** It has been in the ring: nothing comes any more. The entry may still look as if it had it. */
  readonly isOver?: true;
}

/** An entry as it was read; its words are in the harvest's own copy. */
interface Found {
  readonly serial: number;
  readonly packets: number;
  readonly bytes: number;
}

/** Times that an entry is read again at once while it is being replaced; then it is left for the next harvest. */
const TRIES = 16;
/** Half a millisecond, or three when the code has not run for a while. */
const ENTRIES_A_SLICE = 1_024;

export class FlowHarvest {
  readonly #words: Int32Array;
  readonly #wide: BigUint64Array;
  readonly #entries: number;
  readonly #ring: number;
  /** By entry. */
  readonly #seen: (Seen | undefined)[] = [];
  /** `F.counted` when the last pass began: what was counted by then has been told. */
  #counted = 0;
  /** Of the entry that was read last. */
  readonly #copy = new Int32Array(FLOW_ENTRY_WORDS);
  /** Told of flows whose entries were given up without a place in the ring: their last counts are in the header again. */
  #toldTwicePackets = 0;
  #toldTwiceBytes = 0;
  #unattributed: FlowCounts = { packets: 0, bytes: 0 };

  /** @param memory of `createFlowMemory` */
  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#wide = new BigUint64Array(memory);
    this.#entries = this.#words[F.entries] ?? 0;
    this.#ring = this.#words[F.ring] ?? 0;
  }

  /** As `pass`, in one go. */
  harvest(told: Told): void {
    for (const pass = this.pass(told); pass.next().done !== true; );
  }

  /**
   * Calls `told` with what each flow has had since the last pass, in slices between which other things may happen: 16,384 busy
   * flows take 7 to 50 ms. A flow may be told of more than once. One pass at a time, to its end. Where no packet has come, nothing
   * is looked at: an idle router would read 4 MB each second.
   */
  *pass(told: Told): Generator<void> {
    const counted = Atomics.load(this.#words, F.counted);
    if (counted === this.#counted) return;
    this.#counted = counted;
    // Before the entries are looked at: of those that were given up by now, each look finds that it is another one's.
    const given = { packets: this.#count(F.unattributedPackets), bytes: this.#count(F.unattributedBytes) };
    /** Of entries that another flow has by now. Whatever is in the ring for them is there already. */
    const gone = new Map<number, Seen>();
    for (let entry = 0; entry < this.#entries; entry++) {
      this.#look(entry, gone, told);
      if ((entry + 1) % ENTRIES_A_SLICE === 0) yield;
    }
    yield* this.#emptyRing(gone, told);
    for (const { packets, bytes } of gone.values()) {
      this.#toldTwicePackets += packets;
      this.#toldTwiceBytes += bytes;
    }
    this.#unattributed = {
      packets: given.packets - this.#toldTwicePackets,
      bytes: given.bytes - this.#toldTwiceBytes,
    };
  }

  /** Packets that no flow was told to have, from the start to the last harvest. */
  get unattributed(): FlowCounts {
    return this.#unattributed;
  }

  #look(entry: number, gone: Map<number, Seen>, told: Told): void {
    const at = this.#offset(entry);
    const seen = this.#seen[entry];
    const serial = this.#words[at + E.serial] ?? 0;
    if (serial === 0) return;
    // Of most entries nothing is new; the lower half of a count tells, as long as this is asked often enough.
    if (seen?.serial === serial && (this.#words[at + E.packets] ?? 0) === (seen.packets | 0)) return;
    const found = this.#read(at);
    if (found === undefined) return;
    const before = seen?.serial === found.serial ? seen : undefined;
    if (seen !== undefined && before === undefined) this.#leave(seen, gone);
    this.#tell(found, before, told);
    this.#seen[entry] = before?.isOver ? { ...found, isOver: true } : found;
  }

  *#emptyRing(gone: Map<number, Seen>, told: Told): Generator<void> {
    const head = Atomics.load(this.#words, F.head);
    for (let tail = this.#words[F.tail] ?? 0; tail !== head; tail = (tail + 1) | 0) {
      const last = this.#readAt(this.#offset(this.#entries + (tail & (this.#ring - 1))));
      this.#tell(last, gone.get(last.serial) ?? this.#takeOver(last, gone), told);
      gone.delete(last.serial);
      Atomics.store(this.#words, F.tail, (tail + 1) | 0);
      if ((tail + 1) % ENTRIES_A_SLICE === 0) yield;
    }
  }

  /** Another flow has its entry. */
  #leave(seen: Seen, gone: Map<number, Seen>): void {
    if (!seen.isOver) gone.set(seen.serial, seen);
  }

  /**
   * Of one in the ring whose entry has not been found to be another's: what was told of it. An entry is put into the ring
   * before another flow has it, so it may be looked at once more.
   */
  #takeOver(last: Found, gone: Map<number, Seen>): Seen | undefined {
    const entry = this.#copy[E.sequence] ?? 0;
    const seen = this.#seen[entry];
    if (seen !== undefined && ((seen.serial - last.serial) | 0) > 0) return undefined;
    this.#seen[entry] = { ...last, isOver: true };
    if (seen?.serial === last.serial) return seen;
    // One before it, for which the ring had no room.
    if (seen !== undefined) this.#leave(seen, gone);
    return undefined;
  }

  #tell(found: Found, before: Seen | undefined, told: Told): void {
    const counts = {
      packets: found.packets - (before?.packets ?? 0),
      bytes: found.bytes - (before?.bytes ?? 0),
    };
    if (counts.packets > 0 || counts.bytes > 0) told(flowOf(this.#copy), counts);
  }

  #count(word: number): number {
    return Number(Atomics.load(this.#wide, word / 2));
  }

  /** Undefined: it is being replaced all the time. */
  #read(at: number): Found | undefined {
    for (let tries = 0; tries < TRIES; tries++) {
      const sequence = Atomics.load(this.#words, at + E.sequence);
      if ((sequence & 1) !== 0) continue;
      const found = this.#readAt(at);
      if (Atomics.load(this.#words, at + E.sequence) === sequence) return found;
    }
    return undefined;
  }

  #readAt(at: number): Found {
    const serial = Atomics.load(this.#words, at + E.serial);
    const packets = Number(Atomics.load(this.#wide, (at + E.packets) / 2));
    const bytes = Number(Atomics.load(this.#wide, (at + E.bytes) / 2));
    for (let i = 0; i < FLOW_ENTRY_WORDS; i++) this.#copy[i] = this.#words[at + i] ?? 0;
    return { serial, packets, bytes };
  }

  #offset(entry: number): number {
    return FLOW_HEADER_WORDS + entry * FLOW_ENTRY_WORDS;
  }
}

function flowOf(words: Int32Array): Flow {
  const word = (at: number): number => words[at] ?? 0;
  const four = (at: number): IpWords => [word(at), word(at + 1), word(at + 2), word(at + 3)];
  return {
    family: (word(E.kind) & 0xff) === 6 ? 6 : 4,
    vnet: word(E.vnetHops) >>> 8,
    kind: word(E.kind) >>> 8,
    from: word(E.from),
    source: four(E.source),
    destination: four(E.destination),
    action: word(E.action) & 0xff,
    to: word(E.to),
  };
}
