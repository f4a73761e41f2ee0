/** What `vinectl advice` says of live traffic is done by an operator's command, and is well: every connection goes on. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AdviceReport } from '../../src/cli/advice/report.js';
import type { TrafficView } from '../../src/control/traffic-view.js';
import { controlSocket, routerDirectory } from '../lab/configuration.js';
import { projectRoot } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
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

/** As a hypervisor would: the lab's own command, by the nodes' names. */
function moveCommand(lab: Lab): string {
  const names = Object.keys(after).map((node) => `${moverAddress(lab, node, 4)}) node=${node};;`);
  return `case {node} in ${names.join(' ')} esac; site={site}; \
${process.execPath} ${projectRoot}dist/test/lab/cli.js move --name ${lab.name} $node $\{site#vr-}`;
}

test('the lab moves its nodes as is advised, and then nothing more is', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'three-site', moreVms: 1, wanDelayMs: 5 }, async (lab) => {
    // The hosts are of metal, and what moves is small.
    writeFileSync(
      join(routerDirectory(lab.directory, 'a'), 'advice.json'),
      JSON.stringify({
        machines: [
          ...['a1', 'a2', 'b1', 'b2', 'c1', 'c2'].map((host) => ({
            ip: hostAddress(lab, host, 4),
            pinned: true,
          })),
        ],
        assume: { memoryMib: 64, dirtyMibPerSecond: 1 },
      }),
    );
    for (const [node, site] of [
      ['vm', 'a'],
      ['vm20', 'a'],
      ['vmb', 'b'],
    ] as const)
      await untilKnownAt(lab, 'a', moverAddress(lab, node, 4), site);
    const streams: TcpStream[] = [];
    for (const [host, node] of pairs)
      streams.push(await TcpStream.open(lab, host, node, moverAddress(lab, node, 4), bytesPerSecond));
    await waitFor(
      'a period with all of it has ended',
      async () => {
        const view = await lab.daemon('a').get<TrafficView>('/v1/traffic?last=30&top=100');
        const rows = view.parts[0]?.rows ?? [];
        // Busy machines send less than they are to.
        const whole = rows.filter(({ bytes }) => bytes > 0.2 * 30 * bytesPerSecond);
        if (view.partial || whole.length < 2 * pairs.length)
          throw new Error(
            JSON.stringify({ partial: view.partial, missing: view.missing, lacking: view.lacking, rows }),
          );
        return true;
      },
      limitMs,
    );
    const began = await advice(lab, ['--execute-with', moveCommand(lab)]);
    assert.equal(began.status, 0, began.stderr);
    const [first = ''] = began.stdout.split('\n');
    const report = JSON.parse(first) as AdviceReport;
    const moves = report.steps.flatMap((step) => step.moves.map(({ ips, to }) => `${ips.join()} ${to}`));
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
    const again = JSON.parse((await advice(lab, [])).stdout) as AdviceReport;
    assert.deepEqual(again.steps, [], 'who has just moved rests');
  }),
);
