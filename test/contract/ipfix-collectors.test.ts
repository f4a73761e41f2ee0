/** What is exported, as Debian's nfdump and pmacct read it. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Ip } from '../../src/net/ip.js';
import { systemClock } from '../../src/net/system-clock.js';
import { Exporter } from '../../src/router/traffic/exporter.js';
import { trafficCounters } from '../../src/traffic/asking/authority.js';
import type { CountedPair } from '../../src/traffic/counted.js';
import { waitFor } from '../lab/wait.js';
import { pair } from '../unit/traffic/counting.js';

const START_SECONDS = 1_767_225_600;
const PAIRS = 400;

const missing = (program: string): string | false =>
  spawnSync('sh', ['-c', `command -v ${program}`], { env: { PATH: `${process.env.PATH}:/usr/sbin` } })
    .status === 0
    ? false
    : `${program} is not installed`;

/** IPv4, IPv6, and from outside. */
const EXPORTED: readonly CountedPair[] = Array.from({ length: PAIRS }, (_, i) => {
  const counts = { packets: 3 + i, bytes: 5_000_000_000 + 1_000 * i };
  if (i % 2 === 0) return pair(i, 0, counts);
  const destination = Ip.v6(0xfd000002, 0, 0, i);
  const source = i % 10 === 1 ? undefined : Ip.v6(0xfd000001, 0, 0, i);
  return pair(i, 0, { ...counts, source, destination });
});

/** As `addresses packets bytes`, sorted. */
const EXPECTED = EXPORTED.map(({ source, destination, packets, bytes }) =>
  [source?.key ?? '::', destination?.key, packets, bytes].join(' '),
).sort();

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

function started(t: TestContext, command: string, args: readonly string[]): ChildProcess {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

function directory(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), 'vine-ipfix-'));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** Exports one period. */
async function exportTo(t: TestContext, port: number): Promise<void> {
  const counters = trafficCounters();
  const collectors = [{ transport: 'udp', address: Ip.of('127.0.0.1'), port } as const];
  const exporter = new Exporter({ clock: systemClock, counters, collectors, domain: 7 });
  t.after(() => exporter.stop());
  exporter.export(START_SECONDS, EXPORTED);
  await waitFor('all is sent', () => (counters.counters().traffic_messages_exported ?? 0) >= PAIRS / 30);
  await new Promise((resolve) => systemClock.after('settle', 500, () => resolve(undefined)));
  assert.equal(counters.counters().traffic_export_failed ?? 0, 0);
}

function isBound(port: number): boolean {
  const line = new RegExp(`:${port.toString(16).toUpperCase().padStart(4, '0')} `);
  return ['/proc/net/udp', '/proc/net/udp6'].some((file) => line.test(readFileSync(file, 'latin1')));
}

test('nfdump reads it', { skip: missing('nfcapd') }, async (t) => {
  const [port, kept] = [await freePort(), directory(t)];
  const nfcapd = started(t, 'nfcapd', [
    '-b',
    '127.0.0.1',
    '-p',
    String(port),
    '-w',
    kept,
    '-t',
    '3600',
    '-e',
  ]);
  await waitFor('nfcapd listens', () => isBound(port));
  await exportTo(t, port);
  nfcapd.kill('SIGTERM');
  await once(nfcapd, 'exit');
  const files = readdirSync(kept).filter((name) => name.startsWith('nfcapd.2'));
  assert.equal(files.length, 1, files.join());
  const output = execFileSync('nfdump', [
    '-r',
    join(kept, files[0] ?? ''),
    '-q',
    '-6',
    '-N',
    '-o',
    'fmt:%sa %da %pkt %byt %ts',
  ]);
  const lines = output
    .toString()
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  // nfdump writes the IPv4 address 0 for one that has no IPv6 address either.
  assert.deepEqual(
    lines.map(([sa, da, packets, bytes]) => [sa, da, packets, bytes].join(' ')).sort(),
    EXPECTED,
  );
  assert.ok(lines.every(([, , , , day]) => day === '2026-01-01' || day === '2025-12-31'));
});

test('pmacct reads it', { skip: missing('nfacctd') }, async (t) => {
  const [port, kept] = [await freePort(), directory(t)];
  mkdirSync(kept, { recursive: true });
  const file = join(kept, 'flows.json');
  const configuration = join(kept, 'nfacctd.conf');
  const settings = {
    daemonize: 'false',
    nfacctd_ip: '127.0.0.1',
    nfacctd_port: port,
    plugins: 'print',
    aggregate: 'src_host, dst_host',
    print_output: 'json',
    print_output_file: file,
    print_output_file_append: 'true',
    print_refresh_time: 1,
  };
  writeFileSync(
    configuration,
    Object.entries(settings)
      .map(([name, value]) => `${name}: ${value}\n`)
      .join(''),
  );
  const nfacctd = started(t, 'stdbuf', ['-oL', '-eL', 'nfacctd', '-f', configuration]);
  let said = '';
  for (const output of [nfacctd.stdout, nfacctd.stderr])
    output?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  // The plugin is another process.
  await waitFor('nfacctd listens', () => isBound(port) && said.includes('setting object handlers'));
  await exportTo(t, port);
  const lines = await waitFor('nfacctd has written', () => {
    if (!existsSync(file)) return undefined;
    const rows = readFileSync(file, 'utf8').trim().split('\n');
    return rows.length >= PAIRS ? rows : undefined;
  }).catch((error: unknown) => assert.fail(`${String(error)}\n${said}`));
  nfacctd.kill('SIGTERM');
  interface Row {
    readonly ip_src: string;
    readonly ip_dst: string;
    readonly packets: number;
    readonly bytes: number;
  }
  const rows = lines.map((line) => JSON.parse(line) as Row);
  assert.deepEqual(
    rows.map((row) => [row.ip_src, row.ip_dst, row.packets, row.bytes].join(' ')).sort(),
    EXPECTED,
  );
});
