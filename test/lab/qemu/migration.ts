/**
 * A live migration as one looks at it who decides at its end where the guest goes on: the destination has been started with `-S`, and is
 * let go only when the source says that all is there. What libvirt does.
 */
import { waitFor } from '../wait.js';
import type { Qmp } from './qmp.js';

const LIMIT_MS = 60_000;
/** QEMU's words for a migration that is over. */
type Outcome = 'completed' | 'failed';

/** One of the two QEMU processes. */
export interface End {
  readonly control: Qmp;
  quit(): Promise<void>;
}

export interface Plan {
  /** Bytes a second, while the guest runs. */
  readonly maxBandwidth: number;
  /** The source stops the guest, and waits for `switchOver`. */
  readonly pauseBeforeSwitchover: boolean;
}

export class Migration {
  constructor(
    private readonly source: End,
    private readonly destination: End,
    private readonly uri: string,
    private readonly moved: () => void,
  ) {}

  async start({ maxBandwidth, pauseBeforeSwitchover }: Plan): Promise<void> {
    const { control } = this.source;
    const capabilities = [
      { capability: 'return-path', state: true },
      { capability: 'pause-before-switchover', state: pauseBeforeSwitchover },
    ];
    await control.execute('migrate-set-capabilities', { capabilities });
    await control.execute('migrate-set-parameters', { 'max-bandwidth': maxBandwidth });
    await control.execute('migrate', { uri: this.uri });
  }

  /** Resolves when the guest stands still, and nothing of its last state has been sent. */
  async stopped(): Promise<void> {
    await this.#reaches('pre-switchover');
  }

  async switchOver(): Promise<void> {
    await this.source.control.execute('migrate-continue', { state: 'pre-switchover' });
  }

  /** What the source says at the end. */
  over(): Promise<Outcome> {
    return this.#reaches('completed', 'failed');
  }

  /** QEMU's words for what each does; `gone`: its process is over. */
  async states(): Promise<{ readonly source: string; readonly destination: string }> {
    return { source: await stateOf(this.source), destination: await stateOf(this.destination) };
  }

  /** The guest goes on at the destination; resolves when it runs there and the process that it left is gone. */
  async finish(): Promise<void> {
    await this.destination.control.execute('cont');
    await waitFor(
      'the guest runs at the destination',
      async () => (await stateOf(this.destination)) === 'running',
      LIMIT_MS,
    );
    this.moved();
    await this.source.quit();
  }

  /** The guest goes on at the source, as it does already. */
  async giveUp(): Promise<void> {
    await this.destination.quit();
  }

  #reaches<State extends string>(...states: readonly State[]): Promise<State> {
    return waitFor(
      `the migration is ${states.join(' or ')}`,
      async () => {
        const { status } = await this.source.control.execute<{ status?: string }>('query-migrate');
        return states.find((state) => state === status);
      },
      LIMIT_MS,
    );
  }
}

async function stateOf({ control }: End): Promise<string> {
  try {
    return (await control.execute<{ status: string }>('query-status')).status;
  } catch (error) {
    if (control.isGone) return 'gone';
    throw error;
  }
}
