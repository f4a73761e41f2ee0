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
