/** Real QEMU guests migrate through two couriers, there and home again, with open connections. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { JobView } from '../../src/courier/job/job.js';
import type { Lab } from '../lab/lab.js';
import { Guest } from '../lab/qemu/guest.js';
import { laterQemu, missingLaterQemu } from '../lab/qemu/later.js';
import { EchoStream } from '../lab/traffic/traffic.js';
import { LabCouriers } from './courier-support.js';
import { cannotRun, round, untilKnownAt, withLab } from './support.js';

const bytesBetween = 50_000;
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

function say(
  t: TestContext,
  way: string,
  job: JobView,
  pause: { downtimeMs: number; totalMs: number },
): void {
  const wan = job.wanBytesSent + job.wanBytesReceived;
  t.diagnostic(
    `${way}: ${megabytes(job.streamBytes)} of stream, ${megabytes(wan)} on the WAN (${job.codec}), ` +
      `${job.savedPercent} % saved; ${job.pages} pages, ${job.pagesReferenced} known there, ${job.pagesAskedFor} asked for; ` +
      `${pause.totalMs} ms, downtime ${round(pause.downtimeMs)} ms`,
  );
}

/** `vinectl migrations` at both sites has the job beside the move. */
async function isBesideItsMove(lab: Lab, couriers: LabCouriers, job: JobView): Promise<void> {
  for (const site of ['a', 'b'] as const) {
    const asked = ['migrations', '--last', '1', '--courier', couriers.file(site), '--json'];
    const [move] = JSON.parse(await lab.vinectl(site, asked));
    assert.equal(move.courier?.job, job.job, `at site ${site}`);
    const { startedUnixMs, switchUnixMs, endedUnixMs } = move.courier;
    assert.ok(startedUnixMs < switchUnixMs && switchUnixMs < endedUnixMs, JSON.stringify(move.courier));
    assert.ok(switchUnixMs < move.startedUnixMs, 'the guest is heard of when it has been switched');
  }
}

for (const [version, emulator, missing] of [
  ['7.2', undefined, undefined],
  ['10', laterQemu(), missingLaterQemu()],
] as const)
  test(
    `a guest of QEMU ${version} goes through couriers, and home, and keeps its connections`,
    { skip: cannotRun || (Guest.missing() ?? missing ?? false) },
    (t) =>
      withLab(t, { topology: 'two-site', wanDelayMs: 10 }, async (lab) => {
        const couriers = await LabCouriers.start(lab, ['vm']);
        const task = Guest.task(lab);
        const address = lab.plan.guest.ipv4;
        const guest = await Guest.boot(lab, 'a', {
          ...task,
          takesOrders: true,
          ...(emulator && { emulator }),
        });
        // The guest hashes its own memory: its root has no disk.
        await guest.order('head -c 8m /dev/urandom >/memory; md5sum /memory >/digest');
        const streams = [
          await EchoStream.open(lab, 'a1', address, task.echoPort),
          await EchoStream.open(lab, 'b1', address, task.echoPort),
        ];
        for (const { letter } of lab.plan.sites) await untilKnownAt(lab, letter, address, 'a');
        const saved: number[] = [];
        for (const [from, to] of [
          ['a', 'b'],
          ['b', 'a'],
        ] as const) {
          await Promise.all(streams.map((stream) => stream.progress(bytesBetween)));
          for (const stream of streams) await stream.mark();
          const send = ['courier', 'send', '--vm', 'vm', '--to', `site-${to}`, '--mac', task.mac];
          await lab.vinectl(from, [...send, '--config', couriers.file(from)]);
          // One way with an answer from the destination, one without.
          const through = { ...couriers.through('vm', from), returnPath: from === 'a' };
          const times = await guest.migrate(to, false, through);
          await Promise.all(streams.map((stream) => stream.progress(bytesBetween)));
          for (const { letter } of lab.plan.sites) await untilKnownAt(lab, letter, address, to);
          const { source, destination } = await couriers.last(from);
          say(t, `${from} to ${to}`, source, times);
          assert.equal(source.state, 'complete', source.reason);
          assert.equal(destination.state, 'complete', destination.reason);
          assert.equal(source.sha256, destination.sha256);
          assert.deepEqual([source.identical, destination.identical], [true, true]);
          assert.equal(source.passedBecause, 'device state');
          assert.ok(source.pages > 5_000, 'the pages were looked at');
          await isBesideItsMove(lab, couriers, source);
          saved.push(source.savedPercent);
          await guest.order('md5sum -c /digest >/dev/console');
          assert.match(guest.said, /\/memory: OK/);
        }
        assert.ok((saved[0] ?? 0) >= 50, `${saved[0]} % saved on the way there`);
        assert.ok((saved[1] ?? 0) >= 75, `${saved[1]} % saved on the way home`);
        for (const stream of streams) await stream.finish();
        await guest.stop();
      }),
  );

/** Tens of MB take long enough to be struck in their middle. */
const SLOW = { delayMs: 10, rateMbit: 15 };
/** Of the stream at its destination. What came before a fault is known there afterwards, and comes at once. */
const MIDDLES = [10e6, 25e6, 40e6] as const;

test(
  'a courier killed, or the WAN cut, in the middle of a migration: the guest goes on where it was',
  { skip: cannotRun || (Guest.missing() ?? false) },
  (t) =>
    withLab(t, { topology: 'two-site' }, async (lab) => {
      await lab.wan(SLOW);
      const vms = ['vm1', 'vm2', 'vm3', 'vm4'] as const;
      const couriers = await LabCouriers.start(lab, vms);
      const task = Guest.task(lab);
      const guest = await Guest.boot(lab, 'a', task);
      const stream = await EchoStream.open(lab, 'a1', lab.plan.guest.ipv4, task.echoPort);
      await stream.progress(bytesBetween);
      const faults: readonly [string, fault: () => Promise<unknown>, mend: () => Promise<unknown>][] = [
        ['the source’s courier is killed', () => couriers.kill('a'), () => couriers.start('a')],
        ['the destination’s courier is killed', () => couriers.kill('b'), () => couriers.start('b')],
        ['the WAN is cut', () => lab.wan({ cut: true }), () => lab.wan({ cut: false })],
      ];
      for (const [number, [what, fault, mend]] of faults.entries()) {
        const vm = vms[number] ?? '';
        const began = performance.now();
        const failed = assert.rejects(
          guest.migrate('b', false, couriers.through(vm, 'a')),
          /migration failed/,
        );
        const struck = await couriers.atBytes('b', vm, MIDDLES[number] ?? 0);
        assert.equal(struck.state, 'running', `${what}: too late`);
        await fault();
        await failed;
        const afterMs = round(performance.now() - began);
        t.diagnostic(
          `${what} at ${megabytes(struck.streamBytes)}: the migration has failed after ${afterMs} ms`,
        );
        assert.equal(guest.site, 'a');
        await stream.progress(bytesBetween);
        await mend();
      }
      await lab.wan({ rateMbit: 0 });
      await lab.waitConnected();
      const times = await guest.migrate('b', false, couriers.through('vm4', 'a'));
      const { source } = await couriers.last('a');
      say(t, 'and then', source, times);
      assert.equal(source.identical, true);
      assert.ok(
        source.streamBytes > 1.5 * MIDDLES[2],
        `${source.streamBytes} bytes: the faults were not in the middle`,
      );
      await stream.progress(bytesBetween);
      await stream.finish();
      await guest.stop();
    }),
);
