/**
 * Other stores, of which this one remembers what they have: a bit of each page's. When there are too many, the one that has been
 * asked for longest ago is forgotten. Pure.
 */
export const MOST_PEERS = 32;

export interface Peer {
  readonly name: string;
  /** The number of its bit; undefined: it has been forgotten, and what is said of it has no effect. */
  readonly bit: number | undefined;
}

interface Known {
  readonly name: string;
  bit: number | undefined;
}

export class Peers {
  /** The one asked for longest ago first. */
  readonly #known = new Map<string, Known>();

  /** @param names by their bits; empty: nobody has it */
  constructor(names: readonly string[]) {
    for (const [bit, name] of names.entries())
      if (name !== '' && bit < MOST_PEERS && !this.#known.has(name)) this.#known.set(name, { name, bit });
  }

  /** As they were given to the constructor. */
  get names(): readonly string[] {
    const names = new Array<string>(MOST_PEERS).fill('');
    for (const { name, bit } of this.#known.values()) if (bit !== undefined) names[bit] = name;
    return names;
  }

  /** @returns whether it is new: nobody's pages may have its bit then */
  ask(name: string): { readonly peer: Peer; readonly isNew: boolean } {
    const known = this.#known.get(name);
    this.#known.delete(name);
    const peer = known ?? { name, bit: this.#freeBit() };
    this.#known.set(name, peer);
    return { peer, isNew: known === undefined };
  }

  #freeBit(): number | undefined {
    const free = this.names.indexOf('');
    if (free >= 0) return free;
    for (const oldest of this.#known.values()) {
      const { bit } = oldest;
      oldest.bit = undefined;
      this.#known.delete(oldest.name);
      return bit;
    }
    return undefined;
  }
}
