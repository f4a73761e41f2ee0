/**
 * The LANs on which another router of the site answers and forwards, in shared memory: one word a LAN, 1 while this one
 * stands by. One writer, the control thread.
 */
export class StandbyTable {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;

  private constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
  }

  static create(lans: number): StandbyTable {
    return new StandbyTable(new SharedArrayBuffer(lans * Int32Array.BYTES_PER_ELEMENT));
  }

  static attach(memory: SharedArrayBuffer): StandbyTable {
    return new StandbyTable(memory);
  }

  set(lan: number, standsBy: boolean): void {
    this.#words[lan] = standsBy ? 1 : 0;
  }

  /** @param port a LAN's index, or a TUN port's, on which no router stands by */
  has(port: number): boolean {
    return this.#words[port] === 1;
  }
}
