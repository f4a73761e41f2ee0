/**
 * Where those were heard last of whom nothing else says where they are: WireGuard clients, and routers at an address that
 * `gndt.json` does not name. A router that has started again calls them there. Written when somebody has come, gone or
 * moved, not for what they send.
 */
import type { Clock } from '../../net/clock.js';
import { encodeKey } from '../../tables/files/read.js';
import { type Gndt, MAX_PEERS } from '../../tables/gndt.js';
import { type LastHeard, sameAddress } from '../../tunnel/last-heard.js';
import { endpointForm } from './endpoint-file.js';
import { StateStore } from './state-store.js';

/** The first change is on disk at once. */
const WRITE_DELAY_MS = 50;
/** Then so seldom: a client with two ways to the internet may seem to move every second. */
const WRITE_EVERY_MS = 2_000;
/** Timestamps of handshakes rise with the clock; those on disk follow so far behind. */
const STAMP_EVERY_US = 300e6;
/** Twice that: what was sent last before the end was earlier. */
const STAMP_MARGIN_US = 2 * STAMP_EVERY_US;

export interface EndpointMemoryOptions {
  readonly store: StateStore<LastHeard>;
  readonly clock: Clock;
  /** The public keys, in base64, that the configuration has now; who is not among them is not remembered. */
  readonly keys: () => ReadonlySet<string>;
}

export class EndpointMemory {
  readonly #options: EndpointMemoryOptions;
  /** By public key. */
  readonly #heard = new Map<string, LastHeard>();
  readonly #warnings: string[] = [];
  #stampFloorUs = 0;
  #lastWriteMs = Number.NEGATIVE_INFINITY;

  /** Reads the file. */
  constructor(options: EndpointMemoryOptions) {
    this.#options = options;
    const { records, problem } = options.store.load();
    if (problem !== undefined) this.#warnings.push(problem);
    for (const last of records) this.#heard.set(encodeKey(last.publicKey), last);
    this.#compareClock(records);
  }

  /** What was wrong at the start. */
  get warnings(): readonly string[] {
    return this.#warnings;
  }

  /**
   * Microseconds of Unix time that handshakes' timestamps must be later than: those who have heard later ones would not
   * listen. Beside the clock's own time it only matters when the clock was set back.
   */
  get stampFloorUs(): number {
    return this.#stampFloorUs;
  }

  /** How many are remembered. */
  get size(): number {
    return this.#heard.size;
  }

  lastHeard(publicKey: Uint8Array): LastHeard | undefined {
    return this.#heard.get(encodeKey(publicKey));
  }

  /** Perhaps the same as before. */
  heard(last: LastHeard): void {
    const key = encodeKey(last.publicKey);
    const before = this.#heard.get(key);
    if (before !== undefined && isSame(before, last)) return;
    if (before === undefined && this.#heard.size >= MAX_PEERS) this.#forgetStrangers();
    this.#heard.set(key, last);
    const dueMs = this.#lastWriteMs + WRITE_EVERY_MS - this.#options.clock.nowMs();
    this.#options.store.schedule(() => this.#snapshot(), Math.max(WRITE_DELAY_MS, dueMs));
  }

  /** Settles when no write is under way. */
  async idle(): Promise<void> {
    await this.#options.store.idle();
  }

  /** At once, and blocks. */
  save(): void {
    if (this.#heard.size > 0) this.#options.store.save(this.#snapshot());
  }

  #snapshot(): LastHeard[] {
    this.#lastWriteMs = this.#options.clock.nowMs();
    const keys = this.#options.keys();
    return [...this.#heard].filter(([key]) => keys.has(key)).map(([, last]) => last);
  }

  /** Of those that a reload has taken out some memory is kept: it may be undone. */
  #forgetStrangers(): void {
    const keys = this.#options.keys();
    for (const key of [...this.#heard.keys()]) if (!keys.has(key)) this.#heard.delete(key);
  }

  #compareClock(records: readonly LastHeard[]): void {
    const latestUs = records.reduce((latest, { stampUs }) => Math.max(latest, stampUs), 0);
    const behindUs = latestUs - this.#options.clock.wallMs() * 1_000;
    if (behindUs <= 0) return;
    this.#stampFloorUs = latestUs + STAMP_MARGIN_US;
    this.#warnings.push(
      `the clock is ${Math.ceil(behindUs / 1e6)} s behind the router's last handshakes: set it right, or remove ${this.#options.store.path} if it was wrong before`,
    );
  }
}

/** That of `endpoints.json` in the state directory. @param onError see `StateStore` */
export function openEndpointMemory(
  stateDir: string,
  gndt: Gndt,
  clock: Clock,
  onError: (message: string) => void,
): EndpointMemory {
  const own = gndt.config.routers.find(({ id }) => id === gndt.router);
  if (own === undefined) throw new RangeError(`${gndt.router} is not in the GNDT`);
  return new EndpointMemory({
    store: new StateStore(stateDir, endpointForm(own.publicKey), clock, onError),
    clock,
    keys: () =>
      new Set([...gndt.otherRouters(), ...gndt.ownClients].map(({ publicKey }) => encodeKey(publicKey))),
  });
}

function isSame(before: LastHeard, last: LastHeard): boolean {
  return (
    sameAddress(before, last) &&
    before.hasSession === last.hasSession &&
    last.stampUs - before.stampUs < STAMP_EVERY_US
  );
}
