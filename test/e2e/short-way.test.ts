/**
 * The first half of docs/handbook.md on three fresh roots under real systemd: the package, one command for the first site, a
 * token and a command for each other one. What is measured: from `join` to the first ping between two machines of the sites.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lab } from '../lab/lab.js';
import { bootGateways } from '../lab/machine/gateways.js';
import type { CommandBlock } from '../lab/machine/handbook.js';
import { noMachine } from '../lab/machine/machine.js';
import { gatewayName, handbookParts, Reader } from './handbook-support.js';
import { round, withLab } from './support.js';

/** The machine may have much else to do; the figure is in the diagnostic. */
const firstPingLimitMs = 30_000;
const files = 'sha256sum /etc/vine/*';

/** Resolves at the first answer. */
async function firstPing(lab: Lab, { from, to }: { from: string; to: string }): Promise<void> {
  const tries = `for i in $(seq 400); do ping -q -n -c 1 -W 0.1 ${to} >/dev/null 2>&1 && exit 0; sleep 0.02; done; exit 1`;
  await lab.exec(from, ['bash', '-c', tries]);
}

/** The block makes its machine a router. @returns the milliseconds from its start to the first ping, and to its end */
async function joins(reader: Reader, block: CommandBlock): Promise<{ pingMs: number; endMs: number }> {
  const { pings } = block;
  assert.ok(pings !== undefined);
  const startedMs = performance.now();
  const since = (): number => performance.now() - startedMs;
  const [pingMs, endMs] = await Promise.all([
    firstPing(reader.lab, pings).then(since),
    reader.follow(block).then(since),
  ]);
  return { pingMs, endMs };
}

test(
  'the handbook’s short way: three sites with a command for each, and no file edited',
  { skip: noMachine('bookworm') || noMachine('trixie') },
  (t) =>
    withLab(t, { topology: 'three-site', daemons: false, wanDelayMs: 5 }, async (lab) => {
      const { shortWay } = handbookParts();
      const joining = shortWay.filter(({ pings }) => pings !== undefined);
      assert.equal(joining.length, 2, 'two sites join');
      const gateways = await bootGateways(lab, {
        nameOf: gatewayName,
        suiteOf: (id) => (id === 'vr-c' ? 'trixie' : 'bookworm'),
      });
      const reader = new Reader(lab, gateways);
      const first = reader.gateway('gateway-a');
      try {
        let before = '';
        for (const block of shortWay) {
          if (block.pings === undefined) {
            await reader.follow(block);
            continue;
          }
          before ||= await first.sh(files);
          const { pingMs, endMs } = await joins(reader, block);
          t.diagnostic(
            `${block.machines[0]}: first ping from ${block.pings.from} to ${block.pings.to} ${round(pingMs)} ms after join began; it ended after ${round(endMs)} ms`,
          );
          assert.ok(pingMs < firstPingLimitMs, `${round(pingMs)} ms`);
          assert.equal(await first.sh(files), before, 'a file of the first router was changed');
        }
        t.diagnostic(`${reader.done} blocks`);
      } catch (error) {
        t.diagnostic(await gateways.report());
        throw error;
      }
    }),
);
