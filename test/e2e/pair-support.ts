/** What the tests of a site with two routers share. Exact limits belong to `scripts/bench failover`. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Daemon } from '../lab/daemon.js';
import type { Lab, LabOptions } from '../lab/lab.js';
import { Pair } from '../lab/pair.js';
import type { SiteLetter } from '../lab/plan.js';
import { TcpFlows } from '../lab/traffic/tcp-flows.js';
import { TcpStream, UdpProbe } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { withLab } from './support.js';

/** However busy the machine is. */
export const OUTAGE_LIMIT_MS = 5_000;
const FLOWS = 20;
const FLOW_BYTES = 300;
const SOME_PACKETS = 300;
/** A node that has announced itself to nobody asks for its neighbours within 10 s. */
const REACH_LIMIT_MS = 30_000;
/** A router that was killed while two others of the lab start on a busy machine has taken longer than 10 s to hear. */
const KNOWN_LIMIT_MS = 40_000;
const STREAM_LIMIT_MS = 40_000;
const STREAM_BYTES = 20_000;

/** A lab with a pair at site a, whole. */
export function withPair(
  t: TestContext,
  body: (lab: Lab, pair: Pair) => Promise<void>,
  options: Partial<LabOptions> = {},
): Promise<void> {
  return withLab(t, { topology: 'pair', wanDelayMs: 5, maxMoves: 1000, ...options }, async (lab) => {
    const pair = new Pair(lab);
    await pair.whole();
    await body(lab, pair);
  });
}

/** TCP connections and a 1 kHz probe each way between the sites: IPv4 to the pair's site, IPv6 from it. */
export class PairTraffic {
  private constructor(
    readonly flows: TcpFlows,
    private readonly probes: readonly UdpProbe[],
  ) {}

  static async open(lab: Lab): Promise<PairTraffic> {
    return new PairTraffic(await TcpFlows.open(lab, 'a1', 'b1', '10.2.0.11', FLOWS), [
      await UdpProbe.open(lab, 'b1', 'a1', '10.1.0.11'),
      await UdpProbe.open(lab, 'a2', 'b2', 'fd00:2::12'),
    ]);
  }

  /** Counts begin anew. */
  async mark(): Promise<void> {
    await this.flows.mark();
    for (const probe of this.probes) await probe.mark();
  }

  /** Until everything goes on, both ways. Rejects when a connection is broken. */
  async goesOn(): Promise<void> {
    await this.flows.progress(FLOW_BYTES);
    await Promise.all(this.probes.map((probe) => probe.progress(SOME_PACKETS)));
  }

  /** The longest that one of the probes was not heard since the mark. */
  get outageMs(): number {
    return Math.max(...this.probes.map(({ report }) => report.gap.longestMs));
  }

  /** Probes of both directions since the mark. */
  get counts(): { readonly lost: number; readonly duplicated: number } {
    const sum = (values: readonly number[]): number => values.reduce((all, one) => all + one, 0);
    return {
      lost: sum(this.probes.map(({ report }) => report.lost)),
      duplicated: sum(this.probes.map(({ report }) => report.duplicated)),
    };
  }

  /** Ends all in order: not a byte may be missing. */
  async finish(): Promise<void> {
    await this.flows.finish();
    for (const probe of this.probes) await probe.finish();
  }

  /** What the probes lost while it was done, and until all goes on. */
  async during(body: () => Promise<void>): Promise<Pick<PairTraffic, 'outageMs' | 'counts'>> {
    await this.mark();
    await body();
    await this.goesOn();
    const { outageMs, counts } = this;
    return { outageMs, counts };
  }
}

/** Does it, waits until all goes on, and judges the outage generously. */
export async function withOutage(
  t: TestContext,
  traffic: PairTraffic,
  what: string,
  body: () => Promise<void>,
): Promise<void> {
  const { outageMs, counts } = await traffic.during(body);
  t.diagnostic(`${what}: outage ${outageMs.toFixed(0)} ms, ${counts.duplicated} probes duplicated`);
  assert.ok(outageMs < OUTAGE_LIMIT_MS, `${what}: outage of ${outageMs.toFixed(0)} ms`);
}

/** The same for what must cost nothing. */
export async function withoutLoss(
  t: TestContext,
  traffic: PairTraffic,
  what: string,
  body: () => Promise<void>,
): Promise<void> {
  const { outageMs, counts } = await traffic.during(body);
  t.diagnostic(`${what}: longest gap ${outageMs.toFixed(0)} ms`);
  assert.deepEqual(counts, { lost: 0, duplicated: 0 }, what);
}

/** Connections from both sites to a node that moves. */
export class WatchedNode {
  private constructor(
    private readonly lab: Lab,
    readonly name: string,
    readonly address: string,
    private readonly streams: readonly TcpStream[],
  ) {}

  static async open(lab: Lab, name = 'vm'): Promise<WatchedNode> {
    const { ipv4, home } = lab.mover(name);
    await untilAllKnow(lab, ipv4, home);
    const streams: TcpStream[] = [];
    for (const from of ['a1', 'b1']) streams.push(await TcpStream.open(lab, from, name, ipv4, 50_000));
    return new WatchedNode(lab, name, ipv4, streams);
  }

  get at(): SiteLetter {
    const at = this.lab.places[this.name];
    assert.ok(at !== undefined);
    return at;
  }

  get elsewhere(): SiteLetter {
    return this.at === 'a' ? 'b' : 'a';
  }

  /** Until both sites reach it where it is, all routers know, and its connections go on. */
  async isReached(): Promise<void> {
    const { lab, address } = this;
    const attempt = ['ping', '-q', '-n', '-c', '1', '-W', '0.3', address];
    await Promise.all(
      ['a1', 'b1'].map((from) =>
        waitFor(
          `${from} reaches ${address}, which is at site ${this.at}`,
          async () => (await lab.attempt(from, attempt)).status === 0,
          REACH_LIMIT_MS,
        ),
      ),
    );
    await untilAllKnow(lab, address, this.at);
    await Promise.all(this.streams.map((stream) => stream.progress(STREAM_BYTES, STREAM_LIMIT_MS)));
  }

  async finish(): Promise<void> {
    for (const stream of this.streams) await stream.finish();
  }
}

/** Until every router that runs knows the node to be at the site. */
export async function untilAllKnow(lab: Lab, ip: string, at: SiteLetter): Promise<void> {
  for (const daemon of lab.routers.values())
    if (daemon.running) await daemon.waitKnows(ip, lab.siteName(at), KNOWN_LIMIT_MS);
}

/** Killed, started again, and the pair is whole. */
export async function restart(pair: Pair, daemon: Daemon): Promise<void> {
  await daemon.kill('SIGKILL');
  daemon.start();
  await pair.whole();
}
