/**
 * How the process ends: once, whatever asks for it and however often; all that is to be done first is tried; and within
 * a bound, whatever fails or hangs on the way.
 */
import type { Logger } from 'pino';
import type { Clock } from '../../net/clock.js';
import { type Step, takeDown } from './sequence.js';

/** Together less than the service manager waits before it kills (TimeoutStopSec=5). */
export const END_LIMIT_MS = 3_500;
export const LAST_LINES_LIMIT_MS = 1_000;
const EX_FAILURE = 1;

export interface EndingPorts {
  readonly clock: Pick<Clock, 'after'>;
  readonly logger: Logger;
  /** Settles when all that has been logged is written. */
  readonly logged: () => Promise<void>;
  readonly exit: (status: number) => void;
}

export class Ending {
  readonly #ports: EndingPorts;
  readonly #steps: Step[] = [];
  #status = 0;
  #isEnding = false;

  constructor(ports: EndingPorts) {
    this.#ports = ports;
  }

  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** To be done before the process ends, in the order in which they were added. */
  before(name: string, run: Step['run']): void {
    this.#steps.push({ name, run });
  }

  /** Somebody wants it to end; the status is 0 unless something has failed by then. */
  ask(signal: string): void {
    if (this.#isEnding) return;
    this.#ports.logger.info({ event: 'stopping', signal }, 'stopping');
    void this.#end();
  }

  /** It cannot go on, or something has failed while it was ending: the status says so. */
  fail(error: unknown): void {
    const isError = error instanceof Error;
    const fields = {
      error: isError ? error.message : String(error),
      stack: isError ? error.stack : undefined,
    };
    this.#ports.logger.fatal({ event: 'failed', ...fields }, 'the router cannot go on');
    this.#status = EX_FAILURE;
    void this.#end();
  }

  async #end(): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    const limit = this.#ports.clock.after('end-limit', END_LIMIT_MS, () => {
      this.#ports.logger.fatal(
        { event: 'stop_hangs' },
        'the router does not stop in time: it is ended as it is',
      );
      void this.#exit(EX_FAILURE);
    });
    try {
      await takeDown(this.#steps);
    } catch (error) {
      this.#status = EX_FAILURE;
      const reason = error instanceof Error ? error.message : String(error);
      this.#ports.logger.error({ event: 'stop_failed', reason }, 'not all could be stopped in order');
    }
    limit.cancel();
    await this.#exit(this.#status);
  }

  /** A reader of the log that stands still does not keep the process alive. */
  async #exit(status: number): Promise<void> {
    const { clock, logged, exit } = this.#ports;
    const limit = new Promise<void>((resolve) => clock.after('last-lines', LAST_LINES_LIMIT_MS, resolve));
    await Promise.race([logged(), limit]).catch(() => {}); // Nobody is left to be told.
    exit(status);
  }
}
