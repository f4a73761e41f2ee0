/**
 * What a router does with what it has heard while it stood by, when it takes over. Nobody is claimed on old evidence alone:
 * a machine whose record is elsewhere, or that has none, may have left again meanwhile, so it is asked, and its answer is
 * evidence like any other. It is looked at again when the tables have been compared: they may say another thing then.
 */
import type { Ip } from '../../net/ip.js';
import { type AddressProbe, THOROUGH } from '../address-probe.js';
import type { Context } from '../context.js';
import type { Evidence } from '../evidence.js';
import type { Queries } from '../sync/queries.js';

/** Before and after the tables of the nearest, and of the farthest, have been compared. */
const PASSES_MS = [0, 500, 2_500] as const;
/** Machines asked at a time, and the time until the next are. */
const MOST_AT_ONCE = 32;
const PAUSE_MS = 10;
/** Addresses of one machine. */
const MOST_ADDRESSES = 8;

export interface AskingParts {
  readonly addressProbe: AddressProbe;
  readonly queries: Queries;
}

export class Asking {
  readonly #context: Context;
  readonly #parts: AskingParts;

  constructor(context: Context, parts: AskingParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** @param heard newest first */
  begin(heard: readonly Evidence[]): void {
    if (heard.length === 0) return;
    const [first, ...others] = PASSES_MS;
    for (const atMs of others) this.#context.timers.after('heard', atMs, () => this.#pass(heard, 0));
    this.#context.timers.after('heard', first, () => this.#pass(heard, 0));
  }

  /** @param from the first that has not been looked at */
  #pass(heard: readonly Evidence[], from: number): void {
    let asked = 0;
    for (let i = from; i < heard.length; i++) {
      const evidence = heard[i];
      if (evidence === undefined || !this.#ask(evidence) || ++asked < MOST_AT_ONCE) continue;
      this.#context.timers.after('heard', PAUSE_MS, () => this.#pass(heard, i + 1));
      return;
    }
  }

  /** False: it is where the directory says, or there is nothing to ask it for. */
  #ask({ lan: { vnet }, mac, ip }: Evidence): boolean {
    const { directory, hwdt, self } = this.#context;
    if (ip !== undefined) {
      const record = directory.here(vnet, ip);
      if (record?.router === self && record.mac === mac) return false;
      return this.#askAll(vnet, mac, [ip]);
    }
    const its = directory.byMac(vnet, mac);
    if (its.length > 0) {
      const elsewhere = its.filter(({ router }) => router !== self).map((record) => record.ip);
      return this.#askAll(vnet, mac, elsewhere);
    }
    // The tables have told nothing of it. When they have, it is asked for its addresses by the next pass.
    this.#parts.queries.whoHasMac(vnet, mac);
    this.#askAll(
      vnet,
      mac,
      hwdt.byMac(vnet, mac).map((binding) => binding.ip),
    );
    return true;
  }

  #askAll(vnet: number, mac: Evidence['mac'], ips: readonly Ip[]): boolean {
    for (const ip of ips.slice(0, MOST_ADDRESSES)) {
      this.#parts.addressProbe.ask({ vnet, ip, mac, probes: THOROUGH, purpose: { for: 'deferred' } });
      this.#context.counters.count('heard_asked');
    }
    return ips.length > 0;
  }
}
