import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { MAX_CONNECTIONS } from '../../../src/control/server.js';
import { FakeRouter } from '../control/fake-router.js';
import { call, startFixture, temporaryDirectory } from '../control/fixture.js';
import { vinectl } from './harness.js';

test('--json prints the answer as the router sends it, wherever it stands', async (t) => {
  const { socket } = await startFixture(t);
  const paths: Readonly<Record<string, string>> = {
    status: '/v1/status',
    peers: '/v1/peers',
    'clients --state away': '/v1/clients?state=away',
    'gndt --vnet red': '/v1/gndt?vnet=red',
    lndt: '/v1/lndt',
    hwdt: '/v1/hwdt',
    'directory --ip 10.1.0.9 --state here': '/v1/directory?ip=10.1.0.9&state=here',
    missing: '/v1/missing',
    role: '/v1/role',
    traffic: '/v1/traffic',
    'traffic --last 1h --by site --exact': '/v1/traffic?last=3600&by=site&mode=exact',
    'missing --mac 52:54:00:00:00:44': '/v1/missing?mac=52:54:00:00:00:44',
    counters: '/v1/counters',
    events: '/v1/events',
    'migrations --last 1': '/v1/migrations?last=1',
    'route get 10.2.0.8 from 10.1.0.9': '/v1/route?ip=10.2.0.8&from=10.1.0.9',
  };
  for (const [line, path] of Object.entries(paths)) {
    const { text } = await call(socket, 'GET', path);
    assert.deepEqual(await vinectl([...line.split(' '), '--json'], { socket }), {
      status: 0,
      out: text,
      err: '',
    });
    assert.deepEqual(await vinectl(['--json', ...line.split(' ')], { socket }), {
      status: 0,
      out: text,
      err: '',
    });
  }
  const moved = await vinectl(['--json', 'move', '10.1.0.9'], { socket });
  assert.deepEqual(JSON.parse(moved.out), new FakeRouter().migrations()[0]);
  assert.deepEqual(JSON.parse((await vinectl(['log-level', 'info', '--json'], { socket })).out), {
    level: 'info',
  });
});

test('--socket goes before VINE_SOCKET', async (t) => {
  const { socket } = await startFixture(t);
  const { status } = await vinectl(['counters', '--socket', socket], { socket: '/nonexistent' });
  assert.equal(status, 0);
});

test('1: the router says no', async (t) => {
  const { socket, router } = await startFixture(t);
  const cases: Readonly<Record<string, string>> = {
    'move 192.0.2.1': '192.0.2.1 is in no network',
    'route get 10.2.0.7 --vnet green': 'unknown vnet "green"',
    'gndt --ip hello': '"hello" is not an IP address',
    'unfreeze 10.9.9.9': '10.9.9.9 is not frozen',
    'role standby': 'vr-a2 does not answer: nobody would serve the site',
    'role master': 'role "master" is neither active nor standby',
    'log-level loud': 'level "loud" is not one of trace, debug, info, warn, error, fatal',
  };
  for (const [line, message] of Object.entries(cases)) {
    assert.deepEqual(await vinectl(line.split(' '), { socket }), {
      status: 1,
      out: '',
      err: `vinectl: ${message}\n`,
    });
  }
  router.fault = new Error('broken');
  assert.deepEqual(await vinectl(['peers'], { socket }), {
    status: 1,
    out: '',
    err: 'vinectl: fault in the router, see its log\n',
  });
});

test('2: usage', async () => {
  const lines = [
    'fly',
    'status now',
    'status --fast',
    'route',
    'route get',
    'route get 10.2.0.7 from',
    'route get 10.2.0.7 via 10.1.0.9',
    'route get 10.2.0.7 from 10.1.0.9 10.1.0.8',
    'hwdt --router vr-a',
    'migrations --last 0',
    'migrations --last x',
    'move',
    'log-level',
    'check',
    'reload now',
    'reload --confirm',
    'reload --confirm 0',
    'reload --confirm 86401',
    'confirm this',
    'role active now',
    'ping',
    'ping vr-b --count 0',
    'completion',
    'completion tcsh',
    'graph --format png',
    'top --interval 0',
    'advice now',
    '--socket',
  ];
  for (const line of lines) {
    const { status, out, err } = await vinectl(line.split(' '));
    assert.deepEqual([status, out], [2, ''], line);
    assert.notEqual(err, '', line);
  }
  const nothing = await vinectl([]);
  assert.equal(nothing.status, 2);
  assert.match(nothing.err, /^Usage: vinectl/);
});

test('3: no router, with the path and a remedy', async (t) => {
  const directory = await temporaryDirectory(t);
  const absent = join(directory, 'absent.sock');
  const missing = await vinectl(['status'], { socket: absent });
  assert.deepEqual([missing.status, missing.out], [3, '']);
  assert.match(
    missing.err,
    new RegExp(`^vinectl: no router on ${absent}, there is no such socket: start it with "systemctl`),
  );
  const file = join(directory, 'file');
  writeFileSync(file, '');
  const notSocket = await vinectl(['status'], { socket: file });
  assert.equal(notSocket.status, 3);
  assert.ok(notSocket.err.includes(file));
  const long = await vinectl(['status'], { socket: `/${'x'.repeat(200)}` });
  assert.equal(long.status, 3);
  assert.match(long.err, /no router on/);
});

test('3: something else answers, or breaks off', async (t) => {
  const socket = join(await temporaryDirectory(t), 'other.sock');
  const serve = async (listener: (path: string) => string): Promise<() => Promise<void>> => {
    const server = createServer((client) => {
      client.on('error', () => client.destroy());
      client.once('data', (text) => client.end(listener(String(text))));
    });
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    return () => new Promise((resolve) => server.close(() => resolve()));
  };
  const answers: readonly (readonly [answer: string, error: RegExp])[] = [
    ['SSH-2.0-x\r\n', /not a vined/],
    ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi', /not a vined/],
    ['HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nhi', /not a vined/],
    ['HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}', /closed the connection/],
    ['', /closed the connection/],
  ];
  for (const [answer, error] of answers) {
    const stop = await serve(() => answer);
    const { status, out, err } = await vinectl(['status'], { socket });
    assert.deepEqual([status, out], [3, ''], answer);
    assert.match(err, error);
    assert.ok(err.includes(socket));
    await stop();
  }
});

test('3: a router that has all the connections it takes', async (t) => {
  const { socket } = await startFixture(t);
  const held = Array.from({ length: MAX_CONNECTIONS }, () => connect(socket));
  await Promise.all(held.map((client) => once(client, 'connect')));
  const { status, out, err } = await vinectl(['status'], { socket });
  assert.deepEqual([status, out], [3, '']);
  assert.match(err, /it has 64 control connections already/);
  for (const client of held) client.destroy();
});

test('an answer of another version is a clear fault, not a trace of nonsense', async (t) => {
  const socket = join(await temporaryDirectory(t), 'other.sock');
  const server = createHttpServer((_request, response) => response.end('{"id":"vr-a"}'));
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  t.after(() => server.close());
  const { status, err } = await vinectl(['status'], { socket });
  assert.equal(status, 1);
  assert.match(err, /vined is of another version/);
  assert.deepEqual(await vinectl(['status', '--json'], { socket }), {
    status: 0,
    out: '{"id":"vr-a"}',
    err: '',
  });
});

test('help is there for every verb, with examples', async () => {
  const { status, out } = await vinectl(['--help']);
  assert.equal(status, 0);
  const verbs = [
    ...out.matchAll(
      /^ {2}([a-z][a-z-]*) {2,}|^ {2}(route get|node add|dhcp ignore|move|log-level|role|check|ping|completion) /gm,
    ),
  ].map((match) => match[1] ?? match[2] ?? '');
  assert.deepEqual(verbs.sort(), [
    'advice',
    'check',
    'clients',
    'completion',
    'confirm',
    'counters',
    'dhcp ignore',
    'directory',
    'doctor',
    'events',
    'genkey',
    'genpsk',
    'gndt',
    'graph',
    'hwdt',
    'lndt',
    'log-level',
    'man',
    'migrations',
    'missing',
    'move',
    'node add',
    'peers',
    'ping',
    'pubkey',
    'reload',
    'role',
    'route get',
    'status',
    'top',
    'traffic',
    'web',
  ]);
  for (const verb of verbs) {
    const help = await vinectl([...verb.split(' '), '--help']);
    assert.equal(help.status, 0, verb);
    assert.match(help.out, /Examples:\n {2}\S/, verb);
    assert.match(help.out, /--socket <path>/, verb);
  }
  assert.equal((await vinectl(['help', 'peers'])).status, 0);
});

test('--version is the package version', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8'));
  assert.deepEqual(await vinectl(['--version']), { status: 0, out: `${version}\n`, err: '' });
});

test('events --follow shows what happens until Ctrl-C', async (t) => {
  const { socket, router } = await startFixture(t);
  const emitting = setInterval(
    () => router.emit({ at: '2026-03-01T11:59:59.000Z', event: 'peer_up', peer: 'vr-b' }),
    5,
  );
  t.after(() => clearInterval(emitting));
  const shown = '2026-03-01 11:59:59.000Z  peer_up peer=vr-b\n';
  const onOutput = (out: string, interrupt: () => void): void => {
    if (out.split('\n').length > 3) interrupt();
  };
  const human = await vinectl(['events', '--follow'], { socket, onOutput });
  assert.deepEqual([human.status, human.err], [0, '']);
  assert.ok(human.out.startsWith(shown.repeat(3)));
  const json = await vinectl(['events', '-f', '--json'], { socket, onOutput });
  assert.deepEqual([json.status, json.err], [0, '']);
  assert.equal(json.out.split('\n')[0], '{"at":"2026-03-01T11:59:59.000Z","event":"peer_up","peer":"vr-b"}');
});

test('events --follow ends with 3 when the router stops', async (t) => {
  const { socket, router, server } = await startFixture(t);
  const emitting = setInterval(() => router.emit({ at: '2026-03-01T11:59:59.000Z', event: 'peer_up' }), 5);
  t.after(() => clearInterval(emitting));
  const { status, err } = await vinectl(['events', '--follow'], {
    socket,
    onOutput: () => void server.close(),
  });
  assert.deepEqual([status, err], [3, `vinectl: the router on ${socket} has stopped\n`]);
});

test('genkey and pubkey', async () => {
  const { status, out, err } = await vinectl(['genkey']);
  assert.deepEqual([status, err], [0, '']);
  assert.match(out, /^[A-Za-z0-9+/]{43}=\n$/);
  assert.notEqual((await vinectl(['genkey'])).out, out);
  // RFC 7748 §6.1, Alice's pair
  const privateKey = 'dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=';
  const publicKey = 'hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=';
  assert.deepEqual(await vinectl(['pubkey'], { stdin: `${privateKey}\n` }), {
    status: 0,
    out: `${publicKey}\n`,
    err: '',
  });
  const json = await vinectl(['pubkey', '--json'], { stdin: privateKey });
  assert.deepEqual(JSON.parse(json.out), { publicKey });
  assert.match(JSON.parse((await vinectl(['--json', 'genkey'])).out).privateKey, /=$/);
  for (const stdin of ['', 'hello', privateKey.slice(1), 'x'.repeat(100_000)]) {
    const refused = await vinectl(['pubkey'], { stdin });
    assert.deepEqual([refused.status, refused.out], [1, '']);
    assert.match(refused.err, /is no private key/);
  }
  const open = await vinectl(['genkey'], { isReadableByOthers: true });
  assert.equal(open.status, 0);
  assert.match(open.err, /chmod 600/);
});

/** A directory that is right, but for the changes to router.json. */
async function configDirectory(t: TestContext, changes: object = {}): Promise<string> {
  const directory = join(await temporaryDirectory(t), 'vine');
  mkdirSync(directory);
  const privateKey = (await vinectl(['genkey'])).out;
  const publicKey = (await vinectl(['pubkey'], { stdin: privateKey })).out.trim();
  const files = {
    'router.json': {
      id: 'vr-a',
      privateKeyFile: 'router.key',
      listen: ['udp://0.0.0.0:7700'],
      lans: [{ interface: 'lan0', vnet: 'blue' }],
      ...changes,
    },
    'gndt.json': {
      vnets: [{ name: 'blue', id: 1 }],
      routers: [{ id: 'vr-a', publicKey, endpoints: ['udp://192.0.2.1:7700'] }],
      networks: [{ vnet: 'blue', prefix: '10.1.0.0/24', router: 'vr-a' }],
    },
    'lndt.json': { nodes: [{ vnet: 'blue', ip: '10.1.0.0/24' }] },
  };
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(directory, name), JSON.stringify(content));
  const key = join(directory, 'router.key');
  writeFileSync(key, privateKey);
  chmodSync(key, 0o600);
  return directory;
}

test('check: a directory that is right', async (t) => {
  const directory = await configDirectory(t);
  assert.deepEqual(await vinectl(['check', directory]), {
    status: 0,
    out: `${directory}: no errors\n`,
    err: '',
  });
  const json = await vinectl(['check', directory, '--json']);
  assert.deepEqual(JSON.parse(json.out), { errors: [], warnings: [] });
});

test('check: every error on a line of its own, exit status 1', async (t) => {
  const directory = await configDirectory(t, { listen: ['sctp://x'], colour: 'red' });
  const { status, out, err } = await vinectl(['check', directory]);
  assert.equal(status, 1);
  const lines = out.trimEnd().split('\n');
  assert.equal(lines.length, 2);
  assert.ok(lines.some((line) => line.startsWith('router.json: listen[0]: ')));
  assert.ok(lines.some((line) => /^router\.json: .*colour/.test(line)));
  assert.equal(err, `vinectl: ${directory}: 2 errors\n`);
  const json = await vinectl(['--json', 'check', directory]);
  assert.equal(json.status, 1);
  assert.equal(JSON.parse(json.out).errors.length, 2);
});

test('check: advice.json too, when there is one', async (t) => {
  const directory = await configDirectory(t);
  writeFileSync(join(directory, 'advice.json'), '{ "sites": [{ "id": "vr-q" }] }');
  const { status, out } = await vinectl(['check', directory]);
  assert.equal(status, 1);
  assert.match(out, /^advice\.json: sites\[0\]\.id: "vr-q" is not a site in gndt\.json/);
});

test('check: a key that others may read', async (t) => {
  const directory = await configDirectory(t);
  chmodSync(join(directory, 'router.key'), 0o644);
  const { status, out } = await vinectl(['check', directory]);
  assert.equal(status, 1);
  assert.match(out, /^router\.json: privateKeyFile: .*chmod 600/);
});
