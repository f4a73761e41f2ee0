/**
 * What the tables cost: look-ups and single updates of the forwarding table, and a directory change carried all the way
 * into it. `scripts/bench fib [--routes 10,1000,100000] [--json FILE]`; half a minute.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Ip } from '../src/net/ip.js';
import type { Mac } from '../src/net/mac.js';
import { Prefix } from '../src/net/prefix.js';
import { Directory } from '../src/tables/directory.js';
import { ForwardingCompiler } from '../src/tables/forwarding/forwarding-compiler.js';
import { ForwardingTable, ROUTE_WORDS, RouteKind } from '../src/tables/forwarding/forwarding-table.js';
import { Gndt } from '../src/tables/gndt.js';
import { Hwdt } from '../src/tables/hwdt.js';
import { Lans } from '../src/tables/lan.js';
import { Lndt } from '../src/tables/lndt.js';
import type { NetworkConfig, NodeRecord } from '../src/tables/model.js';
import { SimClock } from '../test/support/sim-clock.js';
import { describeMachine, machineLine } from './lib/machine.js';
import { align } from './lib/report.js';
import { outputFile } from './lib/run.js';

const SITES = 100;
const LOOKUPS = 2_000_000;
const UPDATES = 200_000;

interface Figures {
  readonly routes: number;
  readonly family: 4 | 6;
  readonly lookupHostNs: number;
  readonly lookupNetworkNs: number;
  readonly updateNs: number;
  readonly changeNs: number;
  readonly rebuildMs: number;
}

/** Node `n` of a site: 10.site.x.y or fd00:site::n. */
function address(family: 4 | 6, site: number, n: number): Ip {
  return family === 4 ? Ip.v4((0x0a000000 | (site << 16) | n) >>> 0) : Ip.v6(0xfd000000 | site, 0, 0, n);
}

function gndt(family: 4 | 6): Gndt {
  const routers = Array.from({ length: SITES }, (_, n) => `vr-${n}`);
  const networks = routers.map((router, site): NetworkConfig => {
    const prefix = Prefix.containing(address(family, site, 0), family === 4 ? 16 : 64);
    return { vnet: 1, prefix, router, gateway: undefined, allow: undefined };
  });
  const entries = routers.map((id) => ({ id, publicKey: new Uint8Array(32), endpoints: [], relay: false }));
  const vnets = [{ name: 'blue', id: 1, subnet: undefined }];
  return new Gndt({ vnets, routers: entries, networks, cipher: 'chacha20-poly1305', nodes: [] }, 'vr-0');
}

/** A node that is away from home, so that it needs a host route; `round` moves it on. */
function away(family: 4 | 6, n: number, round: number): NodeRecord {
  const site = n % SITES;
  const router = `vr-${(site + 1 + (round % (SITES - 2))) % SITES || 1}`;
  const ip = address(family, site, 1 + Math.floor(n / SITES));
  return { vnet: 1, ip, mac: (0x525400000000 + n) as Mac, router, seq: 2 + round, state: 'here', stamp: n };
}

/** Nanoseconds per call, the best of five runs after one to warm up (the machine may be shared). */
function time(calls: number, action: (i: number) => void): number {
  let bestNs = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 6; run++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) action(i);
    if (run > 0) bestNs = Math.min(bestNs, Number(process.hrtime.bigint() - start) / calls);
  }
  return bestNs;
}

/** Addresses in a random order, as words, so that making them is not measured. */
function shuffled(ips: readonly Ip[]): Int32Array {
  const count = 1 << 17;
  const words = new Int32Array(4 * count);
  let random = 1;
  for (let i = 0; i < count; i++) {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
    words.set(ips[Math.floor((random / 2 ** 32) * ips.length)]?.words ?? [], 4 * i);
  }
  return words;
}

function timeLookups(table: ForwardingTable, family: 4 | 6, ips: readonly Ip[]): number {
  const words = shuffled(ips);
  const out = new Int32Array(ROUTE_WORDS);
  const mask = words.length - 1;
  let found = 0;
  const ns = time(LOOKUPS, (i) => {
    const at = (4 * i) & mask;
    const [w0, w1, w2, w3] = [words[at] ?? 0, words[at + 1] ?? 0, words[at + 2] ?? 0, words[at + 3] ?? 0];
    if (table.lookup(1, family, w0, w1, w2, w3, out)) found++;
  });
  if (found !== 6 * LOOKUPS) throw new Error('a look-up failed');
  return ns;
}

function measure(routes: number, family: 4 | 6): Figures {
  const clock = new SimClock();
  const directory = new Directory('vr-0', clock);
  const global = gndt(family);
  const lndt = new Lndt([], global, directory);
  const table = ForwardingTable.create();
  const inputs = { gndt: global, lndt, hwdt: new Hwdt(clock), directory, table, clock, lans: new Lans() };
  directory.load(Array.from({ length: routes }, (_, n) => away(family, n, 0)));
  const rebuildStart = process.hrtime.bigint();
  const compiler = new ForwardingCompiler(inputs);
  compiler.rebuild();
  const rebuildMs = Number(process.hrtime.bigint() - rebuildStart) / 1e6;
  if (table.size !== routes + SITES) throw new Error(`${table.size} routes`);

  const hosts = Array.from({ length: routes }, (_, n) => away(family, n, 0).ip);
  const strangers = Array.from({ length: 20_000 }, (_, n) => address(family, n % SITES, 0x8000 + n));
  const lookupHostNs = timeLookups(table, family, hosts);
  const lookupNetworkNs = timeLookups(table, family, strangers);

  // Every second update removes a route, the next one puts it back.
  const prefixes = hosts.map((ip) => ({ prefix: Prefix.host(ip), route: table.get(1, Prefix.host(ip)) }));
  const updateNs = time(UPDATES, (i) => {
    const { prefix, route } = prefixes[(i >> 1) % routes] ?? {};
    if (prefix === undefined || route?.kind !== RouteKind.peer) throw new Error('no route');
    if ((i & 1) === 0) table.delete(1, prefix);
    else table.set(1, prefix, route);
  });

  const changes = Math.min(UPDATES, 20_000);
  const moved = Array.from({ length: 6 * changes }, (_, n) =>
    away(family, n % routes, 1 + Math.floor(n / routes)),
  );
  let next = 0;
  const changeNs = time(changes, () => {
    const record = moved[next++];
    if (record === undefined || directory.apply(record) !== 'applied') throw new Error('no change');
  });
  compiler.dispose();
  return { routes, family, lookupHostNs, lookupNetworkNs, updateNs, changeNs, rebuildMs };
}

const HEAD = [
  'routes',
  'family',
  'host route ns',
  'network ns',
  'update ns',
  'directory change ns',
  'rebuild ms',
];

function print(all: readonly Figures[]): void {
  const rows = all.map((each) =>
    [
      each.routes,
      `IPv${each.family}`,
      each.lookupHostNs.toFixed(0),
      each.lookupNetworkNs.toFixed(0),
      each.updateNs.toFixed(0),
      each.changeNs.toFixed(0),
      each.rebuildMs.toFixed(1),
    ].map(String),
  );
  console.log(align([HEAD, ...rows]));
}

const { values } = parseArgs({
  options: { routes: { type: 'string', default: '10,1000,100000' }, json: { type: 'string' } },
});
const counts = values.routes.split(',').map(Number);
if (!counts.every((count) => count >= 1 && count <= 200_000))
  throw new Error('--routes: numbers from 1 to 200000, with commas');
const machine = describeMachine();
console.log(machineLine(machine));
const figures = ([4, 6] as const).flatMap((family) => counts.map((routes) => measure(routes, family)));
print(figures);
const file = outputFile(values.json, 'fib');
const report = { benchmark: 'fib', at: new Date().toISOString(), machine, figures };
writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`);
console.log(`written to ${file}`);
