/** Cuts a stream of text into its lines, whatever the pieces that it comes in. */
export class Lines {
  #rest = '';

  /** The lines that this piece completes. */
  push(piece: string): string[] {
    const lines = (this.#rest + piece).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines;
  }
}
