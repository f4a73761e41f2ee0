/** Routers that are killed and come back, while connections to one node stay open. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Lab } from '../lab/lab.js';
import type { SiteLetter } from '../lab/plan.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { untilKnownAt } from './support.js';

/** A router starts within 3 s; a node that has announced itself to a dead router asks for its neighbours within 10 s. */
const reachLimitMs = 30_000;
/** TCP doubles the time between its attempts: after an outage it may be quiet as long again. */
const progressLimitMs = 40_000;
const bytesBetween = 20_000;
const bytesPerSecond = 50_000;

export class Watched {
  private constructor(
    readonly lab: Lab,
    readonly address: string,
    private readonly streams: readonly TcpStream[],
  ) {}

  /** Connections from every site's first host to `vm`, which is at home. */
  static async open(lab: Lab): Promise<Watched> {
    const address = lab.mover('vm').ipv4;
    for (const { letter } of lab.plan.sites) await untilKnownAt(lab, letter, address, 'a');
    const streams: TcpStream[] = [];
    for (const { letter } of lab.plan.sites)
      streams.push(await TcpStream.open(lab, `${letter}1`, 'vm', address, bytesPerSecond));
    return new Watched(lab, address, streams);
  }

  get at(): SiteLetter {
    const at = this.lab.places.vm;
    assert.ok(at !== undefined);
    return at;
  }

  /** Until every site reaches it where it is and every router knows; answers how long after `sinceMs` that was. */
  async untilReached(sinceMs: number): Promise<number> {
    const { lab, address } = this;
    await Promise.all(
      lab.plan.sites.map(({ letter }) =>
        waitFor(
          `${letter}1 reaches ${address}, which is at site ${this.at}`,
          async () =>
            (await lab.attempt(`${letter}1`, ['ping', '-q', '-n', '-c', '1', '-W', '0.3', address]))
              .status === 0,
          reachLimitMs,
        ),
      ),
    );
    const tookMs = performance.now() - sinceMs;
    for (const { letter } of lab.plan.sites) await untilKnownAt(lab, letter, address, this.at);
    return tookMs;
  }

  async goesOn(): Promise<void> {
    await Promise.all(this.streams.map((stream) => stream.progress(bytesBetween, progressLimitMs)));
  }

  /** Ends the connections; throws when a byte is lost, doubled or changed. */
  async finish(): Promise<void> {
    for (const stream of this.streams) await stream.finish();
  }
}

/** Killed, started again, connected. */
export async function restart(lab: Lab, site: SiteLetter): Promise<void> {
  await lab.daemon(site).kill('SIGKILL');
  lab.daemon(site).start();
  await lab.waitConnected();
}

/** A step of a test with its time, in the report. */
export async function told(
  t: TestContext,
  what: string,
  watched: Watched,
  step: () => Promise<void>,
): Promise<void> {
  const started = performance.now();
  await step();
  const tookMs = await watched.untilReached(started);
  await watched.goesOn();
  t.diagnostic(`${what}: reached by all ${Math.round(tookMs)} ms after it began`);
}
