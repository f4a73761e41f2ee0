/** What the routers count is what goes over the LANs, to the byte: super-packets, fragments, small packets, and a move. */
import assert from 'node:assert/strict';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TrafficView } from '../../src/control/traffic-view.js';
import { projectRoot } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import type { SiteLetter } from '../lab/plan.js';
import { run } from '../lab/shell.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { type Family, families, hostAddress, moverAddress } from './families.js';
import { cannotRun, ping, untilKnownAt, withLab } from './support.js';

const ANSWER_LIMIT_MS = 60_000;
const LARGEST_PACKET_BYTES = 1500;

const headerBytes = (family: Family): number => (family === 4 ? 20 : 40);

/** Super-packets leave as the segments that they stand for, so that tcpdump sees those. */
async function withoutOffload(lab: Lab, node: string, interfaceName: string): Promise<void> {
  const features = ['tso', 'gso', 'gro', 'tx-udp-segmentation'].flatMap((name) => [name, 'off']);
  await lab.exec(node, ['ethtool', '-K', interfaceName, ...features]);
}

interface Seen {
  packets: number;
  bytes: number;
}

/** Tcpdump on a node: what one address sends to another, from the beginning on. */
class Capture {
  readonly #file: string;
  readonly #tcpdump: ChildProcessWithoutNullStreams;
  #said = '';

  private constructor(lab: Lab, node: string, name: string, source: string, destination: string) {
    this.#file = join(lab.directory, `${name}.pcap`);
    // Fragments of IPv6 count too: no layer 4 in the filter.
    const filter = ['src', 'host', source, 'and', 'dst', 'host', destination];
    const options = ['-i', 'eth0', '-B', '65536', '-s', '96', '-U', '-w', this.#file];
    this.#tcpdump = lab.spawn(node, ['tcpdump', ...options, ...filter]);
    this.#tcpdump.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text;
    });
  }

  static async start(
    lab: Lab,
    node: string,
    name: string,
    source: string,
    destination: string,
  ): Promise<Capture> {
    const capture = new Capture(lab, node, name, source, destination);
    await waitFor('tcpdump listens', () => capture.#said.includes('listening on'));
    return capture;
  }

  /** Sums of the lengths that the IP headers state. */
  async end(): Promise<Seen> {
    this.#tcpdump.kill('SIGINT');
    await once(this.#tcpdump, 'close');
    assert.match(this.#said, /\b0 packets dropped by kernel/, this.#said);
    return ipLengths(readFileSync(this.#file));
  }
}

/** Of a pcap file of Ethernet frames, in this machine's byte order. */
function ipLengths(file: Buffer): Seen {
  const seen = { packets: 0, bytes: 0 };
  for (let at = 24; at < file.length; at += 16 + file.readUInt32LE(at + 8)) {
    const packet = file.subarray(at + 16 + 14);
    const isV6 = (packet[0] ?? 0) >> 4 === 6;
    seen.packets++;
    seen.bytes += isV6 ? 40 + packet.readUInt16BE(4) : packet.readUInt16BE(2);
  }
  return seen;
}

/** When the running period has ended; asked of one router. */
async function exactly(lab: Lab, site: SiteLetter, seconds: number): Promise<TrafficView> {
  const asking = ['traffic', '--last', `${seconds}s`, '--exact', '--top', '1000', '--json'];
  const vinectl = [`${projectRoot}bin/vinectl`, '--socket', lab.daemon(site).socket];
  const { status, stdout, stderr } = await run([...vinectl, ...asking], { timeoutMs: ANSWER_LIMIT_MS });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as TrafficView;
}

function between({ parts }: TrafficView, source: string, destination: string): Seen & { sites: string[] } {
  const rows = (parts[0]?.rows ?? []).filter(
    (row) => row.source === source && row.destination === destination,
  );
  const sum = (field: 'packets' | 'bytes'): number => rows.reduce((total, row) => total + row[field], 0);
  return { packets: sum('packets'), bytes: sum('bytes'), sites: rows.map((row) => row.sourceSite).sort() };
}

/** Of both directions, by tcpdump where they arrive and by the routers. */
async function sameBytes(lab: Lab, family: Family): Promise<void> {
  const [from, to] = [hostAddress(lab, 'a1', family), hostAddress(lab, 'b1', family)];
  const there = await Capture.start(lab, 'b1', `there-${family}`, from, to);
  const back = await Capture.start(lab, 'a1', `back-${family}`, to, from);
  const flag = family === 4 ? '-4' : '-6';
  const server = lab.spawn('b1', ['iperf3', '-s', '-1', '--forceflush', flag]);
  await once(server.stdout, 'data', { signal: AbortSignal.timeout(10_000) });
  // As fast as it goes: nearly all of it in super-packets.
  await lab.exec('a1', ['iperf3', flag, '-c', to, '-t', '3'], { timeoutMs: 30_000 });
  // Small ones, and IPv4 ones that may be fragmented and are, by the host and once more by the router.
  await lab.exec('a1', ['ping', '-q', '-n', '-c', '50', '-i', '0.02', '-s', '100', to]);
  if (family === 4)
    await lab.exec('b1', ['ping', '-q', '-n', '-c', '20', '-i', '0.02', '-M', 'dont', '-s', '5000', from]);
  const view = await exactly(lab, family === 4 ? 'a' : 'b', 120);
  const seen = { there: await there.end(), back: await back.end() };
  assert.deepEqual(view.missing, []);
  // The machine's two families are one node.
  const names = [hostAddress(lab, 'a1', 4), hostAddress(lab, 'b1', 4)] as const;
  const counted = { there: between(view, names[0], names[1]), back: between(view, names[1], names[0]) };
  assert.ok(seen.there.bytes > 10_000_000, `${seen.there.bytes} bytes`);
  assert.deepEqual(
    [counted.there.packets, counted.there.bytes, counted.back.packets, counted.back.bytes],
    [seen.there.packets, seen.there.bytes, seen.back.packets, seen.back.bytes],
  );
  assert.deepEqual([counted.there.sites, counted.back.sites], [[lab.siteName('a')], [lab.siteName('b')]]);
  assert.equal(view.parts[0]?.truncated, false);
}

for (const family of families)
  test(`IPv${family}: bytes are those of tcpdump, to the byte`, { skip: cannotRun }, (t) =>
    withLab(t, { topology: 'two-site' }, async (lab) => {
      for (const site of ['a', 'b'] as const) {
        await withoutOffload(lab, `vr-${site}`, 'lan0');
        await withoutOffload(lab, `${site}1`, 'eth0');
      }
      await sameBytes(lab, family);
    }),
  );

for (const family of families)
  test(`IPv${family}: bytes are those of tcpdump while the node moves`, { skip: cannotRun }, (t) =>
    withLab(t, { topology: 'three-site' }, async (lab) => {
      await withoutOffload(lab, 'vr-c', 'lan0');
      await withoutOffload(lab, 'c1', 'eth0');
      const [vm, c1] = [moverAddress(lab, 'vm', family), hostAddress(lab, 'c1', family)];
      // At the end that stays: what it sends, and what reaches it.
      const sent = await Capture.start(lab, 'c1', 'sent', c1, vm);
      const got = await Capture.start(lab, 'c1', 'got', vm, c1);
      await ping(lab, 'c1', vm);
      const stream = await TcpStream.open(lab, 'c1', 'vm', vm, 2_000_000);
      await stream.mark();
      await stream.progress(2_000_000);
      await lab.move('vm', 'b', { announce: 'rarp' });
      await untilKnownAt(lab, 'c', vm, 'b');
      await stream.progress(4_000_000);
      await stream.finish();
      const view = await exactly(lab, 'b', 180);
      const seen = { sent: await sent.end(), got: await got.end() };
      // What came before the news that it is from there now: counted where it entered, refused where it left.
      const refused = (await lab.daemon('c').counters()).drop_source_not_peers ?? 0;
      const names = [moverAddress(lab, 'vm', 4), hostAddress(lab, 'c1', 4)] as const;
      const counted = { sent: between(view, names[1], names[0]), got: between(view, names[0], names[1]) };
      assert.deepEqual(view.missing, []);
      t.diagnostic(JSON.stringify({ seen, counted, refused }));
      assert.deepEqual(
        [counted.sent.packets, counted.sent.bytes, counted.got.packets],
        [seen.sent.packets, seen.sent.bytes, seen.got.packets + refused],
      );
      const refusedBytes = counted.got.bytes - seen.got.bytes;
      assert.ok(
        refusedBytes >= refused * headerBytes(family) && refusedBytes <= refused * LARGEST_PACKET_BYTES,
        `${refused} packets refused, of ${refusedBytes} bytes`,
      );
      assert.deepEqual(counted.got.sites, [lab.siteName('a'), lab.siteName('b')]);
    }),
  );
