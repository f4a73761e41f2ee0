/** Which of a fixed number of entries nobody has: those given back, and those that nobody has had yet, which come later. */
export class FreeEntries {
  /** As much as is never given back is never touched: the system has no page of it. */
  readonly #returned: Uint32Array;
  #count = 0;
  #untouched = 0;

  constructor(private readonly capacity: number) {
    this.#returned = new Uint32Array(capacity);
  }

  /** -1: there is none. */
  take(): number {
    if (this.#count > 0) return this.#returned[--this.#count] ?? -1;
    return this.#untouched < this.capacity ? this.#untouched++ : -1;
  }

  giveBack(entry: number): void {
    this.#returned[this.#count++] = entry;
  }

  /** All but those in use are free, the lowest first. */
  begin(isUsed: (entry: number) => boolean): void {
    this.#count = 0;
    this.#untouched = this.capacity;
    while (this.#untouched > 0 && !isUsed(this.#untouched - 1)) this.#untouched--;
    for (let entry = this.#untouched - 1; entry >= 0; entry--) if (!isUsed(entry)) this.giveBack(entry);
  }
}
