/** Two packet workers in each direction: everything is as with one, and nothing is lost or overtaken between them. */
import assert from 'node:assert/strict';
import { cpSync, lstatSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { projectRoot } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import { TcpFlows } from '../lab/traffic/tcp-flows.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { readConfig, writeConfig } from './reload-support.js';
import { cannotRun, ping, withLab } from './support.js';

const NAMES = ['lan-to-tunnel-1', 'lan-to-tunnel-2', 'tunnel-to-lan-1', 'tunnel-to-lan-2'];
const FLOWS = 60;

async function packetsOf(lab: Lab, site: 'a' | 'b'): Promise<Map<string, number>> {
  const { workers } = await lab.daemon(site).status();
  return new Map(workers.map(({ name, packets }) => [name, packets]));
}

test('many flows: shared by the workers, and none loses a byte', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site', workers: 2 }, async (lab) => {
    for (const site of ['a', 'b'] as const)
      assert.deepEqual([...(await packetsOf(lab, site)).keys()].sort(), NAMES);
    for (const address of ['10.2.0.11', 'fd00:2::11']) await ping(lab, 'a1', address);
    const before = await packetsOf(lab, 'a');
    const flows = await TcpFlows.open(lab, 'a1', 'b1', '10.2.0.11', FLOWS);
    await flows.progress(20_000, 30_000);
    const { broken, stallMs } = await flows.finish();
    assert.deepEqual(broken, []);
    t.diagnostic(`${FLOWS} connections, longest gap ${Math.round(Math.max(...stallMs))} ms`);
    const after = await packetsOf(lab, 'a');
    for (const name of NAMES.slice(0, 2)) {
      const grown = (after.get(name) ?? 0) - (before.get(name) ?? 0);
      t.diagnostic(`${name}: ${grown} packets`);
      assert.ok(grown > 100, `${name} has had ${grown} packets`);
    }
    const output = await lab.exec('a1', ['ping', '-q', '-f', '-c', '5000', '10.2.0.11']);
    assert.match(output, /5000 packets transmitted, 5000 received/);
    const counters = await lab.daemon('b').counters();
    for (const name of ['messages_replayed', 'messages_not_authentic', 'messages_malformed'])
      assert.equal(counters[name], 0, name);
    await numberIsFixed(lab);
    await portIsTaken(lab);
    await ping(lab, 'a1', '10.2.0.11');
  }),
);

async function numberIsFixed(lab: Lab): Promise<void> {
  const daemon = lab.daemon('a');
  const router = readConfig(daemon, 'router');
  writeConfig(daemon, 'router', { ...router, workers: 3 });
  await assert.rejects(
    lab.vinectl('a', ['reload']),
    /workers: the number of packet workers cannot change while the router runs; restart it/,
  );
  writeConfig(daemon, 'router', router);
}

/** That of the workers is shared among them alone: a second router on the machine, of the same user, is refused it. */
async function portIsTaken(lab: Lab): Promise<void> {
  const daemon = lab.daemon('a');
  const directory = `${daemon.directory}-second`;
  // Its sockets cannot be copied, and need not be.
  cpSync(daemon.directory, directory, { recursive: true, filter: (path) => !lstatSync(path).isSocket() });
  const router = readConfig(daemon, 'router');
  const own = { stateDir: `${directory}/state`, control: { socket: `${directory}/control.sock` } };
  writeFileSync(`${directory}/router.json`, JSON.stringify({ ...router, ...own }));
  await assert.rejects(
    lab.exec('vr-a', [`${projectRoot}bin/vined`, '--config', directory]),
    /cannot open udp:.*EADDRINUSE/,
  );
}

test('messages over TCP while UDP is blocked', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site', tcp: true, workers: 2, daemons: false }, async (lab) => {
    const times = ['--test-times', JSON.stringify({ pathProbeMs: 3_000, streamProofMs: 2_000 })];
    for (const { letter } of lab.plan.sites) lab.daemon(letter).start([], times);
    await lab.waitConnected();
    const stream = await TcpStream.open(lab, 'a1', 'b1', '10.2.0.11');
    await stream.progress(200_000);
    const cut =
      'table inet cut { chain in { type filter hook input priority 0; iifname "wan0" meta l4proto udp drop; }; }';
    await lab.exec('vr-a', ['nft', cut]);
    const byTcp = async (): Promise<boolean> =>
      (await lab.daemon('a').peers()).every((peer) => peer.state === 'up' && peer.transport === 'tcp');
    await waitFor('it goes by TCP', byTcp, 30_000);
    await stream.progress(300_000, 60_000);
    await stream.finish();
  }),
);
