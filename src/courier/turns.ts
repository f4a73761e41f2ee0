/** So many of something at once by a key, and the others in the order in which they have come. */
interface Line {
  running: number;
  readonly waiting: (() => void)[];
}

export class Turns {
  readonly #lines = new Map<string, Line>();

  constructor(private readonly most: number) {}

  /** Calls `begin` when it is its turn, perhaps at once. What that is handed ends the turn, once, however often it is called. */
  take(key: string, begin: (done: () => void) => void): void {
    const line = this.#lines.get(key) ?? { running: 0, waiting: [] };
    this.#lines.set(key, line);
    const start = (): void => {
      line.running++;
      let isRunning = true;
      begin(() => {
        if (isRunning) this.#ended(key, line);
        isRunning = false;
      });
    };
    if (line.running < this.most) start();
    else line.waiting.push(start);
  }

  #ended(key: string, line: Line): void {
    line.running--;
    const next = line.waiting.shift();
    if (next !== undefined) next();
    else if (line.running === 0) this.#lines.delete(key);
  }
}
