/**
 * Steps one after another, each when what it needs is there, in the order in which they were added, whichever need is there first. A need
 * or a step that fails is told once the steps before are done; whoever is told ends the job, and nothing further is done.
 */
export interface Keeper {
  failed(error: unknown): void;
  readonly isOver: boolean;
}

export class InOrder {
  #last: Promise<void> = Promise.resolve();

  constructor(private readonly keeper: Keeper) {}

  add<Need>(need: Need | Promise<Need>, step: (need: Need) => void | Promise<void>): void {
    const ready = Promise.resolve(need);
    // It may fail before it is its turn: nobody listens to it yet, and Node.js ends a process for that.
    ready.catch(() => undefined);
    this.#last = this.#last
      .then(async () => {
        if (this.keeper.isOver) return;
        const needed = await ready;
        if (!this.keeper.isOver) await step(needed);
      })
      .catch((error: unknown) => this.keeper.failed(error));
  }
}
