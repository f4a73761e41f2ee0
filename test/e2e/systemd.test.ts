/**
 * The package under the real systemd: two gateways, of Debian 12 and of Debian 13, each booted in a root of its own
 * (test/lab/machine), with a LAN's hosts behind it. The unit is installed, enabled, started, killed, reloaded, watched,
 * stopped, upgraded and purged by the commands that an operator types.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { namespacePrefix, namespacesOf } from '../lab/build.js';
import { Lab } from '../lab/lab.js';
import { bootGateways, type Gateways } from '../lab/machine/gateways.js';
import { noMachine, type Suite } from '../lab/machine/machine.js';
import { laterPackage } from '../lab/machine/package.js';
import { run } from '../lab/shell.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { ping, withLab } from './support.js';
import { courierLives, couriersCarry } from './systemd-courier.js';
import { sensorCounts, sensorLives } from './systemd-sensor.js';
import { exposure, hasOwnRuntime, nothingIsLeft, paths, Service } from './systemd-support.js';

/** What docs/security.md and the unit promise. */
const mostExposure = 3.0;
const compiled = new URL('../', import.meta.url).href;
const bytesBetween = 200_000;
const startLimitMs = 30_000;
/** WatchdogSec=10, the end of the process, and RestartSec=1; twice that on a machine that has much to do. */
const watchdogLimitMs = 30_000;

/** What the operator of each site has on a stick: the configuration that the lab has made, with paths as installed. */
function layConfiguration(lab: Lab, files: string): void {
  for (const { id, directory, site } of lab.routers.values()) {
    const target = join(files, id);
    mkdirSync(target);
    for (const name of ['gndt.json', 'lndt.json', 'router.key'])
      cpSync(join(directory, name), join(target, name));
    const router = {
      id,
      privateKeyFile: 'router.key',
      listen: ['udp://0.0.0.0:7700'],
      lans: [{ interface: 'lan0', vnet: 'blue' }],
      // What needs system calls of its own.
      ...(site === 'a' ? { tun: [{ interface: 'vine0', vnet: 'blue' }] } : {}),
      metrics: { listen: '127.0.0.1:9770' },
    };
    writeFileSync(join(target, 'router.json'), JSON.stringify(router));
  }
}

async function installs({ machine }: Service): Promise<void> {
  assert.equal((await machine.sh('systemctl --failed --plain --no-legend')).trim(), '');
  assert.notEqual((await machine.attempt('command -v node')).status, 0, 'the machine has a Node already');
  await machine.sh(`apt-get install -y ./vine-router_*.deb
    cp /media/files/${machine.name}/*.json /etc/vine/
    install -o vine -g vine -m 0600 /media/files/${machine.name}/router.key /etc/vine/router.key`);
  const { stdout, stderr } = await machine.attempt(
    'systemd-analyze verify --man=no vined.service vine-sensor.service vine-courier.service',
  );
  assert.equal(stdout + stderr, '', 'systemd finds fault with the unit');
  assert.notEqual((await machine.attempt('systemctl is-enabled vined')).status, 0, 'it is enabled by itself');
  assert.equal((await machine.attempt('systemctl is-active vined')).stdout.trim(), 'inactive');
}

/**
 * A system call that the unit forbids ends the process from here on, where it fails otherwise: whatever this test does
 * needs none of them. The file is the operator's, as "systemctl edit" writes it.
 */
const strict = `mkdir -p /etc/systemd/system/vined.service.d
  printf '[Service]\\nSystemCallErrorNumber=kill\\n' >/etc/systemd/system/vined.service.d/strict.conf
  systemctl daemon-reload`;

/** systemd takes it for started when it is ready, and not before: the peer is away, so it listens for it for two seconds. */
async function startsWhenReady(service: Service): Promise<void> {
  await service.machine.sh('systemctl enable --quiet vined && systemctl start --no-block vined');
  let seenStarting = 0;
  await waitFor(
    'the unit is active',
    async () => {
      const state = await service.property('ActiveState');
      const { status, stdout } = await service.machine.attempt('vinectl --json status');
      const ready = status === 0 && (JSON.parse(stdout) as { ready: boolean }).ready;
      if (state === 'activating' && !ready) seenStarting++;
      if (state === 'active') assert.equal(ready, true, 'active before the tables were complete');
      return state === 'active';
    },
    startLimitMs,
  );
  assert.ok(seenStarting > 0, 'it was never seen starting');
}

/** What the unit takes from the process, as the kernel has it. */
async function isConfined(service: Service): Promise<void> {
  const text = await service.machine.sh(`cat /proc/${await service.pid()}/status`);
  const field = (name: string): string | undefined => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(text)?.[1];
  const user = (await service.machine.sh('id --user vine')).trim();
  assert.equal(field('Uid'), user);
  // CAP_NET_ADMIN and CAP_NET_RAW (capability.h).
  for (const set of ['CapEff', 'CapPrm', 'CapBnd']) assert.equal(field(set), '0000000000003000', set);
  assert.equal(field('NoNewPrivs'), '1');
  assert.equal(field('Seccomp'), '2', 'no filter of system calls');
  // The view of the file system is its own, and read-only.
  const within = `nsenter --target ${await service.pid()} --mount`;
  for (const path of ['/usr', '/etc', '/root'])
    assert.notEqual((await service.machine.attempt(`${within} touch ${path}/x`)).status, 0, path);
  await service.machine.sh(`${within} touch /var/lib/vine/x && rm /var/lib/vine/x`);
}

/** As after a crash of the process. */
async function comesBackAfterKill(service: Service, lab: Lab): Promise<void> {
  const [pid, restarts] = [await service.pid(), Number(await service.property('NRestarts'))];
  await service.machine.sh(`kill -9 ${pid}`);
  await service.until('NRestarts', String(restarts + 1));
  await service.until('ActiveState', 'active', startLimitMs);
  assert.notEqual(await service.pid(), pid);
  await service.untilPeersUp(1);
  await ping(lab, 'a1', '10.2.0.11');
}

const gndt = '/etc/vine/gndt.json';

async function reloads(service: Service, lab: Lab): Promise<void> {
  const { machine } = service;
  const [pid, mark] = [await service.pid(), await service.mark()];
  await machine.sh(`cp ${gndt} /tmp/ && sed -i 's|10.2.0.0/24|10.2.0.0/240|' ${gndt}`);
  const refused = await machine.attempt('systemctl reload vined');
  assert.notEqual(refused.status, 0, 'a bad file is taken');
  const errors = (await service.errors(mark)).join('\n');
  assert.match(
    errors,
    /gndt\.json: networks\[\d\]\.prefix/,
    'journalctl --priority=err does not say what is wrong',
  );
  assert.equal(await service.property('ActiveState'), 'active');
  await ping(lab, 'a1', '10.2.0.11');

  await machine.sh(`sed 's|"networks": *\\[|&{"vnet":"blue","prefix":"10.9.0.0/24","router":"vr-b"},|' /tmp/gndt.json >${gndt}
    grep -q 10.9.0.0 ${gndt} && systemctl reload vined`);
  await waitFor('the new network is known', async () =>
    (await machine.sh('vinectl --json gndt')).includes('10.9.0.0/24'),
  );
  assert.equal(await service.pid(), pid, 'a reload has started it anew');
  assert.equal(await service.property('Result'), 'success');
  await machine.sh(`cp /tmp/gndt.json ${gndt} && systemctl reload vined`);
  await ping(lab, 'a1', '10.2.0.11');
}

/** A worker that stands still for a moment is told of; one that goes on standing ends the process, and systemd starts it anew. */
async function isWatched(service: Service, lab: Lab): Promise<void> {
  const [mark, restarts] = [await service.mark(), Number(await service.property('NRestarts'))];
  const briefly = await service.hold('lan-to-tunnel');
  await service.untilSaid('"event":"worker_stalled","worker":"lan-to-tunnel"', mark);
  briefly.kill('SIGKILL');
  await ping(lab, 'a1', '10.2.0.11');
  assert.equal(Number(await service.property('NRestarts')), restarts, 'restarted before the limit');

  const pid = await service.pid();
  const held = await service.hold('tunnel-to-lan');
  try {
    await service.until('NRestarts', String(restarts + 1), watchdogLimitMs);
  } finally {
    held.kill('SIGKILL');
  }
  await service.until('ActiveState', 'active', startLimitMs);
  assert.notEqual(await service.pid(), pid);
  await service.untilSaid('"event":"worker_stalled","worker":"tunnel-to-lan"', mark);
  await service.untilSaid('Watchdog timeout', mark);
  await service.untilPeersUp(1);
  await ping(lab, 'a1', '10.2.0.11');
}

/** Connections through the router go on, and whatever the operator has written stays. */
async function upgrades(service: Service, lab: Lab, gateways: Gateways): Promise<void> {
  const { machine } = service;
  const stream = await TcpStream.open(lab, 'a1', 'b1', '10.2.0.11');
  await stream.progress(bytesBetween);
  const kept = 'sha256sum /etc/vine/* /etc/systemd/system/vined.service.d/*';
  const [pid, sums] = [await service.pid(), await machine.sh(kept)];
  const later = basename(laterPackage(gateways.packageFile, gateways.files));
  await machine.sh(`apt-get install -y /media/files/${later}`);
  assert.match(await machine.sh('dpkg-query --show vine-router'), /-99$/m);
  assert.equal(await service.property('ActiveState'), 'active');
  assert.equal(await machine.sh('systemctl is-enabled vined'), 'enabled\n');
  assert.notEqual(await service.pid(), pid, 'the old version still runs');
  assert.equal(await machine.sh(kept), sums, 'the configuration was changed');
  await stream.progress(bytesBetween);
  await stream.finish();
}

/** Every line is the router's JSON, and the journal knows its level. */
async function isInTheJournal(service: Service): Promise<void> {
  const entries = (await service.journal()).filter(({ MESSAGE }) => MESSAGE.startsWith('{'));
  const priorities: Record<string, string> = { info: '6', warn: '4', error: '3', fatal: '2' };
  const levels = new Set<string>();
  for (const { MESSAGE, PRIORITY } of entries) {
    const { level, event, router } = JSON.parse(MESSAGE) as { level: string; event: string; router: string };
    assert.equal(PRIORITY, priorities[level], `${event} is ${level}`);
    assert.equal(router, service.machine.name);
    levels.add(level);
  }
  for (const level of ['info', 'warn', 'error']) assert.ok(levels.has(level), `no ${level} in the journal`);
}

/** Nothing is lost by a stop, so nothing is told as an error; and all that the unit had is gone. */
async function stopsCleanly(service: Service): Promise<void> {
  const mark = await service.mark();
  await service.machine.sh('systemctl stop vined');
  assert.deepEqual(await service.errors(mark), [], 'a stop in order tells of errors');
  await service.untilSaid('"event":"stopping"', mark);
  assert.equal(await service.property('Result'), 'success');
  assert.equal(await service.property('ExecMainStatus'), '0');
  await service.machine.sh(
    'if pgrep --exact nft || nft list tables | grep vine || ls -d /run/vine; then exit 1; fi',
  );
}

/** Status 77, which is not tried again. */
async function needsItsCapabilities(service: Service): Promise<void> {
  const { machine } = service;
  const dropIn = '/run/systemd/system/vined.service.d/none.conf';
  await machine.sh(`mkdir -p ${dropIn.replace('/none.conf', '')}
    printf '[Service]\\nAmbientCapabilities=\\nCapabilityBoundingSet=\\n' >${dropIn}; systemctl daemon-reload`);
  const mark = await service.mark();
  assert.notEqual((await machine.attempt('systemctl start vined')).status, 0);
  assert.equal(await service.property('ExecMainStatus'), '77');
  assert.equal(await service.property('ActiveState'), 'failed');
  assert.equal(await service.property('NRestarts'), '0');
  assert.match((await service.errors(mark)).join('\n'), /^vined: CAP_NET_RAW is missing/m);
  await machine.sh(
    `rm -r ${dropIn.replace('/none.conf', '')}; systemctl daemon-reload; systemctl reset-failed vined`,
  );
}

/** Everything on Debian 12, where `t` says how long each step took, and what differs by systemd's version on Debian 13 too. */
async function life(t: TestContext, lab: Lab, gateways: Gateways): Promise<void> {
  const [a, b] = [new Service(gateways.machine('vr-a')), new Service(gateways.machine('vr-b'))];
  const both = [a, b];
  const step = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    const startedMs = performance.now();
    await work();
    t.diagnostic(`${name}: ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  };
  const before = new Map(
    await Promise.all(both.map(async ({ machine }) => [machine, await paths(machine)] as const)),
  );
  await step('installed', () => Promise.all(both.map(installs)));
  await step('started', async () => {
    await a.machine.sh(strict);
    await startsWhenReady(a);
    await b.machine.sh('systemctl enable --now vined');
    await Promise.all(both.map((service) => service.untilPeersUp(1)));
    for (const address of ['10.2.0.11', 'fd00:2::11']) await ping(lab, 'a1', address);
    for (const address of ['10.1.0.11', 'fd00:1::11']) await ping(lab, 'b1', address);
  });
  await step('confined', async () => {
    for (const service of both) {
      await hasOwnRuntime(service.machine);
      await isConfined(service);
      const level = await exposure(service);
      t.diagnostic(`exposure on ${service.machine.name}: ${level}`);
      assert.ok(level <= mostExposure, `${level}`);
    }
    const [strictly, asShipped] = await Promise.all(
      both.map((each) => each.property('SystemCallErrorNumber')),
    );
    assert.notEqual(strictly, asShipped, 'forbidden calls go unnoticed');
  });
  await step('used', async () => {
    await lab.exec('vr-a', [
      'curl',
      '--silent',
      '--fail',
      '--output',
      '/dev/null',
      'http://127.0.0.1:9770/metrics',
    ]);
    await a.machine.sh('ip link show vine0');
    await lab.move('vm', 'b');
    await ping(lab, 'a1', '10.1.0.9');
    assert.equal(await a.property('NRestarts'), '0', 'it made a system call that the unit forbids');
  });
  await step('killed', () => comesBackAfterKill(a, lab));
  await step('reloaded', () => reloads(a, lab));
  await step('watched', () => isWatched(a, lab));
  await step('sensors', async () => {
    await Promise.all([
      sensorCounts(a, lab, { from: 'a1', source: '10.1.0.11', destination: '10.1.0.77' }),
      sensorCounts(b, lab, { from: 'b1', source: '10.2.0.11', destination: '10.2.0.77' }),
    ]);
    for (const service of both) await sensorLives(service, mostExposure);
  });
  await step('couriers', async () => {
    await couriersCarry(a.machine, b.machine);
    for (const { machine } of both) await courierLives(machine, mostExposure);
  });
  await step('upgraded', () => upgrades(a, lab, gateways));
  await step('logged', async () => {
    const mark = await a.mark();
    await b.machine.sh('systemctl restart vined');
    await a.untilSaid('"event":"peer_down"', mark);
    await a.untilPeersUp(1);
    await isInTheJournal(a);
  });
  for (const service of both) await step('stopped', () => stopsCleanly(service));
  await step('without capabilities', () => needsItsCapabilities(b));
  await step('purged', () =>
    Promise.all(
      both.map(async ({ machine }) => {
        await machine.sh('apt-get purge -y vine-router');
        await nothingIsLeft(machine, before.get(machine) ?? new Set());
      }),
    ),
  );
}

test('two gateways’ lives under systemd', { skip: noMachine('bookworm') || noMachine('trixie') }, (t) =>
  withLab(t, { topology: 'two-site', daemons: false }, async (lab) => {
    const suiteOf = (id: string): Suite => (id === 'vr-b' ? 'trixie' : 'bookworm');
    const gateways = await bootGateways(lab, { suiteOf });
    layConfiguration(lab, gateways.files);
    try {
      await life(t, lab, gateways);
    } catch (error) {
      t.diagnostic(await gateways.report());
      throw error;
    }
  }),
);

/** A test's process that boots a machine, says its lab's name, and waits for ever. */
const bootsForEver = `
  import { Lab } from '${compiled}lab/lab.js';
  import { Machine } from '${compiled}lab/machine/machine.js';
  const lab = await Lab.up({ topology: 'two-site', daemons: false });
  await Machine.boot(lab, { node: 'vr-a', files: lab.directory });
  console.log(lab.name);
  setInterval(() => {}, 1000);`;

/** Processes and control groups of a lab's machines. */
async function traces(lab: string): Promise<string> {
  const pattern = `${namespacePrefix(lab)}[a-z]`;
  const { stdout: processes } = await run(['pgrep', '--list-full', '--full', `systemd-nspawn.*${pattern}`]);
  const { stdout: groups } = await run(['find', '/sys/fs/cgroup', '-name', `vine-${namespacePrefix(lab)}*`]);
  return processes + groups;
}

test('a machine whose test was killed is swept away', { skip: noMachine('bookworm') }, async (t) => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', bootsForEver], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const name = String((await once(child.stdout, 'data'))[0]).trim();
  assert.match(await traces(name), /systemd-nspawn(.*\n)+.*vine-/, 'the test would see nothing');
  child.kill('SIGKILL');
  await once(child, 'close');
  assert.ok(Lab.sweep().includes(name));
  assert.deepEqual(namespacesOf(name), []);
  assert.equal(await traces(name), '');
});
