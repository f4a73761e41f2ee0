/** Less than this is not worth a block. */
const LEAST_BYTES = 32 * 1024;

/** Memory for the data of large writes, used again and again: what is thrown away costs more than what is done with it. */
export class Blocks {
  readonly #free: Buffer[] = [];
  readonly #own = new WeakSet<ArrayBufferLike>();

  constructor(
    private readonly blockBytes: number,
    private readonly mostFree: number,
  ) {}

  /** Undefined: so few bytes may stay where they are. */
  take(length: number): Buffer | undefined {
    if (length < LEAST_BYTES) return undefined;
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const block = Buffer.allocUnsafeSlow(this.blockBytes);
    this.#own.add(block.buffer);
    return block;
  }

  /** @param data of a write that is over, in a block or not */
  give(data: Buffer): void {
    if (this.#own.has(data.buffer) && this.#free.length < this.mostFree)
      this.#free.push(Buffer.from(data.buffer));
  }
}

/** Bytes that a volume's requests under way may take. One that is larger than all of it goes alone. */
export class Room {
  #usedBytes = 0;
  #waiting: (() => void)[] = [];

  constructor(private readonly mostBytes: number) {}

  /** False: there is none now, and `when` is called when that may have changed. */
  take(bytes: number, when: () => void): boolean {
    if (this.#usedBytes > 0 && this.#usedBytes + bytes > this.mostBytes) {
      this.#waiting.push(when);
      return false;
    }
    this.#usedBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes;
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const when of waiting) when();
  }
}
