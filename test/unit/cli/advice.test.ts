/** vinectl advice, from the router's answers and the files to moves that an operator's command makes. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { AdviceView } from '../../../src/control/advice-view.js';
import { startControlServer } from '../../../src/control/server.js';
import { joinDocument } from '../../../src/membership/document.js';
import { NOW } from '../control/fake-router.js';
import { facesOf, temporaryDirectory } from '../control/fixture.js';
import { AdviceRouter, GNDT } from './advice-router.js';
import { type Options, type Result, vinectl } from './harness.js';

const HOUR_MS = 3_600_000;

interface World {
  readonly router: AdviceRouter;
  readonly directory: string;
  advice(argv?: readonly string[], options?: Options): Promise<Result>;
  report(argv?: readonly string[]): Promise<AdviceView>;
  /** `10.1.0.1 vr-a>vr-b` for each move. */
  moves(argv?: readonly string[]): Promise<string[]>;
  file(content: object): void;
}

async function startWorld(t: TestContext): Promise<World> {
  const directory = await temporaryDirectory(t);
  const socket = join(directory, 'control.sock');
  const router = new AdviceRouter();
  const server = await startControlServer({ socket, group: 'root', ...facesOf(router), onFault: () => {} });
  t.after(() => server.close());
  writeFileSync(join(directory, 'gndt.json'), JSON.stringify(GNDT));
  const advice = (argv: readonly string[] = [], options: Options = {}): Promise<Result> =>
    vinectl(['advice', '--config', directory, ...argv], { socket, ...options });
  const report = async (argv: readonly string[] = []): Promise<AdviceView> => {
    const { status, out, err } = await advice(['--json', ...argv]);
    assert.deepEqual([status, err], [0, '']);
    return JSON.parse(out) as AdviceView;
  };
  return {
    router,
    directory,
    advice,
    report,
    moves: async (argv) =>
      (await report(argv)).steps.flatMap(({ moves }) =>
        moves.map(({ ips, from, to }) => `${ips[0]} ${from}>${to}`),
      ),
    file: (content) => writeFileSync(join(directory, 'advice.json'), JSON.stringify(content)),
  };
}

/** Machine 1 at vr-a talks with machine 9 at vr-b, which may be nowhere else. */
async function startPair(t: TestContext): Promise<World> {
  const world = await startWorld(t);
  world.router.add(1, 'vr-a');
  world.router.add(9, 'vr-b', {}, 2);
  world.router.talks('10.1.0.1', '10.2.0.9', 40);
  world.router.talks('10.2.0.9', '10.1.0.1', 20, 'ba');
  return world;
}

test('what is advised, for people', async (t) => {
  const { advice, router } = await startPair(t);
  const { status, out, err } = await advice();
  assert.deepEqual([status, err], [0, '']);
  assert.match(out, /^between sites 55\.9 GiB a day; with these moves 0 B\n\n/);
  assert.match(
    out,
    /^# {2}NODE {6}VNET {2}FROM {2}TO {4}SAVES A DAY {3}OF ALL {2}COSTS ONCE {2}PAID BACK AFTER {2}TAKES {2}STANDS STILL\n/m,
  );
  assert.match(
    out,
    /^1 {2}10\.1\.0\.1 {2}blue {2}vr-a {2}vr-b {5}55\.9 GiB {2}100\.0 % +4\.4 GiB +112 min +37 s +\d+ ms\*\n/m,
  );
  assert.match(out, /^\* memory or dirty rate are assumed/m);
  assert.match(out, /^traffic within a LAN is counted only where/m);
  assert.match(out, /^traffic from 2026-03-01T11:00:00\.000Z to 2026-03-01T12:00:00\.000Z$/m);
  const [asked] = router.asked;
  assert.deepEqual([asked?.lastSeconds, asked?.by, asked?.top], [3_600, 'node', 1_024]);
});

test('the same for programs', async (t) => {
  const { report } = await startPair(t);
  const { steps, now, after, objective, unit, horizonSeconds, traffic } = await report();
  assert.deepEqual([objective, unit, horizonSeconds], ['traffic', 'bytes', 86_400]);
  assert.deepEqual([now.bytes, after.bytes], [60e9, 0]);
  assert.deepEqual(traffic, {
    from: '2026-03-01T11:00:00.000Z',
    to: NOW,
    partial: false,
    shareOfBytes: 1,
  });
  const [step] = steps;
  const [move] = step?.moves ?? [];
  assert.deepEqual(
    [step?.kind, move?.ips, move?.mac, move?.vnet],
    ['move', ['10.1.0.1'], '52:54:00:00:01:01', 'blue'],
  );
  assert.deepEqual([move?.assumed, move?.converges], [true, true]);
});

test('no move pays: that is an answer', async (t) => {
  const { advice, router } = await startPair(t);
  router.talk = router.talk.map((row) => ({ ...row, bytes: row.bytes / 1000 }));
  const { status, out } = await advice();
  assert.equal(status, 0);
  assert.match(out, /^between sites 57\.2 MiB a day\nno move pays\n/);
});

test('mobility.allow, gateways, clients, frozen and missing nodes, two places at once: who stays, and why', async (t) => {
  const { router, report, moves } = await startWorld(t);
  for (const [n, change] of [
    [254, {}],
    [201, {}],
    [3, { frozen: true }],
    [4, { missing: true }],
    [5, { ip: '192.0.2.5' }],
  ] as const) {
    router.add(n, 'vr-a', change);
    router.talks(change === undefined || !('ip' in change) ? `10.1.0.${n}` : '192.0.2.5', '10.2.0.9', 50);
  }
  router.add(6, 'vr-a');
  router.rows.push({ ...(router.rows.at(-1) as (typeof router.rows)[0]), ip: 'fd00:1::6', router: 'vr-b' });
  router.talks('10.1.0.6', '10.2.0.9', 50);
  router.add(7, 'vr-a', { state: 'withdrawn' });
  router.add(9, 'vr-b', {}, 2);
  assert.deepEqual(await moves(), [], 'and what is at home at vr-b may be nowhere else');
  assert.deepEqual((await report()).staying, [
    { why: "it is its network's gateway", machines: 1 },
    { why: 'it is a WireGuard client', machines: 1 },
    { why: 'it is frozen', machines: 1 },
    { why: 'it does not answer', machines: 1 },
    { why: 'it has an address in no network', machines: 1 },
    { why: 'it is on its way', machines: 1 },
  ]);
});

test('a machine with two addresses moves once', async (t) => {
  const { router, report } = await startPair(t);
  router.rows.push({ ...(router.rows[0] as (typeof router.rows)[0]), ip: 'fd00:1::1' });
  router.talks('fd00:1:0:0::1', '10.2.0.9', 10);
  const { steps, now } = await report();
  assert.equal(now.bytes, 70e9);
  assert.deepEqual(
    steps[0]?.moves.map(({ ips }) => ips),
    [['10.1.0.1', 'fd00:1::1']],
  );
});

test('advice.json: limits, pins, sites, lists, sizes', async (t) => {
  const { file, moves, report } = await startPair(t);
  assert.deepEqual(await moves(), ['10.1.0.1 vr-a>vr-b']);
  file({ sites: [{ id: 'vr-b', machines: 1 }] });
  assert.deepEqual(await moves(), []);
  file({ sites: [{ id: 'vr-b', memoryMib: 8191 }] });
  assert.deepEqual(await moves(), []);
  file({ sites: [{ id: 'vr-b', memoryMib: 8192 }] });
  assert.deepEqual(await moves(), ['10.1.0.1 vr-a>vr-b']);
  file({ machines: [{ ip: '10.1.0.0/24' }, { ip: '10.1.0.1', pinned: true }] });
  assert.deepEqual(await moves(), []);
  assert.deepEqual((await report()).staying, [{ why: 'it is pinned in advice.json', machines: 1 }]);
  file({ machines: [{ ip: '10.1.0.1', sites: ['vr-a', 'vr-c'] }] });
  assert.deepEqual(await moves(), []);
  file({ apart: [{ ips: ['10.1.0.1', '10.2.0.9'] }] });
  assert.deepEqual(await moves(), []);
  file({ machines: [{ ip: '10.1.0.1', memoryMib: 1024, dirtyMibPerSecond: 0, diskMib: 1024 }] });
  const [move] = (await report()).steps[0]?.moves ?? [];
  assert.deepEqual([move?.bytes, move?.assumed], [2 * 2 ** 30, false]);
  file({ together: [{ ips: ['10.1.0.1', '10.1.0.77'] }] });
  assert.deepEqual((await report()).notes, [
    '10.1.0.77 stands in advice.json and is no machine that is known',
  ]);
});

test('money: prices by way and direction', async (t) => {
  const { file, report, advice } = await startPair(t);
  file({
    pricePerGb: 0.1,
    links: [
      { from: 'vr-a', to: 'vr-b', pricePerGb: 0.02 },
      { from: 'vr-b', to: 'vr-a', pricePerGb: 0.05 },
    ],
  });
  const { now, unit } = await report(['--objective', 'cost']);
  assert.ok(Math.abs(now.value - (40 * 0.02 + 20 * 0.05)) < 1e-9);
  assert.equal(unit, 'the currency of advice.json');
  const { out } = await advice(['--objective', 'cost']);
  assert.match(out, /, 100\.0 % less of what is asked about \(cost\)\n/);
  assert.match(out, /^1 .* 1\.80 +0\.0\d /m);
});

test('latency: measured round trips, said ones, and what is only estimated is said', async (t) => {
  const { file, report, router } = await startPair(t);
  assert.equal((await report(['--objective', 'latency'])).now.value, 60e9 * 10);
  file({ links: [{ from: 'vr-b', to: 'vr-a', rttMs: 7 }] });
  assert.equal((await report(['--objective', 'latency'])).now.value, 60e9 * 7);
  const { notes } = await report(['--objective', 'latency']);
  assert.match(notes[0] ?? '', /round trips between other sites/);
  router.add(8, 'vr-c', {}, 2);
  router.talk = [];
  router.talks('10.2.0.8', '10.2.0.9', 10, 'cb');
  assert.equal(
    (await report(['--objective', 'latency', '--horizon', '1h'])).now.value,
    10e9 * 40,
    'by way of vr-a',
  );
  const between = async (): Promise<number> =>
    (await report(['--objective', 'latency', '--horizon', '1h'])).now.value / 10e9;
  router.places.set('vr-b', { point: [3, 0, 0], heightMs: 1, error: 0.1 });
  assert.equal(await between(), 40, 'the place of one alone');
  router.places.set('vr-c', { point: [0, 4, 0], heightMs: 2, error: 0.6 });
  assert.equal(await between(), 40, 'one that is in doubt of its place');
  router.places.set('vr-c', { point: [0, 4, 0], heightMs: 2, error: 0.2 });
  assert.equal(await between(), 5 + 1 + 2, 'by their places');
  router.places.set('vr-c', { point: [0, 400, 0], heightMs: 2, error: 0.2 });
  assert.equal(await between(), 40, 'never more than by way of vr-a');
});

test('rest and return: moves of before count', async (t) => {
  const { router, moves } = await startPair(t);
  router.moveTo('10.1.0.1', 'vr-c', 'accepted', 0.5 * HOUR_MS);
  assert.deepEqual(await moves(), [], 'it rests for an hour');
  router.moved = router.moved.map((move) => ({ ...move, startedUnixMs: Date.parse(NOW) - 2 * HOUR_MS }));
  assert.deepEqual(await moves(), ['10.1.0.1 vr-c>vr-b']);
  const startedUnixMs = Date.parse(NOW) - 20 * HOUR_MS;
  router.moved = router.moved.map((move) => ({ ...move, startedUnixMs, from: 'vr-b' }));
  assert.deepEqual(await moves(), [], 'it does not go back within the horizon');
  assert.deepEqual(await moves(['--horizon', '20h']), ['10.1.0.1 vr-c>vr-b']);
});

test('what is not known is said: bytes without a pair, routers that are silent', async (t) => {
  const { router, report } = await startPair(t);
  router.share = 0.9;
  router.silent = ['vr-c'];
  assert.deepEqual((await report()).notes, [
    '90.0 % of the bytes are known by their pair of nodes, the rest is not taken into account',
    'these routers have not said what they counted: vr-c',
  ]);
});

test('the description that runs counts where it is signed', async (t) => {
  const { router, moves, directory } = await startPair(t);
  const networks = GNDT.networks.map((network) =>
    network.router === 'vr-a' ? { ...network, mobility: { allow: ['vr-c'] } } : network,
  );
  const content = Buffer.from(JSON.stringify({ ...GNDT, version: 2, networks }));
  router.document = joinDocument({ signature: new Uint8Array(64), content });
  assert.deepEqual(await moves(), []);
  writeFileSync(join(directory, 'gndt.json'), 'not read');
  assert.deepEqual(await moves(), []);
});

test('files that cannot be used, and options that make no sense', async (t) => {
  const { advice, file, directory } = await startPair(t);
  file({ sites: [{ id: 'vr-q' }] });
  const refused = await advice();
  assert.equal(refused.status, 1);
  assert.match(refused.err, /advice\.json: sites\[0\]\.id: "vr-q" is not a site in gndt\.json/);
  const nowhere = await advice(['--config', join(directory, 'none')]);
  assert.deepEqual(
    [nowhere.status, /there is no .*none\/gndt\.json: name its directory/.test(nowhere.err)],
    [1, true],
  );
  for (const argv of [
    ['--objective', 'fun'],
    ['--horizon', '30m'],
    ['--horizon', '400d'],
    ['--last', '0'],
  ])
    assert.equal((await advice(argv)).status, 2, argv.join(' '));
});

/** A clock that only sleeping moves. */
function slowly(): Pick<Options, 'nowMs' | 'sleep'> {
  let nowMs = Date.parse(NOW);
  return {
    nowMs: () => nowMs,
    sleep: async (ms) => {
      nowMs += ms;
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

async function startThree(t: TestContext): Promise<World> {
  const world = await startPair(t);
  for (const n of [2, 3]) {
    world.router.add(n, 'vr-a');
    world.router.talks(`10.1.0.${n}`, '10.2.0.9', 40 - n);
  }
  return world;
}

test('--execute-with: one command after the other, each when the machine before has arrived', async (t) => {
  const { advice, router } = await startThree(t);
  const log: string[] = [];
  const { status, out, err } = await advice(
    ['--execute-with', 'migrate {node} {site} from {from} {vnet}/{mac}'],
    {
      ...slowly(),
      run: async (command) => {
        log.push(command);
        const [, node = '', site = ''] = command.split(' ');
        // The routers hear of it a moment after the command has ended.
        setImmediate(() => setImmediate(() => router.moveTo(node, site, 'accepted')));
        return 0;
      },
    },
  );
  assert.deepEqual([status, err], [0, '']);
  assert.deepEqual(log, [
    'migrate 10.1.0.1 vr-b from vr-a blue/52:54:00:00:01:01',
    'migrate 10.1.0.2 vr-b from vr-a blue/52:54:00:00:01:02',
    'migrate 10.1.0.3 vr-b from vr-a blue/52:54:00:00:01:03',
  ]);
  assert.equal(out.match(/^10\.1\.0\.\d -> vr-b: arrived after \d+\.\d s$/gm)?.length, 3);
  assert.deepEqual(
    router.rows.map(({ router: site }) => site),
    ['vr-b', 'vr-b', 'vr-b', 'vr-b'],
  );
});

test('--execute-with --json: the advice, then a line for each thing that happens', async (t) => {
  const { advice, router } = await startPair(t);
  const { out } = await advice(['--json', '--execute-with', 'go {node} {site}'], {
    run: async () => {
      router.moveTo('10.1.0.1', 'vr-b', 'accepted');
      return 0;
    },
  });
  const [first, ...rest] = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(first.steps.length, 1);
  assert.deepEqual(rest, [
    { node: '10.1.0.1', site: 'vr-b', command: 'go 10.1.0.1 vr-b' },
    { node: '10.1.0.1', site: 'vr-b', arrivedAfterMs: 0 },
  ]);
});

const FAILURES: readonly [string, (router: AdviceRouter) => number, RegExp][] = [
  [
    'its command fails',
    () => 3,
    /10\.1\.0\.2 was not moved: the command ended with status 3; 1 of 3 moves were made/,
  ],
  [
    'it never arrives',
    () => 0,
    /10\.1\.0\.2 has not been seen at vr-b within 300 s of the command's end; 1 of 3/,
  ],
  [
    'it arrives elsewhere',
    (router) => Number(router.moveTo('10.1.0.2', 'vr-c', 'accepted') === undefined),
    /10\.1\.0\.2 has arrived at vr-c, and not at vr-b; 1 of 3/,
  ],
  [
    'its move is undone',
    (router) => Number(router.moveTo('10.1.0.2', 'vr-b', 'undone') === undefined),
    /10\.1\.0\.2 is not believed to be at vr-b: its move was undone \(it answers at its old place\); 1 of 3/,
  ],
];
for (const [what, second, message] of FAILURES)
  test(`--execute-with ends at the first failure: ${what}`, async (t) => {
    const { advice, router } = await startThree(t);
    let commands = 0;
    const { status, err } = await advice(['--execute-with', 'go {node} {site}'], {
      ...slowly(),
      run: async () => {
        commands++;
        if (commands > 1) return second(router);
        router.moveTo('10.1.0.1', 'vr-b', 'accepted');
        return 0;
      },
    });
    assert.equal(status, 1);
    assert.match(err, message);
    assert.equal(commands, 2);
  });

test('--execute-with: who has gone somewhere else meanwhile is not moved', async (t) => {
  const { advice, router } = await startThree(t);
  const { status, err } = await advice(['--execute-with', 'go {node} {site}'], {
    run: async () => {
      router.moveTo('10.1.0.1', 'vr-b', 'accepted');
      router.moveTo('10.1.0.2', 'vr-c', 'accepted');
      return 0;
    },
  });
  assert.equal(status, 1);
  assert.match(err, /10\.1\.0\.2 is at vr-c meanwhile, not at vr-a: ask for another advice; 1 of 3/);
});

test('--execute-with: a router that has forgotten its moves knows where nodes are', async (t) => {
  const { advice, router } = await startPair(t);
  const { status } = await advice(['--execute-with', 'go {node} {site}'], {
    ...slowly(),
    run: async () => {
      router.moveTo('10.1.0.1', 'vr-b', 'accepted');
      router.moved = [];
      return 0;
    },
  });
  assert.equal(status, 0);
});

test('--execute-with: Ctrl-C ends the waiting', async (t) => {
  const { advice } = await startPair(t);
  const { status, err } = await advice(['--execute-with', 'go {node} {site}'], {
    run: async () => 0,
    onOutput: (out, interrupt) => {
      if (out.includes('go 10.1.0.1')) interrupt();
    },
  });
  assert.equal(status, 1);
  assert.match(err, /is not seen at its new site yet, and nobody waits for it any more/);
});

test('--execute-with: a command that cannot say what moves where is refused before anything is asked', async (t) => {
  const { advice, router } = await startPair(t);
  for (const command of ['migrate {node}', 'migrate {site}', '']) {
    const { status, err } = await advice(['--execute-with', command]);
    assert.equal(status, 2);
    assert.match(err, /the command of --execute-with has no \{(node|site)\}/);
  }
  assert.deepEqual(router.asked, []);
});

test('--execute-with: a shell runs the command', async (t) => {
  const { advice, directory, router } = await startPair(t);
  const file = join(directory, 'done');
  const { status } = await advice(['--execute-with', `echo "{node} to {site}" > ${file}; exit 0`], {
    sleep: async () => {
      if (router.moved.length === 0) router.moveTo('10.1.0.1', 'vr-b', 'accepted');
    },
  });
  assert.equal(status, 0);
  assert.equal(readFileSync(file, 'utf8'), '10.1.0.1 to vr-b\n');
  router.rows = router.rows.map((row) => (row.ip === '10.1.0.1' ? { ...row, router: 'vr-a' } : row));
  router.moved = [];
  const failed = await advice(['--execute-with', 'kill -TERM $$ # {node} {site}']);
  assert.match(failed.err, /the command ended with status 143/);
});

test('where nothing has a price nothing is advised for the cost', async (t) => {
  const { moves } = await startPair(t);
  assert.deepEqual(await moves(['--objective', 'cost']), []);
});
