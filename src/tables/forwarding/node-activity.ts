import type { Ip } from '../../net/ip.js';
import type { Mac } from '../../net/mac.js';
import { isClientMac } from '../clients.js';
import type { Directory } from '../directory.js';
import type { RouterId, VnetId } from '../model.js';
import { Subscribers } from '../subscribers.js';
import { VnetMap } from '../vnet-map.js';
import { MacTable } from './mac-table.js';

/** Machines that can be watched, a power of two; a node beyond is missed by who asks for it on its LAN only. */
const DEFAULT_MACHINES = 16_384;
/** A machine to which packets go answers sooner than this: TCP acknowledges after 40 to 200 ms (RFC 9293 §3.8.6.3: 500 at most). */
export const UNANSWERED_MS = 300;

export interface Machine {
  readonly vnet: VnetId;
  readonly mac: Mac;
}

interface Watched extends Machine {
  /** The workers' two counts, when they were looked at last. */
  sent: number;
  heard: number;
  /** Since when packets have gone to it and none has come; undefined: it was heard since the last one. */
  sinceMs: number | undefined;
  /** `sent` when it was told to be unanswered. */
  told: number | undefined;
}

/** What has become of the machines since the last look. */
export interface ActivityLook {
  /** Packets have gone to them, for `UNANSWERED_MS` none has come; those of the look before only if more have gone since. */
  readonly unanswered: readonly Machine[];
  /** They had been told to be unanswered, and have been heard. */
  readonly heard: readonly Machine[];
}

/**
 * Whether the machines of this VR's LANs that are sent packets send any: for each, two numbers in shared memory that the
 * packet workers raise, one for packets to it and one for packets from it. Several workers may raise one at the same time
 * and lose a count; whether it has changed is all that is asked.
 *
 * Follows the directory: a machine is watched while a record of this VR's has its MAC.
 */
export class NodeActivity {
  /** Int32Array: packets to each machine by its number, then packets from each. */
  readonly memory: SharedArrayBuffer;
  /** (vnet, MAC) → number + 1. */
  readonly macs: MacTable;
  readonly #counts: Int32Array;
  readonly #directory: Pick<Directory, 'byMac'>;
  readonly #self: RouterId;
  readonly #machines: number;
  readonly #numbers = new VnetMap<Mac, number>();
  readonly #watched: (Watched | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #subscribers = new Subscribers<[VnetId, Ip, Mac]>();

  constructor(
    self: RouterId,
    directory: Pick<Directory, 'byMac' | 'of' | 'subscribeLater'>,
    machines = DEFAULT_MACHINES,
  ) {
    this.#self = self;
    this.#directory = directory;
    this.#machines = machines;
    // Two places for each: a table of MACs may be filled to three quarters.
    this.macs = MacTable.create(2 * machines);
    this.memory = new SharedArrayBuffer(2 * 4 * machines);
    this.#counts = new Int32Array(this.memory);
    for (const { vnet, mac } of directory.of(self)) this.#place(vnet, mac);
    directory.subscribeLater(({ before, after }) => {
      const { vnet, ip, mac } = after;
      if (this.#place(vnet, mac)) this.#subscribers.notify(vnet, ip, mac);
      if (before === undefined || before.mac === mac || !this.#place(vnet, before.mac)) return;
      this.#subscribers.notify(vnet, ip, before.mac);
    });
  }

  /** Calls `listener` when a machine has got a number or lost it, by what became of its address. Returns how to stop. */
  subscribe(listener: (vnet: VnetId, ip: Ip, mac: Mac) => void): () => void {
    return this.#subscribers.subscribe(listener);
  }

  /** −1: it is not watched. */
  numberOf(vnet: VnetId, mac: Mac): number {
    return this.#numbers.get(vnet, mac) ?? -1;
  }

  /** To be called some ten times a second. */
  look(nowMs: number): ActivityLook {
    const unanswered: Machine[] = [];
    const heard: Machine[] = [];
    for (let number = 0; number < this.#watched.length; number++) {
      const machine = this.#watched[number];
      if (machine === undefined) continue;
      const sent = this.#counts[number] ?? 0;
      const from = this.#counts[this.#machines + number] ?? 0;
      if (from !== machine.heard) {
        if (machine.told !== undefined) heard.push(machine);
        machine.heard = from;
        machine.sent = sent;
        machine.sinceMs = undefined;
        machine.told = undefined;
      } else if (sent !== machine.sent) {
        machine.sent = sent;
        machine.sinceMs ??= nowMs;
      }
      const isDue = machine.sinceMs !== undefined && nowMs - machine.sinceMs >= UNANSWERED_MS;
      if (!isDue || machine.told === sent) continue;
      machine.told = sent;
      unanswered.push(machine);
    }
    return { unanswered, heard };
  }

  /** True: it is watched from now on, or no longer. */
  #place(vnet: VnetId, mac: Mac): boolean {
    const records = this.#directory.byMac(vnet, mac);
    const isHere = !isClientMac(mac) && records.some(({ router }) => router === this.#self);
    const number = this.#numbers.get(vnet, mac);
    if (isHere === (number !== undefined)) return false;
    if (number === undefined) this.#watch(vnet, mac);
    else this.#end(vnet, mac, number);
    return true;
  }

  #watch(vnet: VnetId, mac: Mac): void {
    const number = this.#free.pop() ?? this.#watched.length;
    if (number >= this.#machines) return;
    this.#numbers.set(vnet, mac, number);
    this.macs.add(vnet, mac, number + 1);
    const sent = this.#counts[number] ?? 0;
    const heard = this.#counts[this.#machines + number] ?? 0;
    this.#watched[number] = { vnet, mac, sent, heard, sinceMs: undefined, told: undefined };
  }

  /** A worker that still has a route with the number makes another machine seem to be wanted, or heard, once. */
  #end(vnet: VnetId, mac: Mac, number: number): void {
    this.#numbers.delete(vnet, mac);
    this.macs.delete(vnet, mac);
    this.#watched[number] = undefined;
    this.#free.push(number);
  }
}

/** What a packet worker has of it: finds machines and raises their counts. Allocates nothing. */
export class ActivityCounts {
  readonly #counts: Int32Array;
  readonly #macs: MacTable;
  readonly #machines: number;

  constructor(counts: SharedArrayBuffer, macs: SharedArrayBuffer) {
    this.#counts = new Int32Array(counts);
    this.#macs = MacTable.attach(macs);
    this.#machines = this.#counts.length / 2;
  }

  /** −1: it is not watched. */
  numberOf(vnet: VnetId, high: number, low: number): number {
    return this.#macs.value(vnet, high, low) - 1;
  }

  /** A packet goes to the machine. */
  sentTo(number: number): void {
    if (number >= 0) this.#counts[number] = ((this.#counts[number] ?? 0) + 1) | 0;
  }

  /** A packet has come from it. */
  heardFrom(number: number): void {
    const at = this.#machines + number;
    if (number >= 0) this.#counts[at] = ((this.#counts[at] ?? 0) + 1) | 0;
  }
}
