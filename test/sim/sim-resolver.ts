/** A resolver that is as slow, as wrong and as silent as a test wants. */
import type { Clock } from '../../src/net/clock.js';
import { Ip } from '../../src/net/ip.js';
import type { LookupAnswer } from '../../src/tunnel/names/names.js';
import type { ResolverPort } from '../../src/tunnel/ports.js';

export class SimResolver implements ResolverPort {
  /** What it says; of other names that there are none. */
  readonly says = new Map<string, readonly string[]>();
  delayMs = 5;
  /** It answers nothing, until it does. */
  silent = false;
  /** Instead of what it says. */
  problem = '';
  /** How often each name was asked for. */
  readonly asked = new Map<string, number>();
  readonly own = new Set<string>();
  #waiting: (() => void)[] = [];

  constructor(private readonly clock: Clock) {}

  get lookups(): number {
    return [...this.asked.values()].reduce((sum, count) => sum + count, 0);
  }

  lookUp(name: string, done: (answer: LookupAnswer) => void): void {
    this.asked.set(name, (this.asked.get(name) ?? 0) + 1);
    const answer = (): void => done(this.answerTo(name));
    if (this.silent) this.#waiting.push(answer);
    else this.clock.after('resolver', this.delayMs, answer);
  }

  /** It is itself again: what waits is answered. */
  speak(): void {
    this.silent = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const answer of waiting) answer();
  }

  unusable(address: Ip): string | undefined {
    return this.own.has(address.key) ? "is this machine's own" : undefined;
  }

  private answerTo(name: string): LookupAnswer {
    if (this.problem !== '') return { problem: this.problem };
    const addresses = this.says.get(name);
    return addresses === undefined
      ? { problem: 'there is no such name' }
      : { addresses: addresses.map((text) => Ip.of(text)) };
  }
}
