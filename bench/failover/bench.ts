/** The pair under traffic: one fault after the other, each undone before the next; and hand-overs. */
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Daemon, projectRoot } from '../../test/lab/daemon.js';
import type { Lab } from '../../test/lab/lab.js';
import { epochMs } from '../../test/lab/mover.js';
import { type Fault, Pair, strike } from '../../test/lab/pair.js';
import { switchName } from '../../test/lab/plan.js';
import { TcpFlows } from '../../test/lab/traffic/tcp-flows.js';
import { pause, waitFor } from '../../test/lab/wait.js';
import { type ClockWatch, lowWithin } from '../lib/clock.js';
import { linesSince, placeIn } from '../lib/growing-file.js';
import { type Arrival, EvenProbe } from '../migration/even-probe.js';
import { bothActiveMs, type PortRun, type ProbeWindow, parsePortRuns, probeWindow } from './figures.js';
import type { HandOver, Switch } from './report.js';

/** A host of the pair's site and one of the other. */
const HOST_A = { node: 'a1', address: '10.1.0.11' };
const HOST_B = { node: 'b1', address: '10.2.0.11' };
/** Packets of before the fault frame its gap. */
const BEFORE_MS = 100;
/** What goes on for so long after an outage is over. */
const AFTER_MS = 500;
/** A fault comes at any phase of the heartbeats. */
const RANDOM_MS = 1_000;
/** Of each connection, to be sure that it goes on. */
const FLOW_BYTES = 300;
const RECORD_LIMIT_MS = 30_000;

interface Place {
  readonly toPair: number;
  readonly fromPair: number;
  readonly ports: number;
}

interface Records {
  readonly toPair: readonly Arrival[];
  readonly fromPair: readonly Arrival[];
  readonly ports: readonly PortRun[];
}

export class Failover {
  private flows: TcpFlows;

  private constructor(
    private readonly lab: Lab,
    private readonly pair: Pair,
    private readonly toPair: EvenProbe,
    private readonly fromPair: EvenProbe,
    private readonly portsFile: string,
    flows: TcpFlows,
    private readonly clock: ClockWatch,
    private readonly random: () => number,
  ) {
    this.flows = flows;
  }

  /** Resolves when the pair is whole and all traffic flows. @param random from 0 to 1 */
  static async open(lab: Lab, flows: number, clock: ClockWatch, random: () => number): Promise<Failover> {
    const pair = new Pair(lab);
    await pair.whole();
    const portsFile = join(lab.directory, 'ports.txt');
    const command = [`${projectRoot}build/lab-ports`, ...pair.routers.map(({ id }) => id)];
    lab.start('ports', switchName('a'), command, portsFile);
    const toPair = await EvenProbe.open(lab, HOST_B.node, HOST_A.node, HOST_A.address);
    const fromPair = await EvenProbe.open(lab, HOST_A.node, HOST_B.node, HOST_B.address);
    const tcp = await openFlows(lab, flows);
    return new Failover(lab, pair, toPair, fromPair, portsFile, tcp, clock, random);
  }

  /** Strikes the router that is active, waits until all goes on, undoes it, and waits until the pair is whole. */
  async strike(fault: Fault): Promise<Switch> {
    const { active, standby } = await this.quiet();
    const place = this.place();
    const struckMs = epochMs();
    const undo = await strike(this.lab, active, fault);
    await this.pair.taken(standby);
    const resets = await this.goOn();
    await pause(AFTER_MS);
    const undoneMs = epochMs();
    const { stallMs } = this.flows.now();
    await undo();
    await this.pair.whole();
    const laterResets = await this.goOn();
    const wholeMs = epochMs();
    const records = await this.records(place, wholeMs);
    const fromMs = struckMs - BEFORE_MS;
    const toPair = probeWindow(records.toPair, fromMs, undoneMs);
    const fromPair = probeWindow(records.fromPair, fromMs, undoneMs);
    const healing = [records.toPair, records.fromPair].map((one) => probeWindow(one, undoneMs, wholeMs));
    const served = records.ports.find(({ port, untilMs }) => port === standby.id && untilMs >= struckMs);
    await this.mend();
    return {
      fault,
      struck: active.id,
      windowMs: undoneMs - struckMs,
      outageMs: Math.max(toPair.gapMs, fromPair.gapMs),
      servedMs: served === undefined ? null : served.fromMs - struckMs,
      toPair,
      fromPair,
      healingMs: wholeMs - undoneMs,
      ...healingOf(healing),
      bothActiveMs: bothActiveMs(records.ports, struckMs, wholeMs),
      resets: Math.max(resets, laterResets),
      longestStallMs: Math.max(...stallMs),
      lowClockMs: lowWithin(this.clock.lows, struckMs, undoneMs),
    };
  }

  /** As an operator does it. */
  async handOver(): Promise<HandOver> {
    const { active, standby } = await this.quiet();
    const place = this.place();
    const orderedMs = epochMs();
    const { active: now } = await this.pair.handOver();
    const doneMs = epochMs();
    if (now !== standby) throw new Error(`${active.id} is still active`);
    await pause(AFTER_MS);
    const resets = await this.goOn();
    const untilMs = epochMs();
    const records = await this.records(place, untilMs);
    const windows = [records.toPair, records.fromPair].map((one) =>
      probeWindow(one, orderedMs - BEFORE_MS, untilMs),
    );
    const sum = (of: (window: ProbeWindow) => number): number =>
      windows.reduce((all, window) => all + of(window), 0);
    await this.mend();
    return {
      from: active.id,
      tookMs: doneMs - orderedMs,
      lost: sum(({ lost }) => lost),
      duplicated: sum(({ duplicated }) => duplicated),
      reordered: sum(({ reordered }) => reordered),
      gapMs: Math.max(...windows.map(({ gapMs }) => gapMs)),
      bothActiveMs: bothActiveMs(records.ports, orderedMs, untilMs),
      resets,
    };
  }

  /** After something that went wrong: the logs are kept, both routers begin anew. Answers where the logs are. */
  async recover(logs: string, what: string): Promise<string> {
    const directory = join(logs, what);
    mkdirSync(directory, { recursive: true });
    for (const { id, logFile } of this.lab.routers.values()) cpSync(logFile, join(directory, `${id}.log`));
    for (const daemon of this.pair.routers) await restart(daemon);
    await this.pair.whole();
    await this.reopen();
    return directory;
  }

  private async quiet(): ReturnType<Pair['whole']> {
    const roles = await this.pair.whole();
    await this.flows.mark();
    await pause(BEFORE_MS + this.random() * RANDOM_MS);
    return roles;
  }

  /** Until every connection that is not broken goes on; answers how many are. */
  private async goOn(): Promise<number> {
    try {
      await this.flows.progress(FLOW_BYTES);
      return 0;
    } catch (error) {
      const { broken } = this.flows.now();
      if (broken.length === 0) throw error;
      // Each end may have noticed.
      return Math.ceil(broken.length / 2);
    }
  }

  /** Connections that broke are counted once. */
  private async mend(): Promise<void> {
    if (this.flows.now().broken.length > 0) await this.reopen();
  }

  private async reopen(): Promise<void> {
    this.flows.kill();
    this.flows = await openFlows(this.lab, this.flows.count);
  }

  private place(): Place {
    return {
      toPair: this.toPair.recordedBytes,
      fromPair: this.fromPair.recordedBytes,
      ports: placeIn(this.portsFile),
    };
  }

  /** From a place on, when all that was sent until then has been written down. */
  private async records(place: Place, untilMs: number): Promise<Records> {
    const read = (probe: EvenProbe, from: number): Promise<readonly Arrival[]> =>
      waitFor(
        `${probe.name} arrives`,
        () => {
          const arrivals = probe.since(from);
          return (arrivals.at(-1)?.sentMs ?? 0) >= untilMs && arrivals;
        },
        RECORD_LIMIT_MS,
      );
    const toPair = await read(this.toPair, place.toPair);
    const fromPair = await read(this.fromPair, place.fromPair);
    const ports = parsePortRuns(linesSince(this.portsFile, place.ports));
    return { toPair, fromPair, ports };
  }

  /** Ends the connections in order; throws when a byte is missing. */
  async finish(): Promise<void> {
    await this.flows.finish();
  }
}

function healingOf(windows: readonly ProbeWindow[]): {
  healingGapMs: number;
  healingLost: number;
  healingDuplicated: number;
} {
  const sum = (of: (window: ProbeWindow) => number): number =>
    windows.reduce((all, window) => all + of(window), 0);
  return {
    healingGapMs: Math.max(...windows.map(({ gapMs }) => gapMs)),
    healingLost: sum(({ lost }) => lost),
    healingDuplicated: sum(({ duplicated }) => duplicated),
  };
}

function openFlows(lab: Lab, count: number): Promise<TcpFlows> {
  return TcpFlows.open(lab, HOST_A.node, HOST_B.node, HOST_B.address, count);
}

async function restart(daemon: Daemon): Promise<void> {
  if (daemon.running) await daemon.kill('SIGKILL');
  daemon.start();
}
