/** vine-sensor as a process, on a bridge of a namespace of its own, and a router's ears for it. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadNative } from '../../src/dataplane/native.js';
import { systemClock } from '../../src/net/system-clock.js';
import { SensorListener } from '../../src/router/traffic/sensor-listener.js';
import { waitFor } from '../lab/wait.js';
import { udpPacket } from '../support/ip-packet.js';
import { site } from './exporters.js';
import { inNamespaceOfOwn, ip, untilCarries } from './namespace.js';

const PROGRAM = fileURLToPath(new URL('../../../bin/vine-sensor', import.meta.url));
const FRAMES = 200;

interface Machine {
  readonly name: string;
  readonly mac: string;
}

const [ONE, TWO] = [
  { name: 'one', mac: '525400000005' },
  { name: 'two', mac: '525400000006' },
] as const;

/** A bridge with two machines' interfaces; the machines are their other ends. */
function makeBridge(): void {
  ip('link', 'add', 'br0', 'type', 'bridge');
  ip('link', 'set', 'br0', 'up');
  for (const { name } of [ONE, TWO]) {
    ip('link', 'add', name, 'type', 'veth', 'peer', 'name', `vnet-${name}`);
    ip('link', 'set', `vnet-${name}`, 'master', 'br0', 'up');
    ip('link', 'set', name, 'up');
    untilCarries(name);
    untilCarries(`vnet-${name}`);
  }
}

function frame(to: Machine, from: Machine, source: string, destination: string, bytes: number): Uint8Array {
  const isV6 = source.includes(':');
  return Buffer.concat([
    Buffer.from(`${to.mac}${from.mac}${isV6 ? '86dd' : '0800'}`, 'hex'),
    udpPacket({ source, destination, payload: new Uint8Array(bytes - (isV6 ? 48 : 28)) }),
  ]);
}

/** Both directions and families, and what does not count: another link, ARP, a multicast, a tag. */
function sendAll(t: TestContext): void {
  const pcap = loadNative();
  const nothing = { filter: 'ether proto 0x88b5', frameBytes: 96, ringBytes: 1 << 16 };
  const one = pcap.openCapture({ interface: 'one', ...nothing }, () => {});
  const two = pcap.openCapture({ interface: 'two', ...nothing }, () => {});
  t.after(() => one.close());
  t.after(() => two.close());
  const other = frame(TWO, ONE, '10.9.0.5', '10.9.0.6', 100);
  const arp = Buffer.from(`ffffffffffff${ONE.mac}0806${'00'.repeat(28)}`, 'hex');
  const group = frame({ name: '', mac: '01005e000001' }, ONE, '10.1.0.5', '10.1.0.6', 100);
  const plain = frame(TWO, ONE, '10.1.0.5', '10.1.0.6', 100);
  const tagged = Buffer.concat([plain.subarray(0, 12), Buffer.from('8100000c', 'hex'), plain.subarray(12)]);
  // Before the bridge knows anybody, and the first that each capture sees.
  assert.ok(one.send(frame(TWO, ONE, FIRST, FIRST, 100)) && two.send(frame(ONE, TWO, FIRST, FIRST, 100)));
  // The bridge learns where they are.
  assert.ok(one.send(arp) && two.send(Buffer.from(`ffffffffffff${TWO.mac}0806${'00'.repeat(28)}`, 'hex')));
  for (const odd of [other, group, tagged]) assert.ok(one.send(odd));
  for (let i = 0; i < FRAMES; i++) {
    assert.ok(one.send(frame(TWO, ONE, '10.1.0.5', '10.1.0.6', 1_000 + i)));
    assert.ok(two.send(frame(ONE, TWO, '10.1.0.6', '10.1.0.5', 60)));
    assert.ok(one.send(frame(TWO, ONE, 'fd00:1::5', 'fd00:1::6', 1_400)));
  }
}

const FIRST = '10.1.0.9';

const EXPECTED = [
  `10.1.0.5 10.1.0.6 ${FRAMES} ${1_000 * FRAMES + (FRAMES * (FRAMES - 1)) / 2}`,
  `10.1.0.6 10.1.0.5 ${FRAMES} ${60 * FRAMES}`,
  `fd00:1::5 fd00:1::6 ${FRAMES} ${1_400 * FRAMES}`,
];

inNamespaceOfOwn('vine-sensor', import.meta.url, suite, () =>
  test('vine-sensor', { skip: 'namespaces need root' }, () => {}),
);

function rig(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'vine-sensor-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const key = (name: string, byte: number): string => {
    const file = join(directory, name);
    writeFileSync(file, Buffer.alloc(32, byte).toString('base64'), { mode: 0o600 });
    return file;
  };
  const { gndt, table, told, counted, counters } = site();
  const listener = new SensorListener({ clock: systemClock, gndt, counters: table, told });
  t.after(() => listener.stop());
  const path = join(directory, 'socket');
  const start = () => listener.start({ listen: { path }, tokenFile: key('right', 7) });
  const withoutFirst = (): string[] => counted().filter((row) => !row.startsWith(FIRST));
  return { path, key, start, counted: withoutFirst, counters };
}

interface Running {
  readonly process: ChildProcess;
  readonly said: () => string;
}

function runSensor(t: TestContext, ...words: readonly string[]): Running {
  // It looks into /sys, which must be this namespace's.
  const inside = ['--mount', 'sh', '-c', 'mount -t sysfs sysfs /sys && exec "$@"', 'sh'];
  const child = spawn('unshare', [...inside, process.execPath, PROGRAM, ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  return { process: child, said: () => said };
}

async function ended({ process: child, said }: Running): Promise<void> {
  child.kill('SIGTERM');
  const [status] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
  assert.equal(status, 0, said());
}

function suite(): void {
  makeBridge();

  for (const [what, interfaces] of [
    ['the bridge', 'br0'],
    ["the machines' interfaces", 'vnet-*'],
  ] as const)
    test(`every packet and byte of ${what}, once`, async (t) => {
      const { path, key, start, counted } = rig(t);
      assert.equal(await start(), undefined);
      const words = ['--interface', interfaces, '--router', `unix:${path}`, '--token-file', key('own', 7)];
      const sensor = runSensor(t, ...words);
      await waitFor('it counts', () =>
        sensor.said().includes('accepted; counting on 10.1.0.0/16, fd00:1::/64'),
      );
      sendAll(t);
      // In two parts, where a tenth second has come in between.
      await waitFor('all is told', () => JSON.stringify(counted()) === JSON.stringify(EXPECTED)).catch(() =>
        assert.deepEqual(counted(), EXPECTED, sensor.said()),
      );
      // The end tells what there is: nothing more.
      await ended(sensor);
      const [, frames] = /counted (\d+) frames in /.exec(sensor.said()) ?? [];
      assert.equal(Number(frames), 3 * FRAMES + 2, sensor.said());
      assert.deepEqual(counted(), EXPECTED);
    });

  test('what was counted is told at the end, and an interface that comes later is captured then', async (t) => {
    const { path, key, start, counted } = rig(t);
    await start();
    const words = ['--router', `unix:${path}`, '--token-file', key('own', 7), '--interface', 'late'];
    const sensor = runSensor(t, ...words);
    await waitFor('it is accepted', () => sensor.said().includes('accepted'));
    assert.match(sensor.said(), /there is no interface late/);
    ip('link', 'add', 'late', 'type', 'veth', 'peer', 'name', 'late-peer');
    t.after(() => ip('link', 'del', 'late'));
    ip('link', 'set', 'late', 'up');
    ip('link', 'set', 'late-peer', 'up');
    const peer = loadNative().openCapture(
      { interface: 'late-peer', filter: 'ether proto 0x88b5', frameBytes: 96, ringBytes: 1 << 16 },
      () => {},
    );
    t.after(() => peer.close());
    await waitFor('it is captured and told', () => {
      peer.send(frame(TWO, ONE, '10.1.0.5', '10.1.0.6', 100));
      return counted().length > 0;
    });
    await ended(sensor);
  });

  test('another key is refused, and said; a key that cannot be read ends it', async (t) => {
    const { path, key, start, counters, counted } = rig(t);
    await start();
    const words = ['--interface', 'br0', '--router', `unix:${path}`, '--token-file'];
    const wrong = runSensor(t, ...words, key('wrong', 8));
    await waitFor('it is refused', () => wrong.said().includes('the router refuses this sensor'));
    assert.ok((counters().traffic_sensors_refused ?? 0) >= 1);
    assert.equal(counters().traffic_sensors_accepted, undefined);
    await ended(wrong);
    assert.deepEqual(counted(), []);
    const none = runSensor(t, ...words, '/none');
    const [status] = await once(none.process, 'exit');
    assert.equal(status, 78, none.said());
  });
}
