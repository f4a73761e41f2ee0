import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Ip } from '../../../src/net/ip.js';
import type { Mac } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import {
  ForwardingTable,
  R,
  ROUTE_WORDS,
  RouteKind,
} from '../../../src/tables/forwarding/forwarding-table.js';

const HOSTS = 24;
const BASE = 0x0a010000;
const RUN_MS = 1_000;
const MOST_MS = 20_000;
const LOOKUPS = 1_000;

interface Tally {
  readonly lookups: number;
  readonly torn: number;
  readonly lost: number;
  readonly generations: number;
}

/** Every word of a route is made from the same number, so that a mixture of two routes shows. */
function isWhole(out: Int32Array): boolean {
  const n = out[R.peer];
  return (
    out[R.kind] === RouteKind.peer &&
    out[R.lan] === n &&
    out[R.macHigh] === 0 &&
    out[R.macLow] === n &&
    out[R.network] === n &&
    out[R.homePeer] === n &&
    out[R.previousPeer] === n &&
    out[R.pinnedMacLow] === 0
  );
}

function write(table: ForwardingTable, prefix: Prefix, n: number): void {
  table.set(1, prefix, {
    kind: RouteKind.peer,
    peer: n,
    lan: n,
    mac: n as Mac,
    network: n,
    homePeer: n,
    previousPeer: n,
    flags: 0,
    pinnedMac: undefined,
  });
}

/** Looks up all addresses until told to stop. The network's route is always there, so every look-up must find one. */
function read(memory: SharedArrayBuffer, stop: Int32Array): Tally {
  const table = ForwardingTable.attach(memory);
  const out = new Int32Array(ROUTE_WORDS);
  const seen = new Set<number>();
  let lookups = 0;
  let torn = 0;
  let lost = 0;
  while (Atomics.load(stop, 0) === 0) {
    for (let host = 0; host < HOSTS; host++, lookups++) {
      if (!table.lookup(1, 4, 0, 0, 0, BASE + host, out)) lost++;
      else if (!isWhole(out)) torn++;
      if (seen.size < 1_000) seen.add(out[R.peer] ?? 0);
    }
    Atomics.store(stop, 1, lookups);
  }
  return { lookups, torn, lost, generations: seen.size };
}

if (isMainThread) {
  test('a worker that reads while the main thread writes never sees a torn or a lost route', async () => {
    // 32 slots for up to 24 routes: removals move others about.
    const table = ForwardingTable.create({ slots: 32 });
    const stop = new Int32Array(new SharedArrayBuffer(8));
    const worker = new Worker(new URL(import.meta.url), { workerData: { memory: table.memory, stop } });
    const answer = new Promise<Tally>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    const network = Prefix.containing(Ip.v4(BASE), 24);
    const hosts = Array.from({ length: HOSTS - 1 }, (_, n) => Prefix.host(Ip.v4(BASE + n)));
    write(table, network, 1);
    await new Promise((resolve) => worker.once('online', resolve));
    const startMs = performance.now();
    // On a busy machine the reader may hardly have had its turn by then.
    const isOver = (): boolean => {
      const forMs = performance.now() - startMs;
      return forMs > MOST_MS || (forMs > RUN_MS && Atomics.load(stop, 1) > LOOKUPS);
    };
    let n = 1;
    while (!isOver()) {
      for (const host of hosts)
        if (n++ % 3 === 0) table.delete(1, host);
        else write(table, host, n);
      write(table, network, n);
    }
    Atomics.store(stop, 0, 1);
    const tally = await answer;
    assert.equal(tally.torn, 0);
    assert.equal(tally.lost, 0);
    assert.ok(tally.lookups > LOOKUPS, `${tally.lookups} look-ups`);
    assert.ok(tally.generations > 10, `${tally.generations} different routes were seen`);
    assert.ok(n > 1_000, `${n} updates`);
  });
} else {
  const { memory, stop } = workerData as { memory: SharedArrayBuffer; stop: Int32Array };
  parentPort?.postMessage(read(memory, stop));
}
