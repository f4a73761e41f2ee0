/** Clients that still use a volume where it has gone from. */
import type { MoveWorld } from './world.js';

/** They are told of so often; all are counted. */
const LATE_MS = 1_000;

export class Late {
  #saidMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly name: string,
    private readonly world: MoveWorld,
  ) {}

  count(counter: 'volume_late_reads' | 'volume_late_writes', peer: string): void {
    const { counters, clock, log } = this.world;
    counters.count(counter);
    const nowMs = clock.nowMs();
    if (nowMs - this.#saidMs < LATE_MS) return;
    this.#saidMs = nowMs;
    const does = counter === 'volume_late_writes' ? 'writes to' : 'reads';
    log(`ALARM: volume ${this.name} has gone to ${peer}, and a client here still ${does} it: refused`);
  }
}
