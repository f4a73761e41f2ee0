/**
 * The Debian package's life on a new machine: installed, configured, started, upgraded, removed, installed again, purged. The
 * machine is a fresh Debian root with its own dpkg and systemd. What the unit does, and a later Debian, are in systemd.test.ts.
 */
import assert from 'node:assert/strict';
import { copyFileSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import type { DirectoryView, StatusView } from '../../src/control/api.js';
import type { Lab } from '../lab/lab.js';
import { Machine, noMachine } from '../lab/machine/machine.js';
import { buildPackage, nodePackage, packageWithoutRuntime } from '../lab/machine/package.js';
import { run } from '../lab/shell.js';
import { waitFor } from '../lab/wait.js';
import { isUnreachable, ping, withLab } from './support.js';
import { hasOwnRuntime, nothingIsLeft, paths, programOf } from './systemd-support.js';

const vm = '10.1.0.9';

/** What the operator of site a would have on a stick: the package, and the configuration that the lab has made. */
function files(lab: Lab): { directory: string; package: string } {
  const directory = join(lab.directory, 'files');
  const configuration = join(directory, 'configuration');
  mkdirSync(configuration, { recursive: true });
  const built = buildPackage();
  copyFileSync(built, join(directory, basename(built)));
  for (const name of ['gndt.json', 'lndt.json', 'router.key'])
    cpSync(join(lab.daemon('a').directory, name), join(configuration, name));
  const router = {
    id: 'vr-a',
    privateKeyFile: 'router.key',
    listen: ['udp://0.0.0.0:7700'],
    lans: [{ interface: 'lan0', vnet: 'blue' }],
  };
  writeFileSync(join(configuration, 'router.json'), JSON.stringify(router));
  return { directory, package: `/media/files/${basename(built)}` };
}

async function json<T>(machine: Machine, command: string): Promise<T> {
  return JSON.parse(await machine.sh(`vinectl --json ${command}`)) as T;
}

async function vinedPid(machine: Machine): Promise<string> {
  return (await machine.sh('systemctl show --property=MainPID --value vined')).trim();
}

async function isActive(machine: Machine): Promise<string> {
  return (await machine.attempt('systemctl is-active vined')).stdout.trim();
}

async function installed(machine: Machine, file: string): Promise<void> {
  await machine.sh(`dpkg --install ${file}`);
  assert.match(await machine.sh('getent passwd vine'), /:\/var\/lib\/vine:\/usr\/sbin\/nologin$/m);
  assert.equal((await machine.sh("stat -c '%U:%G %a' /etc/vine")).trim(), 'root:vine 750');
  assert.equal((await machine.sh('ls -A /etc/vine')).trim(), '', 'a file is shipped in /etc/vine');
  assert.equal(await isActive(machine), 'inactive', 'it starts before it is configured');
  assert.match(await machine.sh('vined --version && vinectl --version'), /^(\d+\.\d+\.\d+\n?){2}/);
  const { stdout } = await machine.attempt(
    'find / -xdev -name "*.key" -o -xdev -name "*.pem" -path "*vine*"',
  );
  assert.equal(stdout, '', 'a key is shipped');
}

async function started(machine: Machine, lab: Lab): Promise<void> {
  await machine.sh(`
    cp /media/files/configuration/*.json /etc/vine/
    install -o vine -g vine -m 0600 /media/files/configuration/router.key /etc/vine/router.key
    systemctl enable --now vined`);
  assert.equal((await json<StatusView>(machine, 'status')).ready, true, 'start returned before it was ready');
  assert.match(await machine.sh(`ps -o user= -p ${await vinedPid(machine)}`), /^vine\s*$/);
  assert.equal((await machine.sh("stat -c '%U:%G %a' /run/vine/control.sock")).trim(), 'vine:vine 660');
  await waitFor('the tunnel', async () => (await json<StatusView>(machine, 'status')).peersUp === 1);
  await ping(lab, 'a1', '10.2.0.11');
}

async function vmRecord(machine: Machine): Promise<DirectoryView | undefined> {
  return (await json<readonly DirectoryView[]>(machine, 'directory')).find(({ ip }) => ip === vm);
}

/** The other router is away: what is known after the upgrade comes from the disk. */
async function upgraded(machine: Machine, lab: Lab, file: string): Promise<void> {
  assert.match(await programOf(machine), /^\/usr\/bin\/node$/);
  await lab.move('vm', 'b');
  await waitFor('the move is known', async () => (await vmRecord(machine))?.router === 'vr-b');
  await ping(lab, 'a1', vm);
  const before = await vmRecord(machine);
  const [pid, sums] = [await vinedPid(machine), await machine.sh('sha256sum /etc/vine/*')];
  await lab.daemon('b').kill();
  await machine.sh(`dpkg --install ${file}`);
  assert.match(await machine.sh('dpkg-query -W vine-router'), /-1$/m);
  assert.notEqual(await vinedPid(machine), pid, 'the old version still runs');
  assert.equal((await json<StatusView>(machine, 'status')).ready, true);
  assert.deepEqual(await vmRecord(machine), before, 'the state did not survive');
  assert.equal(await machine.sh('sha256sum /etc/vine/*'), sums, 'the configuration was changed');
  await hasOwnRuntime(machine);
  // Nobody needs it any more: dpkg would refuse.
  await machine.sh('dpkg --purge nodejs');
  lab.daemon('b').start();
  await lab.daemon('b').waitReady(['vr-a']);
  await ping(lab, 'a1', vm);
}

async function removed(machine: Machine, lab: Lab): Promise<void> {
  const pid = await vinedPid(machine);
  await machine.sh('dpkg --remove vine-router');
  assert.notEqual((await machine.attempt(`kill -0 ${pid}`)).status, 0, 'vined still runs');
  assert.equal(await isUnreachable(lab, 'a1', '10.2.0.11'), true);
  await machine.sh(
    'test ! -e /usr/lib/vine-router && test ! -e /usr/sbin/vined && test ! -e /usr/bin/vinectl',
  );
  await machine.sh('test -s /etc/vine/router.key && test -s /var/lib/vine/directory.json && id vine');
}

test(
  'upgrades from a package that needed nodejs, with its state; is removed, comes back, is purged without a trace',
  { skip: noMachine('bookworm') },
  (t) =>
    withLab(t, { topology: 'two-site' }, async (lab) => {
      await lab.daemon('a').kill();
      const { directory, package: file } = files(lab);
      const earlier = packageWithoutRuntime(join(directory, basename(file)), directory);
      const node = nodePackage(directory);
      const machine = await Machine.boot(lab, { node: 'vr-a', files: directory });
      try {
        const before = await paths(machine);
        await machine.sh(`dpkg --install /media/files/${basename(node)}`);
        await installed(machine, `/media/files/${basename(earlier)}`);
        await started(machine, lab);
        await upgraded(machine, lab, file);
        await removed(machine, lab);

        await machine.sh(`dpkg --install ${file} && systemctl enable --now vined`);
        assert.equal((await json<StatusView>(machine, 'status')).ready, true, 'it does not come back');

        await machine.sh('dpkg --purge vine-router');
        await nothingIsLeft(machine, before);
      } catch (error) {
        t.diagnostic(await machine.log());
        throw error;
      } finally {
        machine.stop();
      }
    }),
);

test('what it holds: manual pages, completions, examples; no sources, no test code, no key; all of it root’s', {
  skip: noMachine('bookworm'),
}, async () => {
  const file = buildPackage();
  const { stdout } = await run(['dpkg-deb', '--contents', file]);
  const lines = stdout.trim().split('\n');
  assert.ok(lines.length > 100);
  const paths = new Set(lines.map((line) => line.split(' ').at(-1)?.slice(1)));
  const missing = [
    '/usr/lib/vine-router/bin/node',
    '/usr/lib/vine-router/LICENSE.node',
    '/usr/share/doc/vine-router/examples/gndt.json',
    '/usr/share/doc/vine-router/handbook.md',
    '/usr/share/vine-router/schema/gndt.schema.json',
    '/usr/share/man/man1/vinectl.1.gz',
    '/usr/share/man/man8/vined.8.gz',
    '/usr/share/man/man8/vine-sensor.8.gz',
    '/usr/lib/vine-router/bin/vine-sensor',
    '/lib/systemd/system/vine-sensor.service',
    '/usr/share/man/man8/vine-courier.8.gz',
    '/usr/lib/vine-router/bin/vine-courier',
    '/lib/systemd/system/vine-courier.service',
    '/usr/share/bash-completion/completions/vinectl',
    '/usr/share/zsh/vendor-completions/_vinectl',
    '/usr/share/fish/vendor_completions.d/vinectl.fish',
  ].filter((file) => !paths.has(file));
  assert.deepEqual(missing, []);
  assert.deepEqual(
    lines.filter((line) => !line.includes(' root/root ')),
    [],
  );
  assert.deepEqual(
    lines.filter((line) => /\.(key|pem|cc|o)$|\/dist\/test\/|\.d\.ts$/.test(line)),
    [],
  );
  const writable = lines.filter((line) => !line.startsWith('l') && /^.{5}w|^.{8}w/.test(line));
  assert.deepEqual(writable, [], 'writable for others');
  assert.doesNotMatch((await run(['dpkg-deb', '--field', file, 'Depends'])).stdout, /nodejs/);
  const sums = await run(['bash', '-c', `cd ${dirname(file)} && sha256sum --check --strict SHA256SUMS`]);
  assert.equal(sums.stdout, `${basename(file)}: OK\n`);
});
