/** A start that can be called off, and an end that goes through: what a router's life is made of. */
import { messageOf } from '../../net/system-error.js';

export interface Step {
  /** For the message when it fails. */
  readonly name: string;
  readonly run: () => void | Promise<void>;
}

/**
 * Steps one after the other. After `abort` none begins any more: each may wait for something as long as it likes, and what
 * was waited for never comes after the end.
 */
export class StartSequence {
  readonly #steps: readonly Step[];
  #isAborted = false;
  #running: Promise<void> | undefined;

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
  }

  /** True: every step is done. False: it was called off. Rejects with what a step rejects with; none follows it. */
  async run(): Promise<boolean> {
    for (const { run } of this.#steps) {
      if (this.#isAborted) return false;
      this.#running = Promise.resolve(run());
      await this.#running;
    }
    return !this.#isAborted;
  }

  /** Settles when the step under way has ended, however it does. */
  async abort(): Promise<void> {
    this.#isAborted = true;
    await this.#running?.catch(() => {}); // Who runs the sequence is told.
  }
}

/** All of them, in order, also after one that fails. Rejects at the end when one did, naming it. */
export async function takeDown(steps: readonly Step[]): Promise<void> {
  const failures: { readonly name: string; readonly error: unknown }[] = [];
  for (const { name, run } of steps) {
    try {
      await run();
    } catch (error) {
      failures.push({ name, error });
    }
  }
  if (failures.length === 0) return;
  const text = failures.map(({ name, error }) => `${name}: ${messageOf(error)}`).join('; ');
  throw new AggregateError(
    failures.map(({ error }) => error),
    text,
  );
}
