/** What Debian's Open vSwitch tells by IPFIX and by sFlow, as it is counted. Its datapath is the one in user space: no kernel module. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { PcapHandle } from '../../src/arp/pcap.js';
import { loadNative } from '../../src/dataplane/native.js';
import { waitFor } from '../lab/wait.js';
import { udpPacket } from '../support/ip-packet.js';
import { ears } from './exporters.js';
import { inNamespaceOfOwn, ip, untilCarries } from './namespace.js';

const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const NAME = 'Open vSwitch';
const FRAMES = 200;
const MACS = { one: '525400000005', two: '525400000006' } as const;

if (spawnSync('ovs-vswitchd', ['--version'], { env: { ...process.env, PATH } }).error !== undefined)
  test(NAME, { skip: 'openvswitch-switch is not installed' }, () => {});
else
  inNamespaceOfOwn(NAME, import.meta.url, suite, () =>
    test(NAME, { skip: 'namespaces need root' }, () => {}),
  );

interface Switch {
  readonly vsctl: (...words: readonly string[]) => string;
  readonly one: PcapHandle;
  readonly two: PcapHandle;
}

/** A switch with two machines' interfaces; the machines are their other ends. */
async function startSwitch(t: TestContext): Promise<Switch> {
  const directory = mkdtempSync(join(tmpdir(), 'vine-ovs-'));
  const env = { ...process.env, PATH, OVS_RUNDIR: directory, OVS_LOGDIR: directory, OVS_DBDIR: directory };
  const database = join(directory, 'conf.db');
  const socket = join(directory, 'db.sock');
  const children: ChildProcess[] = [];
  const start = (command: string, ...words: string[]): void => {
    children.push(spawn(command, words, { env, stdio: 'ignore' }));
  };
  t.after(() => {
    for (const child of children.reverse()) child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
    for (const name of Object.keys(MACS)) ip('link', 'del', name);
  });
  for (const name of Object.keys(MACS)) {
    ip('link', 'add', name, 'type', 'veth', 'peer', 'name', `port-${name}`);
    ip('link', 'set', name, 'up');
    ip('link', 'set', `port-${name}`, 'up');
    untilCarries(name);
    untilCarries(`port-${name}`);
  }
  execFileSync('ovsdb-tool', ['create', database, SCHEMA], { env });
  start('ovsdb-server', database, `--remote=punix:${socket}`, `--unixctl=${join(directory, 'db.ctl')}`);
  await waitFor('the database listens', () => existsSync(socket));
  start('ovs-vswitchd', `unix:${socket}`, `--unixctl=${join(directory, 'switch.ctl')}`);
  const vsctl = (...words: readonly string[]): string =>
    execFileSync('ovs-vsctl', [`--db=unix:${socket}`, '--timeout=20', ...words], { env }).toString();
  vsctl('--no-wait', 'init');
  vsctl('add-br', 'ovs0', '--', 'set', 'bridge', 'ovs0', 'datapath_type=netdev');
  for (const name of Object.keys(MACS)) vsctl('add-port', 'ovs0', `port-${name}`);
  const nothing = { filter: 'ether proto 0x88b5', frameBytes: 96, ringBytes: 1 << 16 };
  const one = loadNative().openCapture({ interface: 'one', ...nothing }, () => {});
  const two = loadNative().openCapture({ interface: 'two', ...nothing }, () => {});
  t.after(() => one.close());
  t.after(() => two.close());
  return { vsctl, one, two };
}

function frame(to: string, from: string, source: string, destination: string, bytes: number): Uint8Array {
  const isV6 = source.includes(':');
  return Buffer.concat([
    Buffer.from(`${to}${from}${isV6 ? '86dd' : '0800'}`, 'hex'),
    udpPacket({ source, destination, payload: new Uint8Array(bytes - (isV6 ? 48 : 28)) }),
  ]);
}

async function sendAll({ one, two }: Switch): Promise<void> {
  const { one: mac1, two: mac2 } = MACS;
  for (let i = 0; i < FRAMES; i++) {
    assert.ok(one.send(frame(mac2, mac1, '10.1.0.5', '10.1.0.6', 1_000)));
    assert.ok(two.send(frame(mac1, mac2, '10.1.0.6', '10.1.0.5', 100)));
    assert.ok(one.send(frame(mac2, mac1, 'fd00:1::5', 'fd00:1::6', 1_400)));
    // The switch has a queue of upcalls; this is no test of how long it is.
    if (i % 10 === 9) await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const EXPECTED = [
  `10.1.0.5 10.1.0.6 ${FRAMES} ${1_000 * FRAMES}`,
  `10.1.0.6 10.1.0.5 ${FRAMES} ${100 * FRAMES}`,
  `fd00:1::5 fd00:1::6 ${FRAMES} ${1_400 * FRAMES}`,
];

const CREATE_IPFIX =
  'set bridge ovs0 ipfix=@e -- --id=@e create IPFIX sampling=1 cache_max_flows=1000 cache_active_timeout=1';

function suite(): void {
  for (const [name, settings] of [
    [
      'IPFIX as it comes in and as it leaves',
      (port: number) => [CREATE_IPFIX, `targets="127.0.0.1:${port}"`],
    ],
    [
      'IPFIX as it comes in',
      (port: number) => [
        `${CREATE_IPFIX} other_config:enable-output-sampling=false`,
        `targets="127.0.0.1:${port}"`,
      ],
    ],
    [
      'sFlow',
      (port: number) => [
        'set bridge ovs0 sflow=@e -- --id=@e create sFlow agent=lo sampling=1 header=128 polling=0',
        `target="127.0.0.1:${port}"`,
      ],
    ],
  ] as const)
    test(`Open vSwitch, ${name}: every packet and byte, once`, async (t) => {
      const { port, counted, counters } = await ears(t);
      const ovs = await startSwitch(t);
      const [words = '', target = ''] = settings(port);
      ovs.vsctl('--', ...words.split(' '), target);
      await sendAll(ovs);
      await waitFor('all is told', () => JSON.stringify(counted()) === JSON.stringify(EXPECTED)).catch(() =>
        assert.deepEqual(counted(), EXPECTED, JSON.stringify(counters())),
      );
      assert.deepEqual(
        Object.keys(counters()).filter((counter) => counter.includes('dropped')),
        [],
      );
    });
}
