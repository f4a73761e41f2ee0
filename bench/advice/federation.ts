/** Where the nodes of a world are, on which hosts, and what is known of their traffic: what policies look at and change. */
import type { PairTraffic, TrafficMatrix } from '../../src/traffic/matrix.js';
import { OUTSIDE } from '../../src/traffic/matrix.js';
import { HOST_CPUS, HOST_MEMORY_BYTES, NODES_PER_HOST, type World } from './world.js';

export class Federation {
  readonly world: World;
  readonly hosts: Int32Array;
  /** By node, its moves so far, sites by number. */
  readonly moves = new Map<number, { readonly atMs: number; readonly from: number }[]>();
  readonly #memory: Float64Array;
  readonly #count: Int32Array;
  /** Bytes by from × nodes + to; the last entry of a row is the outside. Of half an hour each, the newest last. */
  #windows: Map<number, number>[] = [new Map()];
  #windowSeconds: number[] = [0];

  constructor(world: World) {
    const { sites, hostsPerSite, nodes } = world.size;
    this.world = world;
    this.hosts = new Int32Array(nodes).fill(-1);
    this.#memory = new Float64Array(sites * hostsPerSite);
    this.#count = new Int32Array(sites * hostsPerSite);
    for (let node = 0; node < nodes; node++)
      this.settle(node, this.roomiest(world.homes[node] as number, node));
  }

  get hostCount(): number {
    return this.#count.length;
  }

  siteOf(node: number): number {
    return this.siteOfHost(this.hosts[node] as number);
  }

  siteOfHost(host: number): number {
    return Math.floor(host / this.world.size.hostsPerSite);
  }

  nodesOn(host: number): number[] {
    return [...this.hosts.keys()].filter((node) => this.hosts[node] === host);
  }

  cpuOf(host: number): number {
    return this.nodesOn(host).reduce((sum, node) => sum + (this.world.cpu[node] as number), 0);
  }

  /** Processor time that is asked of hosts which do not have it, in processors. */
  overload(): number {
    const used = new Float64Array(this.hostCount);
    for (const [node, host] of this.hosts.entries()) (used[host] as number) += this.world.cpu[node] as number;
    return used.reduce((sum, cpu) => sum + Math.max(0, cpu - HOST_CPUS), 0);
  }

  /** Is there a place and memory? Not: processor time, which changes every minute. */
  fits(node: number, host: number): boolean {
    const memory = this.world.loads[node]?.memoryBytes ?? 0;
    return (
      (this.#count[host] as number) < NODES_PER_HOST &&
      (this.#memory[host] as number) + memory <= HOST_MEMORY_BYTES
    );
  }

  /** The site's own scheduler: the host with the fewest nodes that takes it; -1: none does. */
  roomiest(site: number, node: number): number {
    const { hostsPerSite } = this.world.size;
    let best = -1;
    for (let host = site * hostsPerSite; host < (site + 1) * hostsPerSite; host++)
      if (
        this.fits(node, host) &&
        (best < 0 || (this.#count[host] as number) < (this.#count[best] as number))
      )
        best = host;
    return best;
  }

  settle(node: number, host: number): void {
    const memory = this.world.loads[node]?.memoryBytes ?? 0;
    const before = this.hosts[node] as number;
    if (host < 0) throw new Error(`no room for node ${node}`);
    if (before >= 0) {
      (this.#memory[before] as number) -= memory;
      (this.#count[before] as number)--;
    }
    (this.#memory[host] as number) += memory;
    (this.#count[host] as number)++;
    this.hosts[node] = host;
  }

  observe(from: number, to: number | undefined, bytes: number): void {
    const { nodes } = this.world.size;
    const window = this.#windows.at(-1);
    const key = from * (nodes + 1) + (to ?? nodes);
    window?.set(key, (window.get(key) ?? 0) + bytes);
  }

  endTick(seconds: number, windowSeconds: number, windows: number): void {
    const last = this.#windowSeconds.length - 1;
    (this.#windowSeconds[last] as number) += seconds;
    if ((this.#windowSeconds[last] as number) < windowSeconds) return;
    this.#windows = [...this.#windows.slice(1 - windows), new Map()];
    this.#windowSeconds = [...this.#windowSeconds.slice(1 - windows), 0];
  }

  /** The mean over the windows that are kept. */
  matrix(): TrafficMatrix {
    const { nodes } = this.world.size;
    const sums = new Map<number, number>();
    for (const window of this.#windows)
      for (const [key, bytes] of window) sums.set(key, (sums.get(key) ?? 0) + bytes);
    const pairs = [...sums].map(([key, bytes]): PairTraffic => {
      const [from, to] = [Math.floor(key / (nodes + 1)), key % (nodes + 1)];
      return {
        vnet: 1,
        source: String(from),
        destination: to === nodes ? OUTSIDE : String(to),
        sourceSite: String(this.siteOf(from)),
        destinationSite: String(to === nodes ? this.world.homes[from] : this.siteOf(to)),
        packets: bytes / 1000,
        bytes,
      };
    });
    const seconds = Math.max(
      1,
      this.#windowSeconds.reduce((sum, one) => sum + one, 0),
    );
    return { seconds, pairs, rest: [], unattributed: { packets: 0, bytes: 0 }, missing: [] };
  }
}
