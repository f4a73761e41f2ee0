/** The captures on the host's interfaces, which come and go as machines do. */
import { listInterfaces } from '../config/interfaces.js';
import type { PairCapture, PairCounter } from '../dataplane/pair-counter.js';
import type { Prefix } from '../net/prefix.js';
import { sensorFilter } from './filter.js';

/** Some 25,000 frames' beginnings. */
const RING_BYTES = 4 * 1024 * 1024;
/** This program wakes ten times a second, or when a sixteenth of the ring is full. */
export const COLLECT_MS = 100;
const ANY = '*';
const MOST_INTERFACES = 256;

export interface CapturesOptions {
  readonly counter: Pick<PairCounter, 'openCapture' | 'interfaceIndex'>;
  /** Names, or beginnings of names with an asterisk behind. */
  readonly interfaces: readonly string[];
  readonly log: (text: string) => void;
}

interface Open {
  /** The kernel's number: one that was made anew has another. */
  readonly index: number;
  readonly handle: PairCapture;
  drops: number;
}

export class Captures {
  readonly #options: CapturesOptions;
  readonly #open = new Map<string, Open>();
  readonly #problems = new Map<string, string>();
  #filter = '';

  constructor(options: CapturesOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Frames between two addresses of one of these links are captured from now on. */
  setLinks(links: readonly Prefix[]): void {
    const filter = links.length === 0 ? '' : sensorFilter(links);
    if (filter !== this.#filter) this.close();
    this.#filter = filter;
    this.look();
  }

  /** Opens what has come, and closes what has gone. */
  look(): void {
    const wanted = new Map(this.#filter === '' ? [] : this.#wanted());
    for (const [name, { index, handle }] of this.#open) {
      if (wanted.get(name) === index) continue;
      handle.close();
      this.#open.delete(name);
    }
    for (const [name, index] of wanted) if (!this.#open.has(name)) this.#capture(name, index);
  }

  /** Frames since the last time that the kernel had no room for. */
  takeDrops(): number {
    let drops = 0;
    for (const one of this.#open.values()) {
      const now = one.handle.drops();
      drops += (now - one.drops) >>> 0;
      one.drops = now;
    }
    return drops;
  }

  close(): void {
    for (const { handle } of this.#open.values()) handle.close();
    this.#open.clear();
  }

  *#wanted(): Generator<[name: string, index: number]> {
    const names = this.#options.interfaces.flatMap((name) =>
      name.endsWith(ANY) ? listInterfaces().filter((one) => one.startsWith(name.slice(0, -1))) : [name],
    );
    for (const name of [...new Set(names)].slice(0, MOST_INTERFACES)) {
      const index = this.#options.counter.interfaceIndex(name);
      if (index > 0) yield [name, index];
      else this.#tell(name, `there is no interface ${name}`);
    }
  }

  #capture(name: string, index: number): void {
    const [filter, inboundOnly] = [this.#filter, this.#areSeveral()];
    const options = { interface: name, filter, inboundOnly, collectMs: COLLECT_MS, ringBytes: RING_BYTES };
    try {
      this.#open.set(name, { index, handle: this.#options.counter.openCapture(options), drops: 0 });
      this.#problems.delete(name);
    } catch (error) {
      this.#tell(
        name,
        `${name} cannot be captured: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  /**
   * Of several interfaces only what comes in by each counts: what goes out by one has come in by another, or by the host's uplink,
   * where the sensor of the sender's host has counted it.
   */
  #areSeveral(): boolean {
    const { interfaces } = this.#options;
    return interfaces.length > 1 || interfaces.some((name) => name.endsWith(ANY));
  }

  /** Once, as long as it stays so. */
  #tell(name: string, problem: string): void {
    if (this.#problems.get(name) === problem) return;
    this.#problems.set(name, problem);
    this.#options.log(problem);
  }
}
