/** Writes to the same sectors are done in the order in which they came; others at once. */
interface Turn {
  readonly chunk: number;
  readonly from: number;
  readonly to: number;
  /** Those before it that it waits for. */
  readonly before: Promise<unknown> | undefined;
  readonly over: Promise<void>;
  leave(): void;
}

export class Ranges {
  readonly #turns = new Map<number, Turn[]>();

  /** Whoever enters leaves, whatever happens. */
  enter(chunk: number, from: number, to: number): Turn {
    const turns = this.#turns.get(chunk);
    const before = turns === undefined ? [] : lastOf(turns, from, to);
    let over = (): void => undefined;
    const turn: Turn = {
      ...{ chunk, from, to },
      before: before.length === 0 ? undefined : Promise.all(before.map((other) => other.over)),
      over: new Promise<void>((resolve) => {
        over = resolve;
      }),
      leave: () => {
        this.#left(turn);
        over();
      },
    };
    if (turns === undefined) this.#turns.set(chunk, [turn]);
    else turns.push(turn);
    return turn;
  }

  isBusy(chunk: number): boolean {
    return this.#turns.has(chunk);
  }

  #left(turn: Turn): void {
    const turns = this.#turns.get(turn.chunk) ?? [];
    if (turns.length <= 1) this.#turns.delete(turn.chunk);
    else turns.splice(turns.indexOf(turn), 1);
  }
}

/** Whom to wait for: those that overlap, from the last one back to one that has all of the range. It waits for the others itself. */
function lastOf(turns: readonly Turn[], from: number, to: number): Turn[] {
  const last: Turn[] = [];
  for (let at = turns.length - 1; at >= 0; at--) {
    const turn = turns[at];
    if (turn === undefined || turn.to <= from || to <= turn.from) continue;
    last.push(turn);
    if (turn.from <= from && to <= turn.to) break;
  }
  return last;
}
