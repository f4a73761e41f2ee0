/** Bytes in the order in which they came, taken in other pieces. */
export class ByteQueue {
  #pieces: Buffer[] = [];
  #bytes = 0;

  get length(): number {
    return this.#bytes;
  }

  push(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#bytes += piece.length;
  }

  /** The next bytes, which stay; undefined: there are not so many. */
  peek(length: number): Buffer | undefined {
    if (length > this.#bytes) return undefined;
    let pieces = 0;
    for (let has = 0; has < length; pieces++) has += this.#pieces[pieces]?.length ?? 0;
    // Joined once: whoever looks again while the rest comes byte by byte does not join all of it again.
    if (pieces > 1) this.#pieces.splice(0, pieces, Buffer.concat(this.#pieces.slice(0, pieces)));
    return (this.#pieces[0] ?? Buffer.alloc(0)).subarray(0, length);
  }

  /** A view of what was pushed where it is in one piece. Undefined: there are not so many. */
  take(length: number): Buffer | undefined {
    const taken = this.peek(length);
    if (taken !== undefined) this.drop(length);
    return taken;
  }

  /** Copies the next bytes to the beginning of `target`, without joining them before. False: there are not so many. */
  takeInto(target: Buffer, length: number): boolean {
    if (length > this.#bytes) return false;
    let at = 0;
    for (const piece of this.#pieces) {
      if (at === length) break;
      at += piece.copy(target, at, 0, length - at);
    }
    this.drop(length);
    return true;
  }

  /** Answers how many there were, at most `length`. */
  drop(length: number): number {
    let left = Math.min(length, this.#bytes);
    const dropped = left;
    this.#bytes -= dropped;
    let whole = 0;
    for (const piece of this.#pieces) {
      if (left < piece.length) break;
      left -= piece.length;
      whole++;
    }
    this.#pieces.splice(0, whole);
    const [first] = this.#pieces;
    if (left > 0 && first !== undefined) this.#pieces[0] = first.subarray(left);
    return dropped;
  }
}
