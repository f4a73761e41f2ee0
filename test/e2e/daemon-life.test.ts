/** Stopping `vined`: in order within a second and with its state saved; killed, without harm to its machine. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RouteView } from '../../src/control/api.js';
import type { Lab } from '../lab/lab.js';
import { waitFor } from '../lab/wait.js';
import { cannotRun, ping, untilKnownAt, withLab } from './support.js';

const vm = '10.1.0.9';
const stopLimitMs = 1_000;

/** All that a router could leave in its machine's kernel. */
async function kernelState(lab: Lab, node: string): Promise<Record<string, string>> {
  const look = (command: readonly string[]): Promise<string> => lab.exec(node, command);
  return {
    interfaces: await look(['ip', '-br', 'link']),
    addresses: await look(['ip', '-br', 'addr']),
    routes: (await look(['ip', 'route', 'show', 'table', 'all'])) + (await look(['ip', '-6', 'route'])),
    rules: await look(['ip', 'rule']),
    proxies: await look(['ip', 'neigh', 'show', 'proxy']),
    filters: await look(['nft', 'list', 'ruleset']),
    forwarding: await look(['sysctl', 'net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding']),
  };
}

/** The hosts of its LAN still talk to each other. */
async function lanIsUsable(lab: Lab): Promise<void> {
  await ping(lab, 'a1', '10.1.0.12');
  await ping(lab, 'a2', vm);
}

async function backAgain(lab: Lab): Promise<void> {
  lab.daemon('a').start();
  await lab.waitConnected();
  await ping(lab, 'a1', '10.2.0.11');
}

test(
  'SIGTERM: stopped within a second, state saved, LAN usable, and it comes back',
  { skip: cannotRun },
  (t) =>
    withLab(t, { topology: 'two-site', wanDelayMs: 5 }, async (lab) => {
      await untilKnownAt(lab, 'b', vm, 'a');
      const daemon = lab.daemon('a');
      const tookMs = await daemon.kill('SIGTERM');
      t.diagnostic(`stopped in ${Math.round(tookMs)} ms`);
      assert.ok(tookMs < stopLimitMs, `it took ${Math.round(tookMs)} ms`);
      const saved = readFileSync(join(daemon.directory, 'state', 'directory.json'), 'utf8');
      assert.ok(saved.includes(vm), 'the saved state does not hold its node');
      await lanIsUsable(lab);
      await backAgain(lab);
    }),
);

test('SIGKILL: nothing harmful is left in the kernel, and it comes back', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site', daemons: false }, async (lab) => {
    const before = await kernelState(lab, 'vr-a');
    for (const site of ['a', 'b'] as const) lab.daemon(site).start();
    await lab.waitConnected();
    await ping(lab, 'a1', '10.2.0.11');
    await lab.daemon('a').kill('SIGKILL');
    // The process that holds the rules ends when it sees that the router has.
    await waitFor('the rules have gone with the router', async () => {
      return (await lab.exec('vr-a', ['nft', 'list', 'ruleset'])) === before.filters;
    });
    assert.deepEqual(await kernelState(lab, 'vr-a'), before);
    await lanIsUsable(lab);
    await backAgain(lab);
    const state = readdirSync(join(lab.daemon('a').directory, 'state'));
    assert.ok(!state.some((name) => name.includes('corrupt')), `state: ${state.join(' ')}`);
  }),
);

/** A line of the state file. */
function stateLine(ip: string, router: string, seq: number, stamp: number): string {
  const mac = '52:54:00:00:00:77';
  return JSON.stringify({ vnet: 1, ip, mac, router, seq, state: 'here', stamp });
}

test(
  'a state file with strangers and impossible numbers: left out, reported, never back',
  { skip: cannotRun },
  (t) =>
    withLab(t, { topology: 'two-site', daemons: false }, async (lab) => {
      const directory = join(lab.daemon('a').directory, 'state');
      const file = join(directory, 'directory.json');
      const lines = [
        stateLine('10.1.0.77', 'vr-gone', 9, 1_767_225_600_000_000),
        stateLine('10.1.0.78', 'vr-a', Number.MAX_SAFE_INTEGER, 1_767_225_600_000_000),
        stateLine('127.0.0.1', 'vr-a', 1, 1_767_225_600_000_000),
        stateLine('10.1.0.12', 'vr-a', 3, 2 ** 52),
      ];
      writeFileSync(file, `{ "version": 1, "records": [\n${lines.join(',\n')}\n] }\n`);
      for (const site of ['a', 'b'] as const) lab.daemon(site).start();
      await lab.waitConnected();
      const warnings = (await lab.daemon('a').status()).warnings.join('\n');
      assert.match(
        warnings,
        /2 of 4 records left out: records\[1\] \(10\.1\.0\.78\): seq.*records\[2\] \(127\.0\.0\.1\)/,
      );
      assert.ok(
        readdirSync(directory).some((name) => name.includes('corrupt')),
        'no copy is kept',
      );
      await waitFor('the file holds neither', () => {
        const text = readFileSync(file, 'utf8');
        return !/10\.1\.0\.7[78]/.test(text);
      });
      // The stamp at the end of its range does not keep this router from saying where the node is.
      await untilKnownAt(lab, 'b', '10.1.0.12', 'a');
      await untilKnownAt(lab, 'b', vm, 'a');
      await ping(lab, 'a1', '10.2.0.11');
    }),
);

/** The moments of a start at which a signal may come: each is a state that its API shows. */
const MOMENTS = [
  { name: 'when its control socket is there', workers: 0 },
  { name: 'while it waits for what its peers know', workers: 1 },
] as const;

for (const { name, workers } of MOMENTS) {
  test(`SIGTERM ${name}: it ends at once, and never says that it is ready`, { skip: cannotRun }, (t) =>
    withLab(t, { topology: 'two-site', daemons: false }, async (lab) => {
      const daemon = lab.daemon('a');
      daemon.start();
      // Its peer is not there, so that it waits for it for two seconds.
      await waitFor('the daemon starts', async () => (await daemon.status()).workers.length >= workers);
      assert.equal((await daemon.status()).ready, false);
      const tookMs = await daemon.kill('SIGTERM');
      t.diagnostic(`stopped in ${Math.round(tookMs)} ms`);
      assert.ok(tookMs < stopLimitMs, `it took ${Math.round(tookMs)} ms`);
      const log = daemon.logTail(1_000);
      assert.match(log, /"event":"stopping"/);
      assert.doesNotMatch(log, /"event":"ready"/);
      assert.doesNotMatch(log, /"event":"failed"/);
    }),
  );
}

test('addresses that its LAN interface gets and loses while it runs', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site', wanDelayMs: 1 }, async (lab) => {
    const route = async (ip: string): Promise<RouteView> =>
      lab.daemon('a').get<RouteView>(`/v1/route?vnet=blue&ip=${ip}`);
    const lan = (await lab.daemon('a').status()).lans[0]?.interface ?? assert.fail();
    for (const address of ['10.1.0.77/24', 'fd00:1::77/64']) {
      const ip = address.split('/')[0] ?? assert.fail();
      assert.notEqual((await route(ip)).action, 'own');
      await lab.exec('vr-a', ['ip', 'addr', 'add', address, 'dev', lan]);
      await waitFor(`${ip} is its own`, async () => (await route(ip)).action === 'own');
      await lab.exec('vr-a', ['ip', 'addr', 'del', address, 'dev', lan]);
      await waitFor(`${ip} is not any more`, async () => (await route(ip)).action !== 'own');
    }
    // Down, it keeps its addresses: what is there when it is up again has not changed.
    const own = (await lab.exec('vr-a', ['ip', '-4', '-br', 'addr', 'show', lan])).match(
      /10\.1\.0\.\d+/,
    )?.[0];
    await lab.exec('vr-a', ['ip', 'link', 'set', lan, 'down']);
    await lab.exec('vr-a', ['ip', 'link', 'set', lan, 'up']);
    await ping(lab, 'a1', '10.2.0.11');
    assert.equal((await route(own ?? '')).action, 'own');
  }),
);

test(
  'a LAN interface gets another MAC: it ends and says why, since nothing that it has opened fits any more',
  {
    skip: cannotRun,
  },
  (t) =>
    withLab(t, { topology: 'two-site', wanDelayMs: 1 }, async (lab) => {
      const daemon = lab.daemon('a');
      const lan = (await daemon.status()).lans[0]?.interface ?? assert.fail();
      await lab.exec('vr-a', ['ip', 'link', 'set', lan, 'address', '02:00:00:00:77:77']);
      await waitFor('it has ended', () => !daemon.running);
      assert.match(daemon.logTail(), /has another MAC than at the start/);
      daemon.start();
      await lab.waitConnected();
      assert.equal((await daemon.status()).lans[0]?.mac, '02:00:00:00:77:77');
      await ping(lab, 'a1', '10.2.0.11');
    }),
);
