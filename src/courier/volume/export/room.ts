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

/** Bytes that a volume's requests under way may take beyond what each client has of its own. One that is larger than all of it goes alone. */
export class Room {
  #usedBytes = 0;
  #waiting = new Set<() => void>();

  constructor(private readonly mostBytes: number) {}

  /** False: there is none now, and `when` is called when that may have changed. */
  take(bytes: number, when: () => void): boolean {
    if (this.#usedBytes > 0 && this.#usedBytes + bytes > this.mostBytes) {
      this.#waiting.add(when);
      return false;
    }
    this.#usedBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes;
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const when of waiting) when();
  }
}

/** A client's room: its own first, so that those who read no replies hold up nobody else, then of what all share. */
export class Share {
  #usedBytes = 0;

  /** @param when there may be room again */
  constructor(
    private readonly room: Room,
    private readonly ownBytes: number,
    private readonly when: () => void,
  ) {}

  /** False: `when` is called. */
  take(bytes: number): boolean {
    const shared = this.#sharedOf(this.#usedBytes + bytes) - this.#sharedOf(this.#usedBytes);
    if (shared > 0 && !this.room.take(shared, this.when)) return false;
    this.#usedBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    const shared = this.#sharedOf(this.#usedBytes) - this.#sharedOf(this.#usedBytes - bytes);
    this.#usedBytes -= bytes;
    if (shared > 0) this.room.give(shared);
    this.when();
  }

  #sharedOf(usedBytes: number): number {
    return Math.max(0, usedBytes - this.ownBytes);
  }
}
