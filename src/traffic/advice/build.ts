/** From sites, machines and traffic to the question in numbers. */
import type { SiteId } from '../../tables/model.js';
import { Components } from '../groups/components.js';
import type { PairTraffic } from '../matrix.js';
import type { AdviceInput, AdviceOptions, AdvisedMachine, Objective, SiteLink } from './input.js';
import { migrationCost } from './migration.js';
import type { Capacity, Problem, Talk, Unit } from './problem.js';

export const DAY_MS = 86_400_000;
const BYTES_PER_GB = 1e9;
/** By how much a move has to save more than its migration costs: traffic of tomorrow is not that of today. */
export const HYSTERESIS = 0.5;
/** Within a horizon of its last move a machine has to earn that one's cost too. */
const AGAIN = 2;

export interface Built {
  readonly problem: Problem;
  /** By unit: positions in the input's machines. */
  readonly members: readonly (readonly number[])[];
  /** As `problem.price` and the units' `fixed`, of the objective `traffic`: to say bytes whatever the objective. */
  readonly bytePrice: readonly (readonly number[])[];
  readonly fixedBytes: readonly (readonly number[])[];
  readonly notes: readonly string[];
}

/** What a byte costs between two sites; by unit and site, what talk with places that do not move costs a day. */
interface Ledger {
  readonly price: readonly (readonly number[])[];
  readonly fixed: readonly number[][];
}

/** By vnet and address: whose it is. */
export const addressKey = (vnet: number, address: string): string => `${vnet} ${address}`;

export function buildProblem(input: AdviceInput, options: AdviceOptions): Built {
  return new Builder(input, options).build();
}

class Builder {
  readonly #input: AdviceInput;
  readonly #options: AdviceOptions;
  readonly #siteNumbers: ReadonlyMap<SiteId, number>;
  readonly #notes: string[] = [];
  /** Machines that are to be together and are not. */
  readonly #torn = new Set<number>();

  constructor(input: AdviceInput, options: AdviceOptions) {
    this.#input = input;
    this.#options = options;
    this.#siteNumbers = new Map(input.sites.map(({ id }, number) => [id, number]));
  }

  build(): Built {
    const { sites, apart } = this.#input;
    const members = this.#members();
    const unitOf = new Map(members.flatMap((machines, unit) => machines.map((machine) => [machine, unit])));
    const none = (): number[][] => members.map(() => sites.map(() => 0));
    const valued = { price: this.#prices((link) => priceOf(this.#options.objective, link)), fixed: none() };
    const counted = { price: this.#prices(() => 1), fixed: none() };
    const talks = this.#talks(unitOf, [valued, counted]);
    const { price, fixed } = valued;
    const units = members.map((machines, unit) => this.#unit(machines, fixed[unit] ?? [], price));
    const problem = {
      units,
      capacities: sites.map(({ nodes, memoryBytes }): Capacity => {
        return {
          nodes: nodes ?? Number.POSITIVE_INFINITY,
          memoryBytes: memoryBytes ?? Number.POSITIVE_INFINITY,
        };
      }),
      price,
      talks,
      apart: apart.map((list) => this.#apart(list, unitOf)).filter(({ length }) => length > 1),
    };
    return { problem, members, bytePrice: counted.price, fixedBytes: counted.fixed, notes: this.#notes };
  }

  /** Machines that stay together are one unit, also by way of several lists; those that are not at one site move nowhere. */
  #members(): number[][] {
    const { machines, together } = this.#input;
    const components = new Components(machines.length);
    for (const list of together) for (const machine of list) components.join(list[0] ?? machine, machine);
    const units = components.all();
    const joined = new Set(units.flat());
    const alone = machines.map((_, machine) => [machine]).filter(([machine = 0]) => !joined.has(machine));
    return [...units.flatMap((list) => this.#whole(list)), ...alone];
  }

  #whole(list: readonly number[]): number[][] {
    const places = new Set(list.map((machine) => this.#input.machines[machine]?.site));
    if (places.size <= 1) return [[...list]];
    for (const machine of list) this.#torn.add(machine);
    this.#notes.push(
      `${this.#names(list)} are to stay together and are at ${[...places].join(', ')}: none is moved`,
    );
    return list.map((machine) => [machine]);
  }

  #apart(list: readonly number[], unitOf: ReadonlyMap<number, number>): number[] {
    const sites = list.map((machine) => this.#input.machines[machine]?.site);
    if (new Set(sites).size < sites.length)
      this.#notes.push(`${this.#names(list)} are to stay apart, and two of them are at one site now`);
    return [...new Set(list.map((machine) => unitOf.get(machine) ?? 0))];
  }

  #names(list: readonly number[]): string {
    return list.map((machine) => this.#input.machines[machine]?.addresses[0] ?? '').join(', ');
  }

  #prices(of: (link: SiteLink) => number): number[][] {
    const { sites } = this.#input;
    return sites.map((from) =>
      sites.map((to) => (from.id === to.id ? 0 : of(this.#input.link(from.id, to.id)))),
    );
  }

  /** Talk with what does not move goes into `fixed`. */
  #talks(unitOf: ReadonlyMap<number, number>, ledgers: readonly Ledger[]): Talk[] {
    const { machines, matrix } = this.#input;
    const machineOf = new Map(
      machines.flatMap(({ vnet, addresses }, machine) =>
        addresses.map((address) => [addressKey(vnet, address), machine] as const),
      ),
    );
    const unitAt = (vnet: number, address: string): number | undefined => {
      const machine = machineOf.get(addressKey(vnet, address));
      return machine === undefined ? undefined : unitOf.get(machine);
    };
    const talks: Talk[] = [];
    for (const pair of matrix.pairs) {
      const bytesPerDay = pair.bytes * (DAY_MS / 1000 / matrix.seconds);
      const from = unitAt(pair.vnet, pair.source);
      const to = unitAt(pair.vnet, pair.destination);
      if (from !== undefined && to !== undefined) talks.push({ from, to, bytesPerDay });
      else for (const ledger of ledgers) this.#addFixed(pair, bytesPerDay, { from, to }, ledger);
    }
    return talks;
  }

  #addFixed(
    { sourceSite, destinationSite }: PairTraffic,
    bytesPerDay: number,
    { from, to }: { readonly from: number | undefined; readonly to: number | undefined },
    { price, fixed }: Ledger,
  ): void {
    const other = this.#siteNumbers.get(from === undefined ? sourceSite : destinationSite);
    const costs = fixed[from ?? to ?? -1];
    if (other === undefined || costs === undefined) return;
    for (const site of costs.keys()) {
      const perByte = from === undefined ? price[other]?.[site] : price[site]?.[other];
      (costs[site] as number) += bytesPerDay * (perByte ?? 0);
    }
  }

  #unit(machines: readonly number[], fixed: readonly number[], price: readonly (readonly number[])[]): Unit {
    const [first] = machines;
    const home = this.#input.machines[first ?? -1]?.site ?? '';
    const site = this.#siteNumbers.get(home);
    if (site === undefined) throw new Error(`a machine at ${home}, which is no site of the input`);
    const all = machines.map((machine) => this.#input.machines[machine] as AdvisedMachine);
    const { horizonMs } = this.#options;
    return {
      site,
      nodes: all.length,
      memoryBytes: all.reduce((sum, { load }) => sum + load.memoryBytes, 0),
      fixed,
      moving: this.#input.sites.map(({ id }, to) => {
        if (to === site) return 0;
        if (machines.some((machine) => this.#torn.has(machine))) return Number.POSITIVE_INFINITY;
        const costs = all.map((machine) => this.#movingCost(machine, id, price[site]?.[to] ?? 0));
        return (costs.reduce((sum, cost) => sum + cost, 0) * (1 + HYSTERESIS) * DAY_MS) / horizonMs;
      }),
    };
  }

  /** Once, in the objective's unit. */
  #movingCost(machine: AdvisedMachine, to: SiteId, perByte: number): number {
    const { horizonMs, nowMs, restMs } = this.#options;
    const { stays, allow, pastMoves = [], site, load } = machine;
    const since = Math.min(...pastMoves.map(({ atMs }) => nowMs - atMs));
    // Where it has come from it goes back to when what was promised for going is over, not before.
    const returns = pastMoves.some(({ atMs, from }) => from === to && nowMs - atMs < horizonMs);
    if (stays !== undefined || since < restMs || returns || allow?.has(to) === false)
      return Number.POSITIVE_INFINITY;
    const bytes = migrationCost(load, this.#input.link(site, to).bytesPerSecond).bytes;
    return (since < horizonMs ? AGAIN : 1) * bytes * perByte;
  }
}

function priceOf(objective: Objective, { rttMs, pricePerGb }: SiteLink): number {
  if (objective === 'traffic') return 1;
  return objective === 'latency' ? rttMs : pricePerGb / BYTES_PER_GB;
}
