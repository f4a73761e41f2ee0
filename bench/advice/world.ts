/**
 * A day of a federation in the manner of VMPlaceS (Lebre, Pastor, Südholt, Euro-Par 2015): sites with hosts, nodes whose load
 * changes by a law, and, what VMPlaceS leaves out, who talks with whom. Everything follows from the seed, whatever a policy does.
 */
import type { MachineLoad } from '../../src/traffic/advice/migration.js';
import { gaussian, lots } from './lots.js';

export interface WorldSize {
  readonly sites: number;
  readonly hostsPerSite: number;
  readonly nodes: number;
  readonly seed: number;
  /**
   * How nodes came to their homes: evenly, by whoever knows nothing of traffic; or each application at one site, as far as
   * its neighbours leave room, by whoever knew all at that time.
   */
  readonly deployed: 'evenly' | 'by application';
}

/** One way. */
export interface Flow {
  readonly from: number;
  readonly to: number;
  /** On a mean day. */
  readonly bytesPerSecond: number;
  /** Of its application: when it has its noon. */
  readonly phase: number;
}

/** VMPlaceS' defaults: the load of a node is drawn anew, mean 60 %, deviation 20 %, on average every 5 minutes. */
const LOAD_MEAN = 0.6;
const LOAD_DEVIATION = 0.2;
const LOAD_CHANGES_S = 300;
/** Nodes that a host can carry at full load; at the mean load it has room for half as many more. */
export const HOST_CPUS = 6;
export const NODES_PER_HOST = 9;
export const HOST_MEMORY_BYTES = 64 * 2 ** 30;
/** Of an application: how often it is cut in two and put together with half of another one. */
const REGROUPING_S = 12 * 3600;
/** Median of what two of an application send each other, one way; a tenth send ten times as much (log-normal). */
const MEDIAN_BYTES_PER_SECOND = 40_000;
const SPREAD = 1.8;
/** Between applications: less, and to any node. */
const STRAY_BYTES_PER_SECOND = 2_000;
/** A node in ten serves the outside. */
const OUTSIDE_SHARE = 0.1;
const OUTSIDE_BYTES_PER_SECOND = 150_000;
const DAY_S = 86_400;

export class World {
  readonly size: WorldSize;
  readonly homes: readonly number[];
  readonly loads: readonly MachineLoad[];
  /** What each node sends to, and gets from, the outside, by way of its home; one way, on a mean day. */
  readonly outside: readonly number[];
  /** 0 … 1 of a processor. */
  readonly cpu: Float64Array;
  flows: readonly Flow[] = [];
  #applications: number[][] = [];
  readonly #random: () => number;

  constructor(size: WorldSize) {
    this.size = size;
    this.#random = lots(size.seed);
    const nodes = Array.from({ length: size.nodes }, (_, node) => node);
    this.loads = nodes.map(() => ({
      memoryBytes: ([2, 4, 4, 8][Math.floor(this.#random() * 4)] as number) * 2 ** 30,
      dirtyBytesPerSecond: this.#random() * 20e6,
      diskBytes: 0,
    }));
    this.outside = nodes.map(() => (this.#random() < OUTSIDE_SHARE ? OUTSIDE_BYTES_PER_SECOND : 0));
    this.cpu = Float64Array.from(nodes, () => this.#load());
    this.#applications = this.#found(this.#shuffled(nodes));
    const order = this.#applications.flat();
    const share = Math.ceil(nodes.length / size.sites);
    this.homes = nodes.map((node) =>
      size.deployed === 'evenly' ? node % size.sites : Math.floor(order.indexOf(node) / share),
    );
    this.flows = this.#applications.flatMap((members) => this.#talk(members));
  }

  /** @returns whether who talks with whom has changed */
  advance(seconds: number): boolean {
    for (let node = 0; node < this.cpu.length; node++)
      if (this.#random() < seconds / LOAD_CHANGES_S) this.cpu[node] = this.#load();
    if (this.#random() >= (this.#applications.length * seconds) / REGROUPING_S / 2) return false;
    this.#regroup();
    return true;
  }

  /** Bytes of the flow in these seconds: by the time of day, and by chance. */
  sent({ bytesPerSecond, phase }: Flow, nowS: number, seconds: number): number {
    const day = 1 + 0.6 * Math.sin((2 * Math.PI * nowS) / DAY_S + phase);
    return bytesPerSecond * seconds * day * (0.5 + this.#random());
  }

  #load(): number {
    return Math.min(1, Math.max(0, LOAD_MEAN + LOAD_DEVIATION * gaussian(this.#random)));
  }

  /** Of 3 to 12 nodes each. */
  #found(nodes: readonly number[]): number[][] {
    const applications: number[][] = [];
    for (let at = 0; at < nodes.length; ) {
      const count = 3 + Math.floor(this.#random() * 10);
      applications.push(nodes.slice(at, at + count));
      at += count;
    }
    return applications;
  }

  /** A star, a chain of tiers, or all with all; and each now and then with anybody. */
  #talk(members: readonly number[]): Flow[] {
    const phase = this.#random() * 2 * Math.PI;
    const rate = MEDIAN_BYTES_PER_SECOND * Math.exp((SPREAD / 2) * gaussian(this.#random));
    const shape = Math.floor(this.#random() * 3);
    const flows: Flow[] = [];
    const add = (from: number, to: number, bytesPerSecond: number): void => {
      if (from !== to) flows.push({ from, to, bytesPerSecond, phase });
    };
    for (const [i, from] of members.entries())
      for (const [j, to] of members.entries()) {
        const joined = shape === 0 ? i === 0 || j === 0 : shape === 1 ? Math.abs(i - j) === 1 : true;
        if (joined) add(from, to, rate * Math.exp((SPREAD / 2) * gaussian(this.#random)));
      }
    for (const from of members)
      for (let n = 0; n < 3; n++)
        add(from, Math.floor(this.#random() * this.size.nodes), STRAY_BYTES_PER_SECOND * this.#random() * 2);
    return flows;
  }

  #regroup(): void {
    const [one, other] = this.#shuffled(this.#applications.map((_, i) => i));
    if (one === undefined || other === undefined) return;
    const members = this.#shuffled([
      ...(this.#applications[one] ?? []),
      ...(this.#applications[other] ?? []),
    ]);
    const half = Math.floor(members.length / 2);
    const gone = new Set(members);
    this.#applications[one] = members.slice(0, half);
    this.#applications[other] = members.slice(half);
    const kept = this.flows.filter(({ from }) => !gone.has(from));
    this.flows = [...kept, ...this.#talk(members.slice(0, half)), ...this.#talk(members.slice(half))];
  }

  #shuffled(of: readonly number[]): number[] {
    const all = [...of];
    for (let i = all.length - 1; i > 0; i--) {
      const j = Math.floor(this.#random() * (i + 1));
      [all[i], all[j]] = [all[j] as number, all[i] as number];
    }
    return all;
  }
}
