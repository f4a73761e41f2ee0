/** Memory for the data of writes, used again and again: what is thrown away costs more than what is done with it. */
export class Blocks {
  readonly #free: Buffer[] = [];

  constructor(
    private readonly blockBytes: number,
    private readonly mostFree: number,
  ) {}

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.blockBytes);
  }

  /** @param part of a block, from its beginning on */
  give(part: Buffer): void {
    if (this.#free.length < this.mostFree) this.#free.push(Buffer.from(part.buffer, 0, this.blockBytes));
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
