/** A router's ears for exporters, without the router: what they tell, as it is counted. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { Ip } from '../../src/net/ip.js';
import { Prefix } from '../../src/net/prefix.js';
import { systemClock } from '../../src/net/system-clock.js';
import { FlowListener } from '../../src/router/traffic/flow-listener.js';
import { ToldFlows } from '../../src/router/traffic/told-flows.js';
import { WithinSite } from '../../src/router/traffic/within-site.js';
import { Directory } from '../../src/tables/directory.js';
import { Gndt } from '../../src/tables/gndt.js';
import type { GndtConfig } from '../../src/tables/model.js';
import { trafficCounters } from '../../src/traffic/asking/authority.js';
import type { Decoded } from '../../src/traffic/collect/seen-flow.js';
import { Periods } from '../../src/traffic/periods.js';

const CONFIG: GndtConfig = {
  vnets: [{ name: 'blue', id: 1, subnet: undefined }],
  routers: [{ id: 'vr-a', publicKey: new Uint8Array(32).fill(1), endpoints: [], relay: false }],
  sites: [],
  networks: ['10.1.0.0/16', 'fd00:1::/64'].map((prefix) => ({
    vnet: 1,
    prefix: Prefix.of(prefix),
    router: 'vr-a',
    gateway: undefined,
    allow: undefined,
  })),
  cipher: 'auto',
  nodes: [],
};

/** What would count, and by which counters. */
export function site() {
  const gndt = new Gndt(CONFIG, 'vr-a');
  const counters = trafficCounters();
  const directory = new Directory('vr-a', systemClock);
  const within = new WithinSite({ clock: systemClock, gndt, directory, counters, isActive: () => true });
  const periods = new Periods(0);
  const told = new ToldFlows(counters);
  return {
    gndt,
    table: counters,
    told: (decoded: Decoded): void => {
      told.add(decoded);
      told.passBegan();
      const due = told.take(Number.POSITIVE_INFINITY);
      for (const [observer, flow] of due) within.count(flow, observer, periods);
    },
    counters: () => counters.counters(),
    /** As `source destination packets bytes`, sorted. */
    counted: () =>
      periods
        .running()
        .pairs.map((pair) => [pair.source, pair.destination, pair.packets, pair.bytes].join(' '))
        .sort(),
  };
}

/** It listens on a free port of 127.0.0.1. */
export async function ears(t: TestContext) {
  const { gndt, table, told, counters, counted } = site();
  const listener = new FlowListener({
    clock: systemClock,
    gndt,
    counters: table,
    told,
  });
  t.after(() => listener.stop());
  const port = await freePort();
  const listen = [{ transport: 'udp', address: Ip.of('127.0.0.1'), port } as const];
  const problem = await listener.start({ listen, exporters: undefined });
  if (problem !== undefined) throw new Error(problem);
  return { port, counters, counted };
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

/** A file of libpcap's (https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap): Ethernet frames, a millisecond apart. */
export function writeCapture(file: string, frames: Iterable<Uint8Array>): void {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(65_535, 16);
  head.writeUInt32LE(1, 20);
  const parts: Uint8Array[] = [head];
  let atMs = 1_767_225_600_000;
  for (const frame of frames) {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(Math.floor(atMs / 1_000), 0);
    record.writeUInt32LE((atMs % 1_000) * 1_000, 4);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    parts.push(record, frame);
    atMs++;
  }
  writeFileSync(file, Buffer.concat(parts));
}
