/** The router's life as the service manager sees it: says what the router does, and feeds the watchdog while it is well. */
import type { StatusView } from '../../control/api.js';
import type { Clock, Timer } from '../../net/clock.js';
import type { ServiceManager } from './service-manager.js';
import { Watchdog } from './watchdog.js';

const STATUS_EVERY_MS = 5000;

/** The part of the router that is looked at. */
export interface Supervised {
  status(): StatusView;
  workerTurns(): readonly { readonly name: string; readonly turns: number }[];
}

export class Supervision {
  readonly #manager: ServiceManager;
  readonly #clock: Clock;
  readonly #onStall: (worker: string) => void;
  #router: Supervised | undefined;
  #watchdog: Watchdog | undefined;
  #timer: Timer | undefined;
  #said = '';

  constructor(manager: ServiceManager, clock: Clock, onStall: (worker: string) => void) {
    this.#manager = manager;
    this.#clock = clock;
    this.#onStall = onStall;
  }

  /** Tables are loaded and the workers run. */
  ready(router: Supervised): void {
    this.#router = router;
    this.#sayReady();
    const limitMs = this.#manager.watchdogLimitMs;
    if (limitMs !== undefined) {
      this.#watchdog = new Watchdog({
        clock: this.#clock,
        limitMs,
        turns: () => router.workerTurns(),
        alive: () => this.#manager.alive(),
        onStall: this.#onStall,
      });
      this.#watchdog.start();
    }
    this.#planStatus();
  }

  /** A reload begins; {@link reloaded} must follow whatever becomes of it. */
  reloading(): void {
    if (this.#router !== undefined) this.#manager.reloading();
  }

  reloaded(): void {
    this.#sayReady();
  }

  stopping(): void {
    this.#watchdog?.stop();
    this.#timer?.cancel();
    this.#router = undefined;
    this.#manager.stopping();
  }

  #sayReady(): void {
    if (this.#router === undefined) return;
    this.#said = statusLine(this.#router.status());
    this.#manager.ready(this.#said);
  }

  #planStatus(): void {
    this.#timer = this.#clock.after('status-line', STATUS_EVERY_MS, () => {
      if (this.#router === undefined) return;
      const line = statusLine(this.#router.status());
      if (line !== this.#said) this.#manager.status(line);
      this.#said = line;
      this.#planStatus();
    });
  }
}

/** "1 of 2 peers up, 14 nodes here (1 visiting), 2 departed, 1 missing, 1 warning" */
export function statusLine(status: StatusView): string {
  const { peersUp, peersTotal, nodesHere, nodesVisiting, nodesDeparted, nodesMissing, warnings } = status;
  const parts = [
    `${peersUp} of ${peersTotal} ${peersTotal === 1 ? 'peer' : 'peers'} up`,
    `${nodesHere} ${nodesHere === 1 ? 'node' : 'nodes'} here${nodesVisiting > 0 ? ` (${nodesVisiting} visiting)` : ''}`,
  ];
  if (nodesDeparted > 0) parts.push(`${nodesDeparted} departed`);
  if (nodesMissing > 0) parts.push(`${nodesMissing} missing`);
  if (warnings.length > 0) parts.push(`${warnings.length} ${warnings.length === 1 ? 'warning' : 'warnings'}`);
  return parts.join(', ');
}
