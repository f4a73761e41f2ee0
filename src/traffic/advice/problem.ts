/**
 * The question in numbers: which unit should be at which site? A unit is a machine, or several that stay together. Costs are a
 * day's, in the objective's unit.
 */

export interface Talk {
  readonly from: number;
  readonly to: number;
  readonly bytesPerDay: number;
}

export interface Unit {
  /** Where it is. */
  readonly site: number;
  /** Places that it takes, and memory. */
  readonly nodes: number;
  readonly memoryBytes: number;
  /** By site: what going there costs, as a share of each day of the horizon; Infinity: it may not. 0 where it is. */
  readonly moving: readonly number[];
  /** By site: what its talk with places that do not move costs a day when it is there. */
  readonly fixed: readonly number[];
}

export interface Capacity {
  /** At rest; Infinity: no limit. */
  readonly nodes: number;
  readonly memoryBytes: number;
}

export interface Problem {
  readonly units: readonly Unit[];
  readonly capacities: readonly Capacity[];
  /** Of a byte, by the sites that it goes from and to; 0 within one. */
  readonly price: readonly (readonly number[])[];
  readonly talks: readonly Talk[];
  /** Of each list no two units may be at one site; those that are now may go on being. */
  readonly apart: readonly (readonly number[])[];
}

/** Who a unit talks with: parallel lists, each partner once. */
export interface Partners {
  readonly units: Int32Array;
  /** Bytes a day to the partner, and from it. */
  readonly sent: Float64Array;
  readonly received: Float64Array;
}

export function partnersOf({ units, talks }: Problem): Partners[] {
  const sums = units.map(() => new Map<number, [sent: number, received: number]>());
  const add = (unit: number, partner: number, sent: number, received: number): void => {
    const sum = sums[unit]?.get(partner);
    if (sum === undefined) sums[unit]?.set(partner, [sent, received]);
    else {
      sum[0] += sent;
      sum[1] += received;
    }
  };
  for (const { from, to, bytesPerDay } of talks) {
    if (from === to) continue;
    add(from, to, bytesPerDay, 0);
    add(to, from, 0, bytesPerDay);
  }
  return sums.map((partners) => ({
    units: Int32Array.from(partners.keys()),
    sent: Float64Array.from(partners.values(), ([sent]) => sent),
    received: Float64Array.from(partners.values(), ([, received]) => received),
  }));
}
