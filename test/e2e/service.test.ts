/**
 * `vined` as its unit runs it: as a user of its own with two capabilities, watched by a service manager. systemd itself
 * does not run in the lab; its tools judge the unit, and the test plays its part toward the process.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { Daemon } from '../lab/daemon.js';
import { projectRoot } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import { labsDirectory } from '../lab/ledger.js';
import { NotifyListener } from '../lab/service/listener.js';
import { run, runSync } from '../lab/shell.js';
import { waitFor } from '../lab/wait.js';
import { cannotRun, ping, withLab } from './support.js';

const unitFile = join(projectRoot, 'config/vined.service');
const unit = readFileSync(unitFile, 'utf8');
/** No user of this machine. */
const uid = 64_055;
const mostExposure = 3.0;
const watchdogMs = 2_000;

const installed = (program: string): boolean => existsSync(`/usr/bin/${program}`);
const needs = (program: string): string | false =>
  cannotRun || (installed(program) ? false : `needs ${program}: scripts/setup --tests`);

/** The others' read permission on the checkout and all folders above it. */
function isReadableByOthers(path: string): boolean {
  return (statSync(path).mode & 0o005) === 0o005 && (path === '/' || isReadableByOthers(dirname(path)));
}
const unreadable = isReadableByOthers(projectRoot.replace(/\/$/, ''))
  ? false
  : `other users may not read ${projectRoot}`;

/** Values of a setting in the unit, one per line that sets it. */
function setting(name: string): string[] {
  return [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value = '']) => value);
}

test('systemd finds the unit well-formed', { skip: needs('systemd-analyze') }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'vine-unit-'));
  try {
    // systemd looks whether the programs are there: here they are in the checkout.
    const file = join(directory, 'vined.service');
    writeFileSync(file, unit.replaceAll('/usr/sbin/vined', join(projectRoot, 'bin/vined')));
    const { status, stdout, stderr } = await run(['systemd-analyze', 'verify', '--man=no', file]);
    assert.equal(stdout + stderr, '');
    assert.equal(status, 0);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test(`systemd rates its exposure at most ${mostExposure}`, { skip: needs('systemd-analyze') }, async (t) => {
  const { stdout } = await run(['systemd-analyze', 'security', '--offline=true', '--no-pager', unitFile]);
  const exposure = /Overall exposure level for vined\.service: ([\d.]+)/.exec(stdout)?.[1];
  t.diagnostic(`exposure ${exposure}`);
  assert.ok(Number(exposure) <= mostExposure, `${exposure}\n${stdout}`);
});

test('it is the unit that this file tests', () => {
  assert.deepEqual(setting('Type'), ['notify']);
  assert.deepEqual(setting('User'), ['vine']);
  assert.deepEqual(setting('NoNewPrivileges'), ['yes']);
  assert.deepEqual(setting('ProtectSystem'), ['strict']);
  assert.deepEqual(setting('AmbientCapabilities'), setting('CapabilityBoundingSet'));
});

/** setpriv(1) with what the unit gives the process. */
function asTheUnitDoes(capabilities: readonly string[]): string[] {
  const list = ['-all', ...capabilities.map((name) => `+${name.replace(/^CAP_/, '').toLowerCase()}`)].join();
  return [
    ...['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--no-new-privs'],
    ...[`--inh-caps=${list}`, `--ambient-caps=${list}`, `--bounding-set=${list}`],
  ];
}

const unitCapabilities = (setting('AmbientCapabilities')[0] ?? '').split(' ');

/** Gives the files of site a's router to the user. */
function handOver(lab: Lab): Daemon {
  const daemon = lab.daemon('a');
  runSync(['chown', '-R', `${uid}:${uid}`, daemon.directory]);
  // On the way there only.
  runSync(['chmod', 'o+x', labsDirectory, lab.directory]);
  return daemon;
}

async function prepare(lab: Lab): Promise<Daemon> {
  await lab.daemon('a').kill();
  return handOver(lab);
}

/** Ready is said when the router is ready, and not before: the peer is away, so it listens for it for two seconds. */
async function readyOnlyWhenReady(daemon: Daemon, listener: NotifyListener): Promise<number> {
  let notReadyAnswers = 0;
  await waitFor('READY=1', async () => {
    const said = listener.has('READY=1');
    const status = await daemon.status();
    if (said) {
      assert.equal(status.ready, true, 'READY=1 before the tables were complete');
      assert.deepEqual(
        status.workers.map(({ state }) => state),
        ['running', 'running'],
      );
    } else if (!status.ready) notReadyAnswers++;
    return said;
  });
  return notReadyAnswers;
}

function processStatus(pid: number | undefined, field: string): string | undefined {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(status)?.[1];
}

function threadId(pid: number | undefined, name: string): string {
  const tasks = `/proc/${pid}/task`;
  const found = readdirSync(tasks).find((id) => readFileSync(`${tasks}/${id}/comm`, 'utf8').trim() === name);
  assert.ok(found !== undefined, `vined has no thread ${name}`);
  return found;
}

/** As `systemctl reload` asks for it; the service manager waits for the second READY=1. */
async function reloadIsAnnounced(daemon: Daemon, listener: NotifyListener): Promise<void> {
  assert.equal(listener.count('READY=1'), 1);
  process.kill(daemon.pid ?? 0, 'SIGHUP');
  await waitFor('READY=1 after the reload', () => listener.count('READY=1') === 2);
  const words = listener.notices.map(({ text }) => text);
  assert.ok(words.indexOf('RELOADING=1') > 0 && words.indexOf('RELOADING=1') < words.lastIndexOf('READY=1'));
  assert.ok(words.some((text) => /^MONOTONIC_USEC=\d+$/.test(text)));
}

/** With one worker standing still the signs of life end, within the limit, and the log names the worker. */
async function hungWorkerSilencesIt(daemon: Daemon, listener: NotifyListener, worker: string): Promise<void> {
  const hold = spawn('python3', [
    `${projectRoot}test/lab/service/hold-thread.py`,
    threadId(daemon.pid, worker),
  ]);
  try {
    let said = '';
    for (const stream of [hold.stdout, hold.stderr]) stream.on('data', (text) => (said += String(text)));
    await waitFor('the thread held', () => {
      assert.equal(hold.exitCode, null, said);
      return said.includes('held');
    });
    const heldAtMs = Date.now();
    const line = `"event":"worker_stalled","worker":"${worker}"`;
    await waitFor('the log names the worker', () => daemon.logTail(50).includes(line));
    const aliveBefore = listener.count('WATCHDOG=1');
    // Longer than the limit: systemd would have ended it by now.
    await waitFor('the limit is past', () => Date.now() - heldAtMs > watchdogMs + 1_000);
    assert.equal(listener.count('WATCHDOG=1'), aliveBefore, 'fed although a worker hangs');
  } finally {
    hold.kill('SIGKILL');
  }
  const aliveHeld = listener.count('WATCHDOG=1');
  await waitFor(
    'signs of life again when the worker goes on',
    () => listener.count('WATCHDOG=1') > aliveHeld,
  );
}

test(
  'as its own user: ready when it is ready, watched, silent when a worker hangs, and it says when it stops',
  { skip: cannotRun || unreadable },
  (t) =>
    withLab(t, { topology: 'two-site' }, async (lab) => {
      const daemon = await prepare(lab);
      await lab.daemon('b').kill();
      const socket = join(lab.directory, 'notify');
      const listener = await NotifyListener.at(socket);
      try {
        const told = ['env', `NOTIFY_SOCKET=${socket}`, `WATCHDOG_USEC=${watchdogMs * 1000}`];
        daemon.start([...asTheUnitDoes(unitCapabilities), ...told]);
        const notReadyAnswers = await readyOnlyWhenReady(daemon, listener);
        assert.ok(notReadyAnswers > 0, 'it was never seen starting');

        assert.equal(processStatus(daemon.pid, 'Uid'), [uid, uid, uid, uid].join('\t'));
        assert.equal(processStatus(daemon.pid, 'CapEff'), '0000000000003000');
        assert.equal(processStatus(daemon.pid, 'CapBnd'), '0000000000003000');
        assert.match(await lab.exec('vr-a', ['nft', 'list', 'tables']), /netdev vine_vr_a/);
        lab.daemon('b').start();
        await lab.waitConnected();
        await ping(lab, 'a1', '10.2.0.11');
        await waitFor('the status line', () =>
          listener.notices.some(({ text }) => text.includes('1 of 1 peer up')),
        );
        t.diagnostic(`memory ${processStatus(daemon.pid, 'VmRSS')}`);

        await reloadIsAnnounced(daemon, listener);
        await hungWorkerSilencesIt(daemon, listener, 'lan-to-tunnel');
        await hungWorkerSilencesIt(daemon, listener, 'tunnel-to-lan');
        await ping(lab, 'a1', '10.2.0.11');
        await daemon.kill();
        await waitFor('STOPPING=1', () => listener.has('STOPPING=1'));
      } finally {
        listener.close();
      }
    }),
);

/** In a mount namespace of its own /dev/net/tun is open to all, as udev makes it; a machine without udev differs. */
const withUdevsTun = [
  ...['unshare', '--mount', '--propagation', 'private', 'sh', '-c'],
  'mount -t tmpfs -o mode=755 dev /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec "$@"',
  'sh',
];

/** What needs system calls of its own: a TUN port, the metrics' listener. */
function addFeatures(daemon: Daemon): void {
  const file = join(daemon.directory, 'router.json');
  const router = JSON.parse(readFileSync(file, 'utf8')) as object;
  const features = { tun: [{ interface: 'vine0', vnet: 'blue' }], metrics: { listen: '127.0.0.1:9770' } };
  writeFileSync(file, JSON.stringify({ ...router, ...features }));
}

/** Names of the system calls that the unit's filter lets pass, its lines taken in their order. */
function allowedCalls(): Set<string> {
  const allowed = new Set<string>();
  for (const line of setting('SystemCallFilter')) {
    const denies = line.startsWith('~');
    for (const name of line.replace(/^~/, '').split(' ')) {
      for (const call of name.startsWith('@') ? callsOf(name) : [name]) {
        if (denies) allowed.delete(call);
        else allowed.add(call);
      }
    }
  }
  // What systemd always lets pass (systemd.exec(5)).
  for (const call of [
    'execve',
    'exit',
    'exit_group',
    'getrlimit',
    'rt_sigreturn',
    'sigreturn',
    ...callsOf('@default'),
  ])
    allowed.add(call);
  return allowed;
}

function callsOf(group: string): string[] {
  const words = runSync(['systemd-analyze', 'syscall-filter', '--no-pager', group])
    .split('\n')
    .map((line) => line.trim());
  return words
    .filter((word) => word !== '' && !word.startsWith('#') && word !== group)
    .flatMap((word) => (word.startsWith('@') ? callsOf(word) : [word]));
}

test(
  'it makes no system call that the unit forbids',
  { skip: needs('strace') || needs('systemd-analyze') || unreadable },
  (t) =>
    withLab(t, { topology: 'two-site' }, async (lab) => {
      const daemon = await prepare(lab);
      addFeatures(daemon);
      const traceFile = join(lab.directory, 'calls');
      // The tracer is a detached grandchild: the process itself is the lab's to stop.
      daemon.start([
        ...withUdevsTun,
        'strace',
        '-D',
        '-f',
        '-qq',
        '-o',
        traceFile,
        ...asTheUnitDoes(unitCapabilities),
      ]);
      await lab.waitConnected();
      await ping(lab, 'a1', '10.2.0.11');
      await lab.move('vm', 'b');
      await ping(lab, 'a1', '10.1.0.9');
      await lab.exec('vr-a', ['curl', '--silent', '--fail', 'http://127.0.0.1:9770/metrics']);
      await lab.exec('vr-a', ['ip', 'link', 'show', 'vine0']);
      await lab.vinectl('a', ['reload']);
      await daemon.kill();
      // What comes before setpriv starts vined is not the unit's business.
      const calls =
        readFileSync(traceFile, 'utf8')
          .split(/execve\([^\n]*bin\/vined[^\n]*= 0/)
          .at(-1) ?? '';
      const used = new Set([...calls.matchAll(/^\d+ +([a-z_0-9]+)\(/gm)].map(([, name = '']) => name));
      assert.ok(used.size > 30, `the trace is not of vined: ${[...used].join(' ')}`);
      const allowed = allowedCalls();
      t.diagnostic(`${used.size} different calls`);
      assert.deepEqual(
        [...used].filter((name) => !allowed.has(name)),
        [],
      );
    }),
);

test('without CAP_NET_RAW it says so and ends with 77', { skip: cannotRun || unreadable }, (t) =>
  withLab(t, { topology: 'two-site', daemons: false }, async (lab) => {
    const { directory } = handOver(lab);
    const command = [...asTheUnitDoes([]), `${projectRoot}bin/vined`, '--config', directory];
    const { status, stderr } = await lab.attempt('vr-a', command, { timeoutMs: 20_000 });
    assert.equal(status, 77, stderr);
    assert.match(stderr, /^vined: CAP_NET_RAW is missing/);
  }),
);
