/** Every verb of vinectl and every call of the control API, asked of a live router: for people and as JSON. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { logFile } from '../lab/configuration.js';
import type { Lab } from '../lab/lab.js';
import { faultsOf, operations } from '../unit/control/openapi.js';
import { documentedEvents } from '../unit/router/log-list.js';
import { post } from './reload-support.js';
import { cannotRun, ping, untilKnownAt, withLab } from './support.js';

/** What each verb shows at site a after the vm has gone to site b and b1, a1 have spoken. */
const HUMAN: Readonly<Record<string, RegExp>> = {
  status: /^router: vr-a\n(.*\n)*.*state: ready/,
  peers: /^PEER.*\nvr-b +up/i,
  gndt: /10\.1\.0\.9\/32 +.*vr-b/,
  lndt: /10\.1\.0\.9 .*departed/,
  hwdt: /10\.1\.0\.11/,
  directory: /10\.1\.0\.9 .*vr-b/,
  missing: /^no node is missing$/m,
  role: /^ {2}partner: none: the site has one router$/m,
  counters: /^to_tunnel +\d+$/m,
  'route get 10.2.0.11': /vr-b/,
  'route get 10.2.0.11 from 10.1.0.11 --vnet blue': /vr-b/,
  'migrations --last 1': /10\.1\.0\.9/,
  clients: /^no clients$/m,
  events: /move_learned/,
  'ping vr-b --count 1': /^vr-b \(udp:\/\/192\.0\.2\.2:7700\): \d+\.\d{3} ms\n$/,
  'top --count 1 --interval 0.2': /^vr-a: ready.*; 1 of 1 peers up; /,
  graph: /node blue 10\.1\.0\.9, visiting from vr-a/,
  'graph --format dot': /^graph vine \{/,
  'log-level info': /^log level is now info\n$/,
  'reload --dry-run': /^nothing differs/,
  reload: /^nothing differs/,
  doctor: /^ok +peer vr-b: up/m,
};

const JSON_CALLS: Readonly<Record<string, string>> = {
  status: 'GET /v1/status',
  peers: 'GET /v1/peers',
  gndt: 'GET /v1/gndt',
  lndt: 'GET /v1/lndt',
  hwdt: 'GET /v1/hwdt',
  directory: 'GET /v1/directory',
  missing: 'GET /v1/missing',
  counters: 'GET /v1/counters',
  'route get 10.2.0.11': 'GET /v1/route',
  'migrations --last 1': 'GET /v1/migrations',
  clients: 'GET /v1/clients',
  role: 'GET /v1/role',
  events: 'GET /v1/events',
  'ping vr-b --count 1': 'POST /v1/ping',
  'log-level info': 'POST /v1/log-level',
  'reload --dry-run': 'POST /v1/reload',
  doctor: 'GET /v1/doctor',
};

async function humanAndJson(lab: Lab): Promise<void> {
  for (const [line, shown] of Object.entries(HUMAN)) {
    const { status, stdout, stderr } = await lab.daemon('a').vinectl(line.split(' '));
    assert.equal(status, 0, `${line}: ${stdout}${stderr}`);
    assert.match(stdout, shown, line);
  }
  for (const [line, name] of Object.entries(JSON_CALLS)) {
    const out = await lab.vinectl('a', [...line.split(' '), '--json']);
    assert.equal(faultsOf(name, 200, JSON.parse(out)), '');
  }
  const top = JSON.parse(await lab.vinectl('a', ['top', '-n', '1', '-i', '0.2', '--json'])) as {
    router: string;
  };
  assert.equal(top.router, 'vr-a');
  const graph = JSON.parse(await lab.vinectl('a', ['graph', '--json'])) as { routers: { id: string }[] };
  assert.deepEqual(
    graph.routers.map(({ id }) => id),
    ['vr-a', 'vr-b'],
  );
}

async function refusals(lab: Lab): Promise<void> {
  const lines: Readonly<Record<string, RegExp>> = {
    'ping vr-x': /^vinectl: there is no router "vr-x" in gndt\.json\n$/,
    'ping vr-a': /^vinectl: vr-a is this router\n$/,
    'move 10.1.0.11': /^vinectl: 10\.1\.0\.11 is here already\n$/,
    'route get 10.2.0.11 --vnet red': /there is no vnet "red"/,
    'unfreeze 10.1.0.11': /^vinectl: /,
    'log-level loud': /"loud" is not a log level/,
    'role standby': /^vinectl: site vr-a has one router: there is no role to change\n$/,
    confirm: /^vinectl: no reload waits to be confirmed\n$/,
  };
  for (const [line, message] of Object.entries(lines)) {
    const args = [...line.split(' '), ...(line.startsWith('ping') ? ['-c', '1'] : [])];
    const { status, stderr } = await lab.daemon('a').vinectl(args);
    assert.equal(status, 1, line);
    assert.match(stderr, message, line);
  }
  const requests: readonly (readonly [path: string, body: object, status: number])[] = [
    ['/v1/ping', { router: 'vr-x' }, 409],
    ['/v1/ping', {}, 400],
    ['/v1/moves', { ip: '10.1.0.11' }, 409],
    ['/v1/unfreeze', { ip: '10.1.0.11' }, 409],
    ['/v1/log-level', { level: 'loud' }, 400],
    ['/v1/reload', { now: true }, 400],
    ['/v1/confirm', {}, 409],
    ['/v1/role', { role: 'standby' }, 409],
  ];
  for (const [path, body, status] of requests) {
    const answer = await post(lab.daemon('a'), path, body);
    assert.equal(answer.status, status, path);
    assert.equal(faultsOf(`POST ${path}`, status, answer.body), '');
  }
}

/** What an operator can ask for, and the log, has no private key in it; and nothing but the socket is there to be asked. */
async function nothingSecret(lab: Lab): Promise<void> {
  const base64 = readFileSync(join(lab.daemon('a').directory, 'router.key'), 'utf8').trim();
  const hex = Buffer.from(base64, 'base64').toString('hex');
  const said = [readFileSync(logFile(lab.directory, 'a'), 'utf8')];
  for (const line of Object.keys(JSON_CALLS)) {
    said.push(
      await lab.vinectl('a', line.split(' ')),
      await lab.vinectl('a', [...line.split(' '), '--json']),
    );
  }
  for (const text of said) assert.ok(!text.includes(base64) && !text.toLowerCase().includes(hex));
  assert.equal(await lab.exec('vr-a', ['ss', '-Hltn']), '', 'it listens on no TCP port');
}

/** What the routers have logged is what docs/logs.md lists, field by field. */
function logsAsListed(lab: Lab): void {
  const listed = documentedEvents();
  for (const site of ['a', 'b'] as const) {
    const lines = readFileSync(logFile(lab.directory, site), 'utf8').trim().split('\n');
    for (const line of lines) {
      const { level, time, router, event, message, ...fields } = JSON.parse(line) as Record<string, unknown>;
      const known = listed.get(String(event));
      assert.ok(known !== undefined, `not listed: ${line}`);
      assert.equal(level, known.level, line);
      assert.ok(
        [time, router, message].every((value) => typeof value === 'string'),
        line,
      );
      if (!known.isOpen) assert.deepEqual(Object.keys(fields).sort(), [...known.fields].sort(), line);
    }
  }
}

test('every verb and call against a live router', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site' }, async (lab) => {
    const untouched = new Set(operations().keys());
    for (const name of Object.values(JSON_CALLS)) untouched.delete(name);
    // Those of a signed description are tried where there is one (description, join), traffic where there is some.
    assert.deepEqual([...untouched].sort(), [
      'GET /v1/memberships',
      'GET /v1/network',
      'GET /v1/network/description',
      'GET /v1/traffic',
      'POST /v1/confirm',
      'POST /v1/moves',
      'POST /v1/network',
      'POST /v1/role',
      'POST /v1/unfreeze',
    ]);
    await ping(lab, 'a1', '10.2.0.11');
    await ping(lab, 'vm', '10.2.0.11');
    await untilKnownAt(lab, 'b', '10.1.0.9', 'a');
    await lab.move('vm', 'b');
    await untilKnownAt(lab, 'a', '10.1.0.9', 'b');
    await humanAndJson(lab);
    await nothingSecret(lab);
    await refusals(lab);
    // By hand: home again without an announcement; then both forms of what changes something.
    await lab.move('vm', 'a', { announce: 'none' });
    const moved: unknown = JSON.parse(await lab.vinectl('a', ['move', '10.1.0.9', '--json']));
    assert.equal(faultsOf('POST /v1/moves', 200, moved), '');
    await ping(lab, 'vm', '10.2.0.11');
    const reloaded: unknown = JSON.parse(await lab.vinectl('a', ['reload', '--confirm', '60', '--json']));
    assert.equal(faultsOf('POST /v1/reload', 200, reloaded), '');
    const confirmed: unknown = JSON.parse(await lab.vinectl('a', ['confirm', '--json']));
    assert.equal(faultsOf('POST /v1/confirm', 200, confirmed), '');
    const follower = lab.spawn('vr-a', [
      new URL('../../../bin/vinectl', import.meta.url).pathname,
      '--socket',
      lab.daemon('a').socket,
      'events',
      '--follow',
      '--json',
    ]);
    const line = new Promise<string>((resolve) =>
      follower.stdout.once('data', (text) => resolve(String(text))),
    );
    for (let done = false; !done; ) {
      await post(lab.daemon('a'), '/v1/reload', {});
      done = await Promise.race([
        line.then(() => true),
        new Promise<false>((resolve) => setTimeout(() => resolve(false), 100)),
      ]);
    }
    assert.equal(
      (JSON.parse((await line).split('\n')[0] ?? '') as { event: string }).event,
      'reload_applied',
    );
    follower.kill('SIGINT');
    logsAsListed(lab);
  }),
);
