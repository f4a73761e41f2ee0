/** What clients do with a volume at the moment: a move that begins in the middle of it, or is to give control, has to know. */
import type { Clients } from '../chunk/source.js';

export class Requests {
  #outstanding = 0;
  #connections = 0;
  /** Chunks that are being written to, and how often at once. */
  readonly #writing = new Map<number, number>();

  get clients(): Clients {
    return { connections: this.#connections, outstanding: this.#outstanding };
  }

  connected(count: number): void {
    this.#connections = count;
  }

  /** Chunks that are being written to, each as often as it is. */
  *writing(): Generator<number> {
    for (const [chunk, count] of this.#writing) for (let time = 0; time < count; time++) yield chunk;
  }

  async during<Value>(work: () => Promise<Value>): Promise<Value> {
    this.#outstanding++;
    try {
      return await work();
    } finally {
      this.#outstanding--;
    }
  }

  /** @param ended whether or not it went well */
  async change(
    chunks: readonly number[],
    work: () => Promise<void>,
    ended: (chunk: number) => void,
  ): Promise<void> {
    for (const chunk of chunks) this.#writing.set(chunk, (this.#writing.get(chunk) ?? 0) + 1);
    this.#outstanding++;
    try {
      await work();
    } finally {
      this.#outstanding--;
      for (const chunk of chunks) {
        const left = (this.#writing.get(chunk) ?? 1) - 1;
        if (left > 0) this.#writing.set(chunk, left);
        else this.#writing.delete(chunk);
        ended(chunk);
      }
    }
  }
}
