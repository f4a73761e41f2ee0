import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isLocal, parseAddress } from '../../../src/courier/address.js';
import { loadConfig } from '../../../src/courier/config.js';
import { projectRoot } from '../../lab/daemon.js';
import { within } from '../../lab/wait.js';
import { TOKEN, until } from './couriers.js';

const program = `${projectRoot}bin/vine-courier`;

function directoryOf(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'courier-config-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, 'token'), TOKEN);
  writeFileSync(join(directory, 'short'), 'secret');
  return directory;
}

function good(directory: string): Record<string, unknown> {
  return {
    name: 'site-a',
    tokenFile: 'token',
    control: join(directory, 'control.sock'),
    peers: { b: 'tcp:127.0.0.1:7710' },
    send: [{ listen: `unix:${directory}/to.sock`, peer: 'b', destination: 'vm' }],
    store: { memoryMb: 1, directory: join(directory, 'store') },
  };
}

test('addresses', () => {
  assert.deepEqual(parseAddress('unix:/run/x.sock'), { kind: 'unix', path: '/run/x.sock' });
  assert.deepEqual(parseAddress('tcp:10.0.0.1:7710'), { kind: 'tcp', host: '10.0.0.1', port: 7710 });
  assert.deepEqual(parseAddress('tcp:[fd00::1]:1'), { kind: 'tcp', host: 'fd00::1', port: 1 });
  for (const bad of [
    '',
    '/run/x',
    'unix:x',
    `unix:/${'x'.repeat(107)}`,
    'tcp:host:1',
    'tcp:10.0.0.1',
    'tcp:10.0.0.1:0',
  ])
    assert.equal(parseAddress(bad), undefined, bad);
  for (const bad of [
    'tcp:10.0.0.1:65536',
    'tcp:[10.0.0.1]:1',
    'tcp:fd00::1:1',
    'tcp:256.0.0.1:1',
    'udp:10.0.0.1:1',
  ])
    assert.equal(parseAddress(bad), undefined, bad);
  const local = (text: string): boolean => {
    const address = parseAddress(text);
    return address !== undefined && isLocal(address);
  };
  assert.deepEqual(
    ['unix:/x', 'tcp:127.0.0.1:1', 'tcp:[::1]:1', 'tcp:10.0.0.1:1', 'tcp:0.0.0.0:1', 'tcp:[::]:1'].map(local),
    [true, true, true, false, false, false],
  );
});

test('a file with mistakes: each is named with its place', (t) => {
  const directory = directoryOf(t);
  const path = join(directory, 'courier.json');
  const errors = (change: Record<string, unknown>): readonly string[] => {
    writeFileSync(path, JSON.stringify({ ...good(directory), ...change }));
    const config = loadConfig(path);
    return 'errors' in config ? config.errors.map((error) => error.replace(`${path}: `, '')) : [];
  };
  const send = { listen: 'unix:/x', peer: 'b', destination: 'vm' };
  assert.deepEqual(errors({}), []);
  assert.deepEqual(errors({ peers: { b: 'nowhere' } }), [
    'peers.b: expected unix:/path, tcp:1.2.3.4:port or tcp:[::1]:port',
  ]);
  assert.deepEqual(errors({ send: [{ ...send, listen: 'tcp:0.0.0.0:4444' }] }), [
    'send[0].listen: whoever reaches it is served: only a Unix socket or this machine’s loopback may be',
  ]);
  assert.deepEqual(errors({ send: [send, { ...send, peer: 'c' }] }), [
    'send[1].peer: c is not in peers',
    'send[1].listen: another one listens there',
  ]);
  assert.deepEqual(errors({ send: [] }), ['send: empty, and there is no listen']);
  const disk = { listen: 'unix:/disk', peer: 'b', destination: 'vm-disk' };
  assert.deepEqual(errors({ send: [], disks: [disk] }), []);
  assert.deepEqual(errors({ send: [send], disks: [{ ...disk, listen: 'unix:/x', peer: 'c' }] }), [
    'disks[0].peer: c is not in peers',
    'disks[0].listen: another one listens there',
  ]);
  assert.deepEqual(errors({ disks: [{ ...disk, listen: 'tcp:10.0.0.1:10809' }] }), [
    'disks[0].listen: whoever reaches it is served: only a Unix socket or this machine’s loopback may be',
  ]);
  assert.match(errors({ disks: [{ ...disk, stallSeconds: 0 }] })[0] ?? '', /^disks\[0\]\.stallSeconds: /);
  const volume = { name: 'v', listen: 'unix:/v', size: '20G', directory: '/v' };
  assert.deepEqual(errors({ send: [], volumes: [volume] }), []);
  assert.deepEqual(errors({ volumes: [{ ...volume, size: 512 }] }), []);
  assert.deepEqual(errors({ volumes: [{ ...volume, size: undefined, base: { file: '/base' } }] }), []);
  assert.deepEqual(errors({ volumes: [{ ...volume, size: undefined }] }), [
    'volumes[0].size: needed where there is no base',
  ]);
  assert.deepEqual(errors({ volumes: [volume, { ...volume, directory: `${directory}/store` }] }), [
    'volumes[1].name: another volume has it',
    'volumes[1].listen: another one listens there',
    'volumes[1].directory: something else is there',
  ]);
  for (const [size, wanted] of [
    ['20X', 'expected bytes, or a text like "20G" (K, M, G, T)'],
    [1000, 'expected a multiple of 512 bytes'],
    ['65T', 'expected 512 bytes to 64T'],
  ] as const)
    assert.match(
      errors({ volumes: [{ ...volume, size }] })[0] ?? '',
      new RegExp(wanted.replace(/[()]/g, '.')),
    );
  assert.match(errors({ volumes: [{ ...volume, base: { http: 'x' } }] })[0] ?? '', /^volumes\[0\]\.base/);
  const place = { connect: 'unix:/nbd' };
  assert.deepEqual(errors({ listen: 'tcp:10.0.0.1:7710', receiveDisks: { 'vm-disk': place } }), []);
  assert.match(errors({ receiveDisks: { 'a b': place } })[0] ?? '', /^receiveDisks/);
  assert.match(
    errors({ receiveDisks: { vm: { ...place, export: 'x'.repeat(256) } } })[0] ?? '',
    /^receiveDisks\.vm\.export: /,
  );
  assert.deepEqual(errors({ listen: 'tcp:10.0.0.1:7710' }), [
    'receive: empty, so that nothing can come: leave out listen',
  ]);
  assert.deepEqual(errors({ store: { memoryMb: 100, diskMb: 50 } }), [
    'store.diskMb: smaller than memoryMb: what is in memory is on disk, too',
  ]);
  for (const store of [{ memoryMb: 65_537 }, { diskMb: 65_537 }])
    assert.deepEqual(errors({ store }), [
      `store.${Object.keys(store)[0]}: at most 65536 (64 GiB), whose tables alone take 0.8 GB of memory`,
    ]);
  assert.deepEqual(errors({ store: { directory: `/${'x'.repeat(93)}` } }), [
    'store.directory: longer than the 93 bytes that its socket leaves it',
  ]);
  assert.deepEqual(errors({ send: [{ ...send, peer: 'constructor' }] }), [
    'send[0].peer: constructor is not in peers',
  ]);
  assert.match(errors({ peers: [] })[0] ?? '', /^peers: expected an object of names/);
  assert.match(errors({ peers: { 'a b': 'tcp:127.0.0.1:1' } })[0] ?? '', /^peers\.a b: no name; use 1 to 63/);
  // As JSON it is a key like any other.
  const proto = JSON.parse('{ "peers": { "b": "tcp:127.0.0.1:1", "__proto__": "tcp:127.0.0.1:2" } }');
  assert.match(errors(proto)[0] ?? '', /^peers\.__proto__: no name; use 1 to 63/);
  assert.deepEqual(errors({ tokenFile: 'short' }), [
    `tokenFile: ${directory}/short: shorter than 32 characters`,
  ]);
  assert.match(errors({ tokenFile: 'none' })[0] ?? '', /^tokenFile: ENOENT/);
  assert.match(errors({ more: 1 })[0] ?? '', /more/);
  writeFileSync(path, '{');
  const broken = loadConfig(path);
  assert.ok('errors' in broken && broken.errors.length === 1);
});

function metricsOf(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path: '/metrics' }, (reply) => {
      let text = '';
      reply.on('data', (piece: Buffer) => {
        text += piece.toString();
      });
      reply.on('end', () => resolve(text));
    });
    call.on('error', reject);
    call.end();
  });
}

test('the program: checks, serves, answers, refuses a second one, stops', async (t) => {
  const directory = directoryOf(t);
  const path = join(directory, 'courier.json');
  writeFileSync(path, JSON.stringify(good(directory)));
  const run = (...words: readonly string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [program, ...words], { encoding: 'utf8' });
  assert.equal(
    run('serve', '--check', '--config', path).stdout,
    `${path}: the configuration of site-a is good\n`,
  );
  assert.equal(run('serve', '--check', '--config', join(directory, 'none')).status, 78);
  assert.equal(run('fly').status, 2);
  const asleep = run('status', '--config', path);
  assert.equal(asleep.status, 1);
  assert.match(asleep.stderr, /control\.sock: connect ENOENT.*is vine-courier running\?/);

  const server = spawn(process.execPath, [program, 'serve', '--config', path], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.after(() => server.kill('SIGKILL'));
  let said = '';
  server.stderr.on('data', (text: Buffer) => {
    said += text.toString();
  });
  await until('it is ready', () => said.includes('vine-courier site-a: ready'));
  assert.match(run('status', '--config', path).stdout, /name +site-a\n/);
  const status = JSON.parse(run('status', '--json', '--config', path).stdout) as { jobsRunning: number };
  assert.equal(status.jobsRunning, 0);
  assert.deepEqual(JSON.parse(run('jobs', '--json', '--config', path).stdout), []);
  assert.match(run('jobs', '--config', path).stdout, /^JOB +ROLE +DESTINATION/);
  assert.match(run('disks', '--config', path).stdout, /^DISK +ROLE +STATE +SIZE/);
  assert.deepEqual(JSON.parse(run('disks', '--json', '--config', path).stdout), []);
  assert.match(run('store', '--config', path).stdout, /mostPages +256\n/);
  const send = run(
    'send',
    '--vm',
    'vm',
    '--to',
    'b',
    '--node',
    'root',
    '--mac',
    '52:54:00:00:00:09',
    '--config',
    path,
  );
  assert.ok(send.stdout.includes(`"uri":"unix:${directory}/to.sock"`), send.stderr);
  const unknown = run('send', '--vm', 'vm9', '--to', 'b', '--config', path);
  assert.deepEqual(
    [unknown.status, unknown.stderr],
    [1, 'vine-courier: no entry of "send" has the destination vm9; there is vm\n'],
  );
  assert.match(run('receive', '--vm', 'vm', '--config', path).stderr, /: "receive" has no vm\n$/);
  const metrics = await metricsOf(join(directory, 'control.sock'));
  assert.match(metrics, /^vine_courier_jobs_running 0$/m);
  assert.match(metrics, /^vine_courier_disks_stalled 0$/m);
  const second = run('serve', '--config', path);
  assert.equal(second.status, 1);
  assert.match(second.stderr, /to\.sock: somebody listens there already/);
  const exited = new Promise<number | null>((done) => server.once('exit', done));
  server.kill('SIGTERM');
  assert.equal(await within('it ends', exited), 0);
});
