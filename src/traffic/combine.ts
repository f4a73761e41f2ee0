/** What the routers have told, put together: in bounded memory, whatever they tell. */
import type { Ip } from '../net/ip.js';
import type { RouterId, VnetId } from '../tables/model.js';
import { byBytes, type Counted, NOTHING } from './counted.js';
import type { Told } from './gather.js';
import { OUTSIDE, type PairTraffic, type TrafficMatrix } from './matrix.js';
import { PairTable, TABLE_PAIRS } from './pair-table.js';
import { PERIOD_SECONDS } from './periods.js';
import { type Question, weightedSeconds } from './query.js';

/** In all periods together. */
const MOST_PAIRS = 4 * TABLE_PAIRS;

export class Combined {
  readonly #question: Question;
  readonly #tables = new Map<number, PairTable>();

  constructor(question: Question) {
    this.#question = question;
  }

  add({ parts }: Told): void {
    for (const [period, counted] of parts) this.#tableOf(period).addAll(counted);
  }

  /** Of one period, or of all: number 0. */
  counted(period: number): Counted {
    return this.#tables.get(period)?.counted() ?? NOTHING;
  }

  #tableOf(period: number): PairTable {
    let table = this.#tables.get(period);
    if (table === undefined) {
      const { detail, periods } = this.#question;
      table = new PairTable(detail ? Math.ceil(MOST_PAIRS / periods) : TABLE_PAIRS);
      this.#tables.set(period, table);
    }
    return table;
  }
}

/** The name of the machine that has the address: one of its addresses, always the same. */
export type NameOf = (vnet: VnetId, ip: Ip) => string;

/** @param missing routers that have not told */
export function matrixOf(
  { pairs, rest, unattributed }: Counted,
  question: Question,
  nameOf: NameOf,
  missing: readonly RouterId[],
): TrafficMatrix {
  const named = new Map<string, PairTraffic>();
  for (const { source: from, destination: to, ...pair } of pairs) {
    const source = from === undefined ? OUTSIDE : nameOf(pair.vnet, from);
    const destination = to === undefined ? OUTSIDE : nameOf(pair.vnet, to);
    const key = [pair.vnet, source, destination, pair.sourceSite, pair.destinationSite].join(' ');
    const known = named.get(key);
    const packets = pair.packets + (known?.packets ?? 0);
    named.set(key, { ...pair, source, destination, packets, bytes: pair.bytes + (known?.bytes ?? 0) });
  }
  return {
    seconds: question.detail ? PERIOD_SECONDS : weightedSeconds(question),
    pairs: [...named.values()].sort(byBytes),
    rest,
    unattributed,
    missing,
  };
}
