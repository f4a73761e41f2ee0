/** The real thing: a QEMU guest with open TCP connections is live-migrated from site a to b, on to c, and home. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MigrationView } from '../../src/control/api.js';
import { Guest } from '../lab/qemu/guest.js';
import { EchoStream } from '../lab/traffic/traffic.js';
import { pause } from '../lab/wait.js';
import { cannotRun, round, untilKnownAt, withLab } from './support.js';

const wanDelayMs = 20;
const bytesBetween = 50_000;

for (const guestAnnounce of [true, false]) {
  const how = guestAnnounce ? 'hypervisor and guest announce' : 'only the hypervisor announces (RARP)';
  test(
    `a live-migrated guest keeps its connections: ${how}`,
    { skip: cannotRun || (Guest.missing() ?? false) },
    (t) =>
      withLab(t, { topology: 'three-site', wanDelayMs }, async (lab) => {
        const task = Guest.task(lab);
        const address = lab.plan.guest.ipv4;
        const guest = await Guest.boot(lab, 'a', { ...task, guestAnnounce });
        const streams = [
          await EchoStream.open(lab, 'a1', address, task.echoPort),
          await EchoStream.open(lab, 'b1', address, task.echoPort),
          await EchoStream.open(lab, 'outside', address, task.echoPort),
        ];
        for (const { letter } of lab.plan.sites) await untilKnownAt(lab, letter, address, 'a');
        for (const to of ['b', 'c', 'a'] as const) {
          await Promise.all(streams.map((stream) => stream.progress(bytesBetween)));
          for (const stream of streams) await stream.mark();
          const { downtimeMs, totalMs } = await guest.migrate(to);
          await Promise.all(streams.map((stream) => stream.progress(bytesBetween)));
          for (const { letter } of lab.plan.sites) await untilKnownAt(lab, letter, address, to);
          t.diagnostic(`to site ${to}: migrated in ${totalMs} ms, hypervisor downtime ${downtimeMs} ms`);
          for (const { name, gapMs } of streams)
            t.diagnostic(`to site ${to}: ${name}: longest gap ${round(gapMs)} ms`);
          assert.equal(guest.site, to);
        }
        for (const stream of streams) await stream.finish();
        await guest.stop();
      }),
  );
}

const CLOSED_MS = 15_000;

test(
  'a guest that announces nothing, at a port that forwards after 15 s, is found then',
  { skip: cannotRun || (Guest.missing() ?? false) },
  (t) =>
    withLab(t, { topology: 'three-site', wanDelayMs }, async (lab) => {
      const task = Guest.task(lab);
      const address = lab.plan.guest.ipv4;
      const guest = await Guest.boot(lab, 'a', { ...task, guestAnnounce: false });
      const streams = [
        await EchoStream.open(lab, 'a1', address, task.echoPort),
        await EchoStream.open(lab, 'c1', address, task.echoPort),
      ];
      for (const { letter } of lab.plan.sites) await untilKnownAt(lab, letter, address, 'a');
      await Promise.all(streams.map((stream) => stream.progress(bytesBetween)));
      for (const stream of streams) await stream.mark();
      await guest.migrate('b', true);
      await pause(CLOSED_MS);
      const before = await lab.daemon('b').get<readonly MigrationView[]>('/v1/migrations');
      assert.deepEqual(before, [], 'what the hypervisor announced went nowhere');
      const openedMs = performance.now();
      guest.openPort();
      for (const { letter } of lab.plan.sites) await untilKnownAt(lab, letter, address, 'b');
      t.diagnostic(`all routers know ${round(performance.now() - openedMs)} ms after the port forwards`);
      await Promise.all(streams.map((stream) => stream.progress(bytesBetween)));
      for (const { name, gapMs } of streams) t.diagnostic(`${name}: longest gap ${round(gapMs)} ms`);
      for (const stream of streams) await stream.finish();
      await guest.stop();
    }),
);
