import type { Lab } from '../../test/lab/lab.js';

/** A long run in which a step takes no end: whoever started it hours ago hears which one, and gets the machine back. */
export class Standstill {
  private timer: NodeJS.Timeout | undefined;
  private step = 'the start';

  /** @param onStandstill told what had been done last; a run that goes on after that is not watched any more */
  constructor(
    private readonly limitMs: number,
    private readonly onStandstill: (message: string) => void,
  ) {
    this.begin();
  }

  /** Something has been done, or is about to be. */
  reached(step: string): void {
    this.step = step;
    this.end();
    this.begin();
  }

  end(): void {
    clearTimeout(this.timer);
  }

  private begin(): void {
    const seconds = Math.round(this.limitMs / 1_000);
    this.timer = setTimeout(() => {
      this.onStandstill(`nothing more for ${seconds} s after: ${this.step}`);
    }, this.limitMs);
  }
}

/** The longest step of a bench takes a minute or two. */
const STANDSTILL_MS = 300_000;

/** Ends the process with what the lab says of itself; the lab goes with it. @param labNow undefined between two labs */
export function endAtStandstill(labNow: () => Lab | undefined): Standstill {
  return new Standstill(STANDSTILL_MS, (message) => {
    console.error(`\n${message}\n${labNow()?.report() ?? ''}`);
    process.exit(1);
  });
}
