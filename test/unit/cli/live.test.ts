import assert from 'node:assert/strict';
import { test } from 'node:test';
import { overlayOf, showDot } from '../../../src/cli/show/graph.js';
import { rates, type Sample } from '../../../src/cli/show/top.js';
import { FakeRouter, FINDINGS, NOW } from '../control/fake-router.js';
import { startFixture } from '../control/fixture.js';
import { vinectl } from './harness.js';

test('vinectl ping', async (t) => {
  const { socket } = await startFixture(t);
  const line = 'vr-b (udp://192.0.2.2:7700): 40.125 ms\n';
  assert.deepEqual(await vinectl(['ping', 'vr-b'], { socket }), { status: 0, out: line.repeat(4), err: '' });
  const json = await vinectl(['ping', 'vr-b', '-c', '1', '--json'], { socket });
  assert.deepEqual(JSON.parse(json.out), { router: 'vr-b', endpoint: 'udp://192.0.2.2:7700', rttMs: 40.125 });
  const refusal = 'there is no router "vr-x" in gndt.json';
  assert.deepEqual(await vinectl(['ping', 'vr-x', '-c', '2'], { socket }), {
    status: 1,
    out: `${refusal}\n${refusal}\n`,
    err: `vinectl: ${refusal}\n`,
  });
});

test('Ctrl-C ends ping in order', async (t) => {
  const { socket } = await startFixture(t);
  const { status } = await vinectl(['ping', 'vr-b', '-c', '1000000'], {
    socket,
    onOutput: (_out, interrupt) => interrupt(),
  });
  assert.equal(status, 0);
});

const ROUTER = new FakeRouter();

function sample(atMs: number, change: Partial<Sample> = {}): Sample {
  return {
    atMs,
    status: ROUTER.status(),
    peers: ROUTER.peers(),
    counters: ROUTER.counters(),
    moves: ROUTER.migrations(),
    ...change,
  };
}

test('rates: what has grown, by the time it took; a counter that began anew counts from 0', () => {
  const [b, c] = ROUTER.peers();
  assert.ok(b !== undefined && c !== undefined);
  const before = sample(0, { counters: { drop_no_route: 5, drop_malformed: 7, to_lan: 1 } });
  const now = sample(2000, {
    counters: { drop_no_route: 25, drop_malformed: 7, drop_new: 1, to_lan: 9 },
    peers: [
      { ...b, bytesSent: b.bytesSent + 4000, packetsReceived: 10 },
      { ...c, id: 'vr-z', bytesSent: 99 },
    ],
  });
  const view = rates(before, now);
  assert.deepEqual(view.dropsPerSecond, { no_route: 10, new: 0.5 });
  assert.equal(view.peers[0]?.sentBytesPerSecond, 2000);
  assert.equal(view.peers[0]?.receivedPacketsPerSecond, 5);
  assert.equal(view.peers[1]?.sentBytesPerSecond, 0, 'a peer that was not there before has no rate yet');
});

test('vinectl top', async (t) => {
  const { socket } = await startFixture(t);
  const { status, out } = await vinectl(['top', '--count', '2'], { socket });
  assert.equal(status, 0);
  const [first, second] = out.split(/(?<=\n)(?=vr-a: )/);
  assert.equal(first, second);
  assert.match(
    first ?? '',
    /^vr-a: ready, up 3 h 5 min; 1 of 2 peers up; 1,200 nodes here, 1 visiting, 2 departed, 3 missing\n/,
  );
  assert.match(first ?? '', /^PEER +STATE +RTT +SENT\/S/m);
  assert.match(first ?? '', /^vr-b +up +40\.3 ms +0 B +0 +0 B +0$/m);
  assert.match(first ?? '', /^no drops$/m);
  assert.match(first ?? '', /^MOVED AT +NODE +FROM +TO +VERDICT$/m);
  assert.ok(!out.includes('\x1b'), 'a control sequence where there is no terminal');
  const json = await vinectl(['top', '--count', '1', '--json'], { socket });
  assert.deepEqual(JSON.parse(json.out).peers.length, 2);
  const terminal = await vinectl(['top', '--count', '1', '--no-color'], { socket, isTerminal: true });
  assert.ok(terminal.out.startsWith('\x1b[H\x1b[J'));
});

test('vinectl graph: a tree for people', async (t) => {
  const { socket } = await startFixture(t);
  const { status, out } = await vinectl(['graph'], { socket });
  assert.equal(status, 0);
  assert.match(out, /^vr-a {2}this router\n├─ network blue 10\.1\.0\.0\/24\n└─ node blue 10\.2\.0\.7\n/);
  assert.match(out, /^vr-b {2}up, 40\.3 ms$/m);
  assert.match(out, /─ node blue 10\.1\.0\.9, visiting from vr-a$/m);
  assert.match(out, /^vr-c {2}down$/m);
  const json = await vinectl(['graph', '--json'], { socket });
  assert.deepEqual(
    JSON.parse(json.out).routers.map(({ id }: { id: string }) => id),
    ['vr-a', 'vr-b', 'vr-c'],
  );
});

test('vinectl graph --format dot: Graphviz', async (t) => {
  const { socket } = await startFixture(t);
  const { status, out } = await vinectl(['graph', '--format', 'dot'], { socket });
  assert.equal(status, 0);
  assert.match(out, /^graph vine \{\n/);
  assert.match(out, /\n {2}"router vr-a" -- "router vr-b" \[color=black, label="up, 40\.3 ms"\];\n/);
  assert.match(out, /\n {2}"router vr-a" -- "router vr-c" \[color=red, style=dashed, label="down"\];\n/);
  assert.match(out, /\n {2}"router vr-a" -- "node blue 10\.1\.0\.9" \[style=dotted, label="home"\];\n/);
  assert.match(out, /\n\}\n$/);
});

test('names cannot break out of the graph', () => {
  const status = { ...ROUTER.status(), id: 'a"]; evil [x="\\' };
  const out = showDot(overlayOf(status, [], [], []));
  assert.match(out, /"router a\\"\]; evil \[x=\\"\\\\" \[shape=box/);
});

test('vinectl doctor shows what the router finds; errors make its status 1', async (t) => {
  const { socket, router } = await startFixture(t);
  assert.deepEqual(await vinectl(['doctor'], { socket }), {
    status: 0,
    out: 'ok       lan lan0: up\nwarning  clock vr-b: it is off\n         → set it\n0 errors, 1 warning\n',
    err: '',
  });
  const json = await vinectl(['doctor', '--json'], { socket });
  assert.deepEqual(JSON.parse(json.out), FINDINGS);
  router.findings = [{ check: 'lan', level: 'error', subject: 'lan0', message: 'down', remedy: 'up' }];
  const failed = await vinectl(['doctor'], { socket });
  assert.deepEqual([failed.status, failed.err], [1, 'vinectl: 1 error found\n']);
  router.findings = FINDINGS.slice(0, 1);
  assert.match((await vinectl(['doctor'], { socket })).out, /^nothing wrong$/m);
  assert.ok(NOW);
});

test('vinectl doctor without a router says so, and looks at the files itself', async () => {
  const { status, out } = await vinectl(['doctor', '--config', '/nonexistent'], {
    socket: '/nonexistent.sock',
  });
  assert.equal(status, 1);
  assert.match(out, /^error {4}router vined: no router on \/nonexistent\.sock/m);
  assert.match(out, /^error {4}files \/nonexistent: there is no such directory$/m);
});
