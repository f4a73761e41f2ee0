/** What `vinectl advice` says of live traffic is done by an operator's command, and is well: every connection goes on. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AdviceView } from '../../src/control/advice-view.js';
import type { TrafficView } from '../../src/control/traffic-view.js';
import { controlSocket, routerDirectory } from '../lab/configuration.js';
import { projectRoot } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import type { SiteLetter } from '../lab/plan.js';
import { run } from '../lab/shell.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { hostAddress, moverAddress } from './families.js';
import { cannotRun, untilKnownAt, withLab } from './support.js';

const bytesPerSecond = 300_000;
/** A period has to end with all streams in it, and each move waits for the routers. */
const limitMs = 120_000;

/** Who talks with whom: each node that moves with a host of another site. */
const pairs = [
  ['b1', 'vm'],
  ['c1', 'vm20'],
  ['a1', 'vmb'],
] as const;
const after = { vm: 'b', vm20: 'c', vmb: 'a' } as const;

function advice(lab: Lab, args: readonly string[]) {
  const at = ['--socket', controlSocket(lab.directory, 'a'), '--config', routerDirectory(lab.directory, 'a')];
  return run([`${projectRoot}bin/vinectl`, 'advice', '--json', '--last', '30s', ...at, ...args], {
    timeoutMs: limitMs,
  });
}

/** As a hypervisor would: the lab's own command. */
function moveCommand(lab: Lab): string {
  return `${process.execPath} ${projectRoot}dist/test/lab/cli.js move --name ${lab.name} {node} {site}`;
}

/** The hosts are of metal, and what moves is small. */
function writeAdviceFile(lab: Lab, more: object = {}): void {
  const hosts = lab.plan.sites.flatMap(({ letter }) => [`${letter}1`, `${letter}2`]);
  const machines = hosts.map((host) => ({ ip: hostAddress(lab, host, 4), pinned: true }));
  const content = { machines, assume: { memoryMib: 64, dirtyMibPerSecond: 1 }, ...more };
  writeFileSync(join(routerDirectory(lab.directory, 'a'), 'advice.json'), JSON.stringify(content));
}

/** Until one has ended in which each of so many connections sent enough both ways. */
function untilPeriodHas(lab: Lab, connections: number, rate: number): Promise<unknown> {
  return waitFor(
    'a period with all of it has ended',
    async () => {
      const view = await lab.daemon('a').get<TrafficView>('/v1/traffic?last=30&top=100');
      const rows = view.parts[0]?.rows ?? [];
      // Busy machines send less than they are to.
      const whole = rows.filter(({ bytes }) => bytes > 0.2 * 30 * rate);
      if (view.partial || whole.length < 2 * connections)
        throw new Error(
          JSON.stringify({ partial: view.partial, missing: view.missing, lacking: view.lacking, rows }),
        );
      return true;
    },
    limitMs,
  );
}

const movesOf = (report: AdviceView) => report.steps.flatMap(({ moves }) => moves);

/** Does what is advised. */
async function follow(lab: Lab): Promise<AdviceView> {
  const { status, stdout, stderr } = await advice(lab, ['--execute-with', moveCommand(lab)]);
  assert.equal(status, 0, stderr);
  const [first = ''] = stdout.split('\n');
  return JSON.parse(first) as AdviceView;
}

test('the lab moves its nodes as is advised, and then nothing more is', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'three-site', moreVms: 1, wanDelayMs: 5 }, async (lab) => {
    writeAdviceFile(lab);
    for (const [node, site] of [
      ['vm', 'a'],
      ['vm20', 'a'],
      ['vmb', 'b'],
    ] as const)
      await untilKnownAt(lab, 'a', moverAddress(lab, node, 4), site);
    const streams: TcpStream[] = [];
    for (const [host, node] of pairs)
      streams.push(await TcpStream.open(lab, host, node, moverAddress(lab, node, 4), bytesPerSecond));
    await untilPeriodHas(lab, pairs.length, bytesPerSecond);
    const report = await follow(lab);
    const moves = movesOf(report).map(({ ips, to }) => `${ips.join()} ${to}`);
    t.diagnostic(
      `${(report.now.bytes / 1e9).toFixed(1)} GB a day between sites, then ${(report.after.bytes / 1e9).toFixed(3)}`,
    );
    for (const [node, site] of Object.entries(after)) {
      const ip = moverAddress(lab, node, 4);
      assert.ok(
        moves.some((move) => move.includes(ip) && move.endsWith(` vr-${site}`)),
        `${node}: ${moves.join('; ')}`,
      );
      for (const { letter } of lab.plan.sites) await untilKnownAt(lab, letter, ip, site);
    }
    assert.equal(moves.length, Object.keys(after).length);
    assert.ok(report.after.bytes < 0.01 * report.now.bytes);
    for (const stream of streams) await stream.progress(bytesPerSecond);
    for (const stream of streams) await stream.finish(); // throws when a byte is lost, doubled or changed
    const again = JSON.parse((await advice(lab, [])).stdout) as AdviceView;
    assert.deepEqual(again.steps, [], 'who has just moved rests');
  }),
);

/** Nodes that talk with each other, each at another site. */
const groups = [
  { vm: 'a', vmb: 'b', vm20: 'c' },
  { vm21: 'a', vm22: 'b', vm23: 'c' },
] as const satisfies readonly Readonly<Record<string, SiteLetter>>[];
const groupRate = 100_000;

test('two groups that are scattered over three sites are each put together', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'three-site', moreVms: 4, wanDelayMs: 5 }, async (lab) => {
    // They have just moved there, which is no reason to rest; where they came from they do not go back to.
    writeAdviceFile(lab, { restMinutes: 0 });
    for (const [node, site] of groups.flatMap((group) => Object.entries(group))) {
      const home = lab.mover(node).home;
      await untilKnownAt(lab, home, moverAddress(lab, node, 4), home);
      if (site !== home) await lab.move(node, site, { announce: 'rarp' });
      for (const { letter } of lab.plan.sites)
        await untilKnownAt(lab, letter, moverAddress(lab, node, 4), site);
    }
    const streams: TcpStream[] = [];
    for (const group of groups) {
      const nodes = Object.keys(group);
      for (const [i, to] of nodes.entries())
        for (const from of nodes.slice(0, i))
          streams.push(await TcpStream.open(lab, from, to, moverAddress(lab, to, 4), groupRate));
    }
    await untilPeriodHas(lab, streams.length, groupRate);
    const before = await tunnelRate(lab);
    const report = await follow(lab);
    const places = new Map<string, string>(groups.flatMap((group) => Object.entries(group)));
    for (const { ips, to } of movesOf(report)) {
      const node = lab.plan.movers.find(({ ipv4 }) => ips.includes(ipv4))?.name ?? '';
      places.set(node, to.replace('vr-', ''));
    }
    for (const group of groups) {
      const sites = Object.keys(group).map((node) => places.get(node));
      assert.equal(new Set(sites).size, 1, `${Object.keys(group)}: ${sites}`);
    }
    assert.equal(movesOf(report).length, 4, 'two of each group come to the third');
    for (const [node, site] of places)
      for (const { letter } of lab.plan.sites)
        await untilKnownAt(lab, letter, moverAddress(lab, node, 4), site as SiteLetter);
    assert.ok(report.after.bytes < 0.01 * report.now.bytes);
    for (const stream of streams) await stream.progress(groupRate);
    const after = await tunnelRate(lab);
    t.diagnostic(`${Math.round(before / 1_000)} kB/s between the sites, then ${Math.round(after / 1_000)}`);
    assert.ok(after < before / 10, `${after} of ${before} bytes/s`);
    for (const stream of streams) await stream.finish(); // throws when a byte is lost, doubled or changed
  }),
);

/** Bytes a second that all routers send each other. */
async function tunnelRate(lab: Lab): Promise<number> {
  const total = async (): Promise<number> => {
    const peers = await Promise.all(lab.plan.sites.map(({ letter }) => lab.daemon(letter).peers()));
    return peers.flat().reduce((sum, { bytesSent }) => sum + bytesSent, 0);
  };
  const [bytes, beganMs] = [await total(), performance.now()];
  await sleep(3_000);
  return (1_000 * ((await total()) - bytes)) / (performance.now() - beganMs);
}
