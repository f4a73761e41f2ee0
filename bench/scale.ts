/**
 * What a move costs in a large network, in the simulation: 2 to 1,000 routers, up to 100,000 nodes, 50 moves a second.
 *   scripts/bench scale [--routers 2,10,…] [--nodes 1000,…] [--per-network 100] [--seconds 4] [--json FILE]
 * The tables, mobility and the control codec are the real ones; sealing and the network are not there. Convergence is
 * in simulated time (delays of 5 to 50 ms, processors take no time); the processor's time is measured, and is what a
 * real router would add. What the cost of a move may be is in bench/scale/judge.ts; exit code 1 if it is more.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Command } from 'commander';
import { projectRoot } from '../test/lab/daemon.js';
import { type Distribution, distributionOf } from './lib/distribution.js';
import { describeMachine, machineLine } from './lib/machine.js';
import { table } from './lib/table.js';
import { type Cost, type Judgement, judge } from './scale/judge.js';
import { MOST_PER_NETWORK, type ScaleSite, ScaleWorld, type WorldSize } from './scale/world.js';

const MOVES_PER_SECOND = 50;
/** Records that fit into memory, all routers together. */
const MOST_RECORDS = 1_500_000;
const LEAST_FULL = 8;
const SETTLE_MS = 10_000;
const WARM_UP_MOVES = 50;

interface Options {
  readonly routers: string;
  readonly nodes: string;
  readonly seconds: string;
  readonly perNetwork: string;
  readonly json?: string;
}

interface Result extends WorldSize, Cost {
  readonly moves: number;
  /** Simulated milliseconds from the announcement until the last router forwards; the longest WAN delay included. */
  readonly convergenceMs: Distribution;
  /** The farthest router's one-way delay, of the same moves: what no router can do anything about. */
  readonly delayMs: Distribution;
  readonly messagesPerMove: number;
  readonly bytesPerMove: number;
  readonly framesPerMove: number;
  /** Processor time, microseconds: at the destination, all told; of that, until its claims are sent; a claim elsewhere. */
  readonly destinationUs: number;
  readonly claimUs: number;
  /** Of one router's tables, for each node that it knows. */
  readonly bytesPerNode: number;
}

setFlagsFromString('--expose_gc');
const collectGarbage = runInNewContext('gc') as () => void;

function usedBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** When each full router came to know of a move, by the node's address and the move's number. */
function watchArrivals(world: ScaleWorld): Map<string, { count: number; lastMs: number }> {
  const arrivals = new Map<string, { count: number; lastMs: number }>();
  for (const site of world.sites)
    site.directory.subscribe(({ after }) => {
      const key = `${after.ip.key} ${after.seq}`;
      const seen = arrivals.get(key) ?? { count: 0, lastMs: 0 };
      arrivals.set(key, { count: seen.count + 1, lastMs: world.clock.nowMs() });
    });
  return arrivals;
}

interface Started {
  readonly key: string;
  readonly atMs: number;
  readonly farthestMs: number;
}

/** Nodes go from where they are to a router drawn by lot; each at most once, so that none is frozen. */
function makeMoves(world: ScaleWorld, first: number, moves: number): Started[] {
  const started: Started[] = [];
  for (let i = 0; i < moves; i++) {
    const node = (first + i * 7919) % world.size.nodes;
    const sites = world.sites.filter(({ id }) => id !== world.homeOf(node));
    const site = sites[Math.floor(world.random() * sites.length)] as ScaleSite;
    const number = world.sites.indexOf(site);
    const others = world.sites.map((_, n) => n).filter((n) => n !== number);
    const seq = (site.directory.get(1, world.addressOf(node))?.seq ?? 0) + 1;
    started.push({
      key: `${world.addressOf(node).key} ${seq}`,
      atMs: world.clock.nowMs(),
      farthestMs: Math.max(...others.map((other) => world.delayMs(number, other))),
    });
    site.announce(world.macOf(node));
    world.clock.advance(1000 / MOVES_PER_SECOND);
  }
  world.clock.advance(SETTLE_MS);
  return started;
}

function measure(size: WorldSize, seconds: number): Result {
  const moves = Math.min(seconds * MOVES_PER_SECOND, size.nodes - WARM_UP_MOVES);
  const world = new ScaleWorld(size);
  const before = usedBytes();
  world.populate();
  const bytesPerNode = (usedBytes() - before) / (size.full * size.nodes);
  makeMoves(world, 0, WARM_UP_MOVES);
  const arrivals = watchArrivals(world);
  for (const { spent, count } of world.sites) {
    for (const kind of ['frames', 'timers', 'claims', 'others'] as const) spent[kind] = count[kind] = 0;
  }
  const [messages, bytes] = [world.messages, world.bytes];
  const frames = sum(world, ({ framesSent }) => framesSent);
  const started = makeMoves(world, 7919 * WARM_UP_MOVES, moves);
  const beyond: number[] = [];
  const convergence = started.map(({ key, atMs, farthestMs }) => {
    const seen = arrivals.get(key);
    if (seen?.count !== size.full)
      throw new Error(`${key}: ${seen?.count} of ${size.full} routers know of it`);
    beyond.push(seen.lastMs - atMs - farthestMs);
    return seen.lastMs - atMs;
  });
  const atDestination = sum(world, ({ spent }) => spent.frames + spent.timers + spent.others);
  const claims = sum(world, ({ count }) => count.claims);
  return {
    ...size,
    moves,
    convergenceMs: distributionOf(convergence),
    beyondDelayMs: distributionOf(beyond),
    delayMs: distributionOf(started.map(({ farthestMs }) => farthestMs)),
    messagesPerMove: (world.messages - messages) / moves,
    bytesPerMove: (world.bytes - bytes) / moves,
    framesPerMove: (sum(world, ({ framesSent }) => framesSent) - frames) / moves,
    destinationUs: (atDestination / moves) * 1000,
    claimUs: (sum(world, ({ spent }) => spent.claims) / claims) * 1000,
    bytesPerNode,
  };
}

const sum = (world: ScaleWorld, of: (site: ScaleSite) => number): number =>
  world.sites.reduce((total, site) => total + of(site), 0);

function row(result: Result): string[] {
  const { routers, nodes, full, moves, convergenceMs, delayMs } = result;
  const whole = (value: number): string => Math.round(value).toLocaleString('en');
  return [
    `${routers} routers, ${whole(nodes)} nodes`,
    full === routers ? 'all' : String(full),
    String(moves),
    `${convergenceMs.median.toFixed(1)} / ${convergenceMs.max.toFixed(1)}`,
    `${delayMs.median.toFixed(1)} / ${delayMs.max.toFixed(1)}`,
    result.messagesPerMove.toFixed(1),
    whole(result.bytesPerMove),
    whole(result.framesPerMove),
    whole(result.destinationUs),
    (result.destinationUs / routers).toFixed(1),
    result.claimUs.toFixed(1),
    whole(result.bytesPerNode),
  ];
}

const judgedRow = ({ what, worst, atMost, holds }: Judgement): string[] => [
  what,
  worst.toFixed(2),
  String(atMost),
  holds ? 'yes' : 'NO',
];

const head = [
  'size',
  'with tables',
  'moves',
  'convergence ms',
  'WAN delay ms',
  'messages/move',
  'bytes/move',
  'ARP/move',
  'dest. µs/move',
  '… a router',
  'claim µs',
  'bytes/node',
];

function main(options: Options): void {
  const machine = describeMachine();
  console.log(machineLine(machine));
  console.log('Medians and highest; processor times are means. Simulated: see the head of bench/scale.ts.');
  const startedAt = new Date().toISOString();
  const results: Result[] = [];
  const perNetwork = Math.min(MOST_PER_NETWORK, Number(options.perNetwork));
  for (const routers of options.routers.split(',').map(Number))
    for (const nodes of options.nodes.split(',').map(Number)) {
      const full = Math.min(routers, Math.max(LEAST_FULL, Math.floor(MOST_RECORDS / nodes)));
      if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${routers} routers, ${nodes} nodes …`);
      results.push(measure({ routers, nodes, full, perNetwork }, Number(options.seconds)));
    }
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  console.log(table(head, results.map(row)));
  const judgements = judge(results);
  console.log(`\n${table(['judged', 'worst', 'at most', 'holds'], judgements.map(judgedRow))}`);
  if (!judgements.every(({ holds }) => holds)) process.exitCode = 1;
  const file = options.json ?? `${projectRoot}bench/results/scale.json`;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ startedAt, machine, results, judgements }, undefined, 1)}\n`);
  console.log(`\nwritten: ${file}`);
}

await new Command('scale')
  .description('what a move costs in a large network, simulated')
  .option('--routers <n,…>', 'how many routers', '2,10,100,1000')
  .option('--nodes <n,…>', 'how many nodes, all together', '1000,10000,100000')
  .option('--per-network <n>', 'nodes in one network at most, up to 1000', '100')
  .option('--seconds <n>', 'of 50 moves each', '4')
  .option('--json <file>', 'where the results go (default: bench/results/scale.json)')
  .action(main)
  .parseAsync();
