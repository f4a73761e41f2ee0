/**
 * A placement of all units, and what each change of it would change: kept in a table of units × sites, so that the cost of a
 * move is two look-ups, and making one costs (partners × sites) additions.
 */
import { type Partners, type Problem, partnersOf, type Unit } from './problem.js';

/** Units with where they go; made as a whole. */
export type Change = readonly { readonly unit: number; readonly site: number }[];

export class Placement {
  readonly problem: Problem;
  readonly partners: readonly Partners[];
  readonly siteCount: number;
  readonly #sites: Int32Array;
  /** What a unit's talk costs at each site while all others are where they are. */
  readonly #table: Float64Array;
  readonly #moving: Float64Array;
  readonly #prices: Float64Array;
  readonly #nodes: Float64Array;
  readonly #memory: Float64Array;
  readonly #apartOf: readonly (readonly number[])[];
  /** How many of each list of `apart` are at each site. */
  readonly #apart: Int32Array;
  /** By site, as `#loadOf`. */
  readonly #limits: readonly (readonly number[])[];

  /** Marks whoever is being gathered with the number of the gathering. */
  readonly #gathered: Int32Array;
  #gathering = 0;
  /** By site: what a byte between there and the unit that moves costs more than before, each way. */
  readonly #toUnit: Float64Array;
  readonly #fromUnit: Float64Array;

  /** Everything where it is now. */
  constructor(problem: Problem) {
    const sites = problem.capacities.length;
    this.problem = problem;
    this.partners = partnersOf(problem);
    this.siteCount = sites;
    this.#gathered = new Int32Array(problem.units.length);
    this.#toUnit = new Float64Array(sites);
    this.#fromUnit = new Float64Array(sites);
    this.#sites = Int32Array.from(problem.units, ({ site }) => site);
    this.#table = rowsOf(problem.units, sites, ({ fixed }) => fixed);
    this.#moving = rowsOf(problem.units, sites, ({ moving }) => moving);
    this.#prices = Float64Array.from(problem.price.flat());
    this.#nodes = new Float64Array(sites);
    this.#memory = new Float64Array(sites);
    this.#apartOf = problem.units.map((_, unit) =>
      problem.apart.flatMap((list, number) => (list.includes(unit) ? [number] : [])),
    );
    this.#apart = new Int32Array(problem.apart.length * sites);
    for (const unit of problem.units.keys()) {
      this.#occupy(unit, this.at(unit), 1);
      this.#addTalk(unit);
    }
    this.#limits = problem.capacities.map(({ nodes, memoryBytes }, site) => {
      const limits = [nodes, memoryBytes, ...problem.apart.map(() => 1)];
      return this.#loadOf(site).map((load, k) => Math.max(load, limits[k] ?? 0));
    });
  }

  get unitCount(): number {
    return this.#sites.length;
  }

  at(unit: number): number {
    return this.#sites[unit] as number;
  }

  sites(): Int32Array {
    return this.#sites.slice();
  }

  /** Cost a day, with a share of each migration. */
  total(): number {
    let total = 0;
    for (let unit = 0; unit < this.unitCount; unit++) {
      const { units, sent } = this.partners[unit] as Partners;
      const from = this.at(unit);
      total += this.problem.units[unit]?.fixed[from] ?? 0;
      total += this.#moving[unit * this.siteCount + from] as number;
      for (let i = 0; i < units.length; i++)
        total += (sent[i] as number) * this.#price(from, this.at(units[i] as number));
    }
    return total;
  }

  /** By how much `total` changes when the unit alone goes there; Infinity where it may not be. */
  delta(unit: number, site: number): number {
    const row = unit * this.siteCount;
    const now = row + this.at(unit);
    const then = row + site;
    const moving = (this.#moving[then] as number) - (this.#moving[now] as number);
    return (this.#table[then] as number) - (this.#table[now] as number) + moving;
  }

  /** By how much `total` changes when two units change places. */
  swapDelta(one: number, other: number): number {
    return this.pairDelta({ unit: one, site: this.at(other) }, { unit: other, site: this.at(one) });
  }

  /** By how much `total` changes when two units go anywhere. */
  pairDelta(one: Change[number], other: Change[number]): number {
    const alone = this.delta(one.unit, one.site) + this.delta(other.unit, other.site);
    const { units, sent, received } = this.partners[one.unit] as Partners;
    const i = units.indexOf(other.unit);
    if (i < 0) return alone;
    // Each was taken as going while the other one stays.
    const [p, q] = [this.at(one.unit), this.at(other.unit)];
    const between = (a: number, b: number): number =>
      (sent[i] as number) * this.#price(a, b) + (received[i] as number) * this.#price(b, a);
    return (
      alone + between(one.site, other.site) - between(one.site, q) - between(p, other.site) + between(p, q)
    );
  }

  /**
   * By how much `total` changes when all of them go to one site, for each site.
   * @param deltas as many as there are sites; valid until the next call with it
   */
  gatherDeltas(members: readonly number[], deltas: Float64Array): void {
    deltas.fill(0);
    this.#gathering++;
    for (const unit of members) this.#gathered[unit] = this.#gathering;
    for (const unit of members) {
      const row = unit * this.siteCount;
      const now = row + this.at(unit);
      const cost = (this.#table[now] as number) + (this.#moving[now] as number);
      for (let site = 0; site < this.siteCount; site++)
        (deltas[site] as number) +=
          (this.#table[row + site] as number) + (this.#moving[row + site] as number) - cost;
      this.#correctGathered(unit, deltas);
    }
  }

  /** Each was taken as going alone; among themselves they have nothing to pay afterwards. */
  #correctGathered(unit: number, deltas: Float64Array): void {
    const { units, sent, received } = this.partners[unit] as Partners;
    const from = this.at(unit);
    for (let i = 0; i < units.length; i++) {
      const partner = units[i] as number;
      if (partner < unit || this.#gathered[partner] !== this.#gathering) continue;
      const to = this.at(partner);
      const [out, back] = [sent[i] as number, received[i] as number];
      const now = out * this.#price(from, to) + back * this.#price(to, from);
      for (let site = 0; site < this.siteCount; site++)
        (deltas[site] as number) +=
          now -
          out * (this.#price(site, to) + this.#price(from, site)) -
          back * (this.#price(to, site) + this.#price(site, from));
    }
  }

  /** As `admits` for one unit that comes, and perhaps another one that leaves at the same time. */
  fits(unit: number, site: number, leaves?: number): boolean {
    const { units } = this.problem;
    const [comes, goes] = [units[unit], leaves === undefined ? undefined : units[leaves]];
    const limits = this.#limits[site];
    if (comes === undefined || limits === undefined) return false;
    const nodes = comes.nodes - (goes?.nodes ?? 0);
    if (nodes > 0 && (this.#nodes[site] as number) + nodes > (limits[0] as number)) return false;
    const memory = comes.memoryBytes - (goes?.memoryBytes ?? 0);
    if (memory > 0 && (this.#memory[site] as number) + memory > (limits[1] as number)) return false;
    return (this.#apartOf[unit] ?? []).every((list) => {
      const leaving = leaves !== undefined && this.#apartOf[leaves]?.includes(list);
      return leaving || (this.#apart[list * this.siteCount + site] as number) < (limits[2 + list] as number);
    });
  }

  /** Would all be within the limits when all of it has been done? */
  admits(change: Change): boolean {
    for (const { unit, site } of change) {
      this.#occupy(unit, this.at(unit), -1);
      this.#occupy(unit, site, 1);
    }
    const admitted = change.every(({ site }) => !this.exceeds(site));
    for (const { unit, site } of change) {
      this.#occupy(unit, site, -1);
      this.#occupy(unit, this.at(unit), 1);
    }
    return admitted;
  }

  /** For how many nodes more there is room; less than 0 for those that are too many. */
  roomAt(site: number): number {
    return (this.#limits[site]?.[0] ?? 0) - (this.#nodes[site] as number);
  }

  /**
   * Is there too much at a site? Where there is too much of something at the start, or two of whom should be apart, that much
   * may go on being there.
   */
  exceeds(site: number): boolean {
    return this.#loadOf(site).some((load, k) => load > (this.#limits[site]?.[k] ?? 0));
  }

  /** Nodes, memory, and of each list of `apart` how many. */
  #loadOf(site: number): number[] {
    const lists = this.problem.apart.map((_, list) => this.#apart[list * this.siteCount + site] as number);
    return [this.#nodes[site] as number, this.#memory[site] as number, ...lists];
  }

  move(unit: number, site: number): void {
    const from = this.at(unit);
    if (from === site) return;
    this.#occupy(unit, from, -1);
    this.#occupy(unit, site, 1);
    this.#sites[unit] = site;
    const [toUnit, fromUnit] = [this.#toUnit, this.#fromUnit];
    for (let there = 0; there < this.siteCount; there++) {
      toUnit[there] = this.#price(there, site) - this.#price(there, from);
      fromUnit[there] = this.#price(site, there) - this.#price(from, there);
    }
    const { units, sent, received } = this.partners[unit] as Partners;
    for (let i = 0; i < units.length; i++) {
      const row = (units[i] as number) * this.siteCount;
      const [out, back] = [sent[i] as number, received[i] as number];
      for (let there = 0; there < this.siteCount; there++)
        (this.#table[row + there] as number) +=
          out * (fromUnit[there] as number) + back * (toUnit[there] as number);
    }
  }

  /** @returns what undoes it */
  apply(change: Change): Change {
    const undo = change.map(({ unit }) => ({ unit, site: this.at(unit) }));
    for (const { unit, site } of change) this.move(unit, site);
    return undo;
  }

  #price(from: number, to: number): number {
    return this.#prices[from * this.siteCount + to] as number;
  }

  /** To its row of the table. */
  #addTalk(unit: number): void {
    const { units, sent, received } = this.partners[unit] as Partners;
    const row = unit * this.siteCount;
    for (let i = 0; i < units.length; i++) {
      const there = this.at(units[i] as number);
      const [out, back] = [sent[i] as number, received[i] as number];
      for (let site = 0; site < this.siteCount; site++)
        (this.#table[row + site] as number) +=
          out * this.#price(site, there) + back * this.#price(there, site);
    }
  }

  #occupy(unit: number, site: number, times: 1 | -1): void {
    const { nodes, memoryBytes } = this.problem.units[unit] ?? { nodes: 0, memoryBytes: 0 };
    (this.#nodes[site] as number) += times * nodes;
    (this.#memory[site] as number) += times * memoryBytes;
    for (const list of this.#apartOf[unit] ?? [])
      (this.#apart[list * this.siteCount + site] as number) += times;
  }
}

function rowsOf(units: readonly Unit[], sites: number, row: (unit: Unit) => readonly number[]): Float64Array {
  const rows = new Float64Array(units.length * sites);
  for (const [n, unit] of units.entries()) rows.set(row(unit), n * sites);
  return rows;
}
