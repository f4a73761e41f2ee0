/** One node that goes to and fro between sites a and b, watched from all sides; every move measured. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MigrationView } from '../../src/control/api.js';
import type { Lab } from '../../test/lab/lab.js';
import { routerName, type SiteLetter, switchName } from '../../test/lab/plan.js';
import { TcpStream } from '../../test/lab/traffic/traffic.js';
import { pause, waitFor } from '../../test/lab/wait.js';
import { type ClockWatch, lowWithin } from '../lib/clock.js';
import { type Arrival, EvenProbe, outage } from './even-probe.js';
import { ALL_MS, BURST_MS } from './limits.js';
import { type Frame, type Recording, Wire } from './wire.js';

/** How long the "hypervisor" holds the node still; lab-replug's own work comes on top and is measured. */
const PAUSE_MS = 20;
/** QEMU's burst takes 0.8 s, the routers' rounds of ARP 3 s; the next move may come before they end. */
const BETWEEN_MS = 1_100;
/** The wire's times are the kernel's, the routers' have been found out by reading two clocks: a move begins after its announcement. */
const CLOCKS_DIFFER_MS = 0.5;
const AFTER_BURST_MS = 1_000;
/** Undisturbed moves are counted while it runs; at most so many times as many are made. */
const MOST_TIMES = 2;

/**
 * Milliseconds from the first announcement on the destination's wire, unless said otherwise; 0 for what was done before,
 * because the node had been heard by a packet of its own.
 */
export interface MeasuredMove {
  readonly to: SiteLetter;
  readonly isHome: boolean;
  /** From the cable's being pulled to the first announcement. */
  readonly pauseMs: number;
  /** The destination router's first ARP to the node, on the wire. */
  readonly destinationArpMs: number;
  /** The same by the router's own clock, from its capture: forwarding, and the first ARP. */
  readonly ownForwardingMs: number;
  readonly ownArpMs: number;
  /** The source router's first ARP about the node, on its wire; undefined where it has nobody to tell (classic, home). */
  readonly sourceArpMs: number | undefined;
  /** Its directory, by its own time line. */
  readonly sourceForwardingMs: number;
  /** The last of all routers. */
  readonly allMs: number;
  /** Of the 1 kHz probe, per direction: lost packets, and longest gap, beyond pause + one-way delay. */
  readonly toNode: Beyond;
  readonly fromNode: Beyond;
  /** Longest gap of the TCP stream at either end, beyond pause + one-way delay. */
  readonly tcpGapMs: number;
  /** How long some processor ran below half its usual speed, in the time that all routers may take. */
  readonly lowClockMs: number;
}

export interface Beyond {
  readonly lost: number;
  readonly lostMs: number;
  readonly gapMs: number;
}

interface Observed {
  readonly to: SiteLetter;
  readonly from: SiteLetter;
  readonly unpluggedAtMs: number;
  readonly pluggedInAtMs: number;
  readonly tcpGapMs: number;
}

export interface SeriesResult {
  readonly delayMs: number;
  readonly moves: readonly MeasuredMove[];
  /** TCP connections that broke, with what was wrong. */
  readonly broken: readonly string[];
}

const routerMac: Readonly<Record<SiteLetter, string>> = {
  a: '02:00:00:00:01:01',
  b: '02:00:00:00:02:01',
  c: '02:00:00:00:03:01',
};

export class Series {
  private readonly lab: Lab;
  private readonly delayMs: number;
  private readonly clock: ClockWatch;
  private readonly wires = new Map<SiteLetter, Recording>();
  private readonly observed: Observed[] = [];

  constructor(lab: Lab, delayMs: number, clock: ClockWatch) {
    this.lab = lab;
    this.delayMs = delayMs;
    this.clock = clock;
  }

  /** @param moves so many that the processors' clock did not disturb; the others come on top */
  async run(moves: number, progress: (done: number) => void): Promise<SeriesResult> {
    const { lab } = this;
    const { ipv4 } = lab.mover('vm');
    for (const { letter } of lab.plan.sites) await lab.daemon(letter).waitKnows(ipv4, routerName('a'));
    const { mac } = lab.mover('vm');
    const wires = [await Wire.open(lab, 'a', mac), await Wire.open(lab, 'b', mac)] as const;
    const streams = [
      await TcpStream.open(lab, 'a1', 'vm', ipv4, 100_000),
      await TcpStream.open(lab, 'b1', 'vm', ipv4, 100_000),
    ];
    const toNode = await EvenProbe.open(lab, 'a1', 'vm', ipv4);
    const fromNode = await EvenProbe.open(lab, 'vm', 'a1', '10.1.0.11');
    await pause(BETWEEN_MS);
    for (let n = 0; this.undisturbed() < moves && n < MOST_TIMES * moves; n++) {
      await this.move(n % 2 === 0 ? 'b' : 'a', streams);
      progress(n + 1);
    }
    const broken = await finish(streams);
    this.wires.set('a', await wires[0].close()).set('b', await wires[1].close());
    const arrivals = { to: toNode.arrivals(), from: fromNode.arrivals() };
    const views = await this.views();
    const measured = this.observed.map((move, n) => this.measure(move, n, arrivals, views));
    return { delayMs: this.delayMs, moves: measured, broken };
  }

  /** The announcement's own time is known only when it is over: here it may be ten milliseconds after plugging in. */
  private undisturbed(): number {
    const lasts = 10 + this.delayMs + ALL_MS;
    return this.observed.filter(({ pluggedInAtMs: at }) => lowWithin(this.clock.lows, at, at + lasts) === 0)
      .length;
  }

  private async move(to: SiteLetter, streams: readonly TcpStream[]): Promise<void> {
    const from = this.lab.places.vm ?? 'a';
    for (const stream of streams) await stream.mark();
    const { unpluggedAtMs, pluggedInAtMs } = await this.lab.move('vm', to, {
      announce: 'rarp',
      downtimeMs: PAUSE_MS,
    });
    await pause(BETWEEN_MS);
    for (const { letter } of this.lab.plan.sites)
      await this.lab.daemon(letter).waitKnows(this.lab.mover('vm').ipv4, routerName(to));
    const tcpGapMs = Math.max(...streams.map(({ gapMs }) => gapMs));
    this.observed.push({ to, from, unpluggedAtMs, pluggedInAtMs, tcpGapMs });
  }

  private async views(): Promise<ReadonlyMap<SiteLetter, readonly MigrationView[]>> {
    const views = new Map<SiteLetter, readonly MigrationView[]>();
    for (const { letter } of this.lab.plan.sites)
      views.set(letter, await this.lab.daemon(letter).get<readonly MigrationView[]>('/v1/migrations'));
    return views;
  }

  private measure(
    move: Observed,
    n: number,
    arrivals: { readonly to: readonly Arrival[]; readonly from: readonly Arrival[] },
    views: ReadonlyMap<SiteLetter, readonly MigrationView[]>,
  ): MeasuredMove {
    const { to, from, unpluggedAtMs } = move;
    const { mac, ipv4, home } = this.lab.mover('vm');
    const announcedMs = this.frame(to, unpluggedAtMs, `announcement ${n}`, ({ isRarp }) => isRarp).atMs;
    // It may be heard before it announces itself: by a packet of its own that the switch shows the router.
    const heardMs = this.frame(to, unpluggedAtMs, `move ${n}`, ({ source }) => source === mac).atMs;
    const since = (atMs: number): number => Math.max(0, atMs - announcedMs);
    const times = new Map([...views].map(([site, moves]) => [site, timesOf(moveAfter(moves, heardMs, to))]));
    const own = times.get(to) ?? timesOf(undefined);
    const pauseMs = announcedMs - unpluggedAtMs;
    const allowedMs = pauseMs + this.delayMs;
    const nextMs = this.observed[n + 1]?.unpluggedAtMs ?? Number.POSITIVE_INFINITY;
    const beyond = (packets: readonly Arrival[]): Beyond => {
      // What is under way when the cable is pulled is lost as well: it was sent up to a one-way delay before.
      const earlier = this.delayMs + 50;
      const { lost, gapMs } = outage(packets, unpluggedAtMs - earlier, nextMs - earlier);
      return { lost, lostMs: Math.max(0, lost - allowedMs), gapMs: Math.max(0, gapMs - allowedMs) };
    };
    const firstArp = this.frame(to, heardMs, `ARP to the node, move ${n}`, (frame) => {
      // What it is told, not what it is asked.
      return frame.source === routerMac[to] && frame.destination === mac && /\breply\b/i.test(frame.text);
    });
    const about = new RegExp(`\\b${ipv4.replaceAll('.', '\\.')}\\b`);
    const sourceArp = this.wires.get(from)?.first(heardMs, ({ source, text, atMs }) => {
      return source === routerMac[from] && about.test(text) && atMs < nextMs;
    });
    return {
      to,
      isHome: to === home,
      pauseMs,
      destinationArpMs: since(firstArp.atMs),
      ownForwardingMs: own.forwardingUs / 1000,
      ownArpMs: own.arpUs / 1000,
      sourceArpMs: from === home && sourceArp !== undefined ? since(sourceArp.atMs) : undefined,
      sourceForwardingMs: since(times.get(from)?.forwardingAtMs ?? Number.NaN),
      allMs: Math.max(...[...times.values()].map(({ forwardingAtMs }) => since(forwardingAtMs))),
      toNode: beyond(arrivals.to),
      fromNode: beyond(arrivals.from),
      tcpGapMs: Math.max(0, move.tcpGapMs - allowedMs),
      lowClockMs: lowWithin(this.clock.lows, announcedMs, announcedMs + this.delayMs + ALL_MS),
    };
  }

  private frame(site: SiteLetter, sinceMs: number, what: string, matches: (frame: Frame) => boolean): Frame {
    const frame = this.wires.get(site)?.first(sinceMs, matches);
    if (frame === undefined) throw new Error(`not seen on the wire of site ${site}: ${what}`);
    return frame;
  }
}

interface Times {
  readonly forwardingUs: number;
  readonly arpUs: number;
  readonly forwardingAtMs: number;
}

function moveAfter(
  moves: readonly MigrationView[],
  sinceMs: number,
  to: SiteLetter,
): MigrationView | undefined {
  return moves.find((move) => move.to === routerName(to) && move.startedUnixMs >= sinceMs - CLOCKS_DIFFER_MS);
}

/** From a router's own time line. */
function timesOf(move: MigrationView | undefined): Times {
  const step = (name: string): number => move?.steps.find((one) => one.step === name)?.atUs ?? Number.NaN;
  const forwardingUs = step('directory');
  const startedMs = move?.startedUnixMs ?? Number.NaN;
  return { forwardingUs, arpUs: step('first_arp'), forwardingAtMs: startedMs + forwardingUs / 1000 };
}

async function finish(streams: readonly TcpStream[]): Promise<string[]> {
  const broken: string[] = [];
  for (const stream of streams) {
    try {
      await stream.progress(1_000);
      await stream.finish();
    } catch (error) {
      broken.push(`${stream.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return broken;
}

export interface BurstResult {
  readonly delayMs: number;
  readonly nodes: number;
  /** From the first announcement on the wire until the last node's first announcement. */
  readonly announcedMs: number;
  /** Until the destination, the source, and the last of all routers forward to the last node. */
  readonly destinationMs: number;
  readonly sourceMs: number;
  readonly allMs: number;
  /** As of a move: in the time that it may take. */
  readonly lowClockMs: number;
}

/**
 * The switch no longer brings the nodes each other's broadcasts. Fifty machines would each take fifty of them on
 * processors of their own; here all of that would be taken from the routers in the moment that is measured.
 */
async function spareEachOther(lab: Lab, site: SiteLetter, names: readonly string[]): Promise<void> {
  const batch = join(lab.directory, 'spare.batch');
  const line = (name: string): string => `link set dev ${name} bcast_flood off mcast_flood off flood off\n`;
  writeFileSync(batch, names.map(line).join(''));
  await lab.exec(switchName(site), ['bridge', '-batch', batch]);
}

/** They are heard when they announce themselves, not before: a kernel greets its routers when an interface has a carrier. */
async function silence(lab: Lab, names: readonly string[]): Promise<void> {
  for (const name of names) await lab.exec(name, ['sysctl', '-qw', 'net.ipv6.conf.eth0.disable_ipv6=1']);
}

/** All announce at the same instant. */
export async function burst(
  lab: Lab,
  delayMs: number,
  names: readonly string[],
  clock: ClockWatch,
): Promise<BurstResult> {
  const addresses = names.map((name) => lab.mover(name).ipv4);
  for (const { letter } of lab.plan.sites)
    for (const ip of addresses) await lab.daemon(letter).waitKnows(ip, routerName('a'));
  await silence(lab, names);
  const wire = await Wire.open(lab, 'b');
  // Time for all to be plugged in elsewhere: one after the other, since the kernel changes one bridge at a time.
  const announceAtMs = Date.now() + 6_000;
  await Promise.all(names.map((name) => lab.move(name, 'b', { announceAtMs })));
  await spareEachOther(lab, 'b', names);
  if (Date.now() >= announceAtMs) throw new Error('the nodes were not plugged in in time');
  // The routers are asked when it is over: their answers would be part of the burst.
  await pause(announceAtMs + AFTER_BURST_MS - Date.now());
  const knows = async (letter: SiteLetter): Promise<readonly MigrationView[] | false> => {
    const moves = await lab.daemon(letter).get<readonly MigrationView[]>('/v1/migrations');
    const moved = new Set(moves.flatMap(({ ips }) => ips));
    return addresses.every((ip) => moved.has(ip)) && moves;
  };
  const lastMs: Record<string, number> = {};
  for (const { letter } of lab.plan.sites) {
    const moves = await waitFor(`router of site ${letter} knows all moves`, () => knows(letter), 20_000);
    lastMs[letter] = Math.max(...moves.map((move) => timesOf(move).forwardingAtMs));
  }
  const macs = names.map((name) => lab.mover(name).mac);
  const recording = await wire.close();
  const firstMs = recording.first(announceAtMs - 1, ({ isRarp }) => isRarp)?.atMs ?? Number.NaN;
  const announced = macs.map(
    (mac) => recording.first(firstMs, (frame) => frame.source === mac)?.atMs ?? Number.NaN,
  );
  const since = (atMs: number | undefined): number => (atMs ?? Number.NaN) - firstMs;
  return {
    delayMs,
    nodes: names.length,
    announcedMs: since(Math.max(...announced)),
    destinationMs: since(lastMs.b),
    sourceMs: since(lastMs.a),
    allMs: since(Math.max(...Object.values(lastMs))),
    lowClockMs: lowWithin(clock.lows, firstMs, firstMs + delayMs + BURST_MS),
  };
}
