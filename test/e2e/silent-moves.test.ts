/**
 * Machines that nobody announced: a port is taken out of one site's switch and put into another's, and no frame says so.
 * The node only answers. Somebody talks to it all the time, and that is enough to find it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MigrationView } from '../../src/control/api.js';
import type { Lab } from '../lab/lab.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { moverAddress } from './families.js';
import { cannotRun, ping, round, untilKnownAt, withLab } from './support.js';

const wanDelayMs = 20;
const bytesBetween = 60_000;
const bytesPerSecond = 200_000;

async function trigger(lab: Lab, ip: string): Promise<string | undefined> {
  const moves = await lab.daemon('b').get<readonly MigrationView[]>('/v1/migrations');
  return moves.filter(({ ips, role }) => role === 'destination' && ips.includes(ip)).at(-1)?.trigger;
}

for (const family of [4, 6] as const) {
  for (const from of [['a1'], ['c1'], ['a1', 'c1']] as const) {
    test(`IPv${family}: the node only answers, to ${from.join(' and ')}`, { skip: cannotRun }, async (t) => {
      await withLab(t, { topology: 'three-site', wanDelayMs }, async (lab) => {
        const address = moverAddress(lab, 'vm', family);
        await untilKnownAt(lab, 'b', address, 'a');
        const streams: TcpStream[] = [];
        for (const host of from) streams.push(await TcpStream.open(lab, host, 'vm', address, bytesPerSecond));
        for (const stream of streams) await stream.mark();
        await lab.move('vm', 'b', { announce: 'none' });
        await untilKnownAt(lab, 'a', address, 'b');
        await untilKnownAt(lab, 'c', address, 'b');
        await Promise.all(streams.map((stream) => stream.progress(bytesBetween)));
        t.diagnostic(streams.map(({ name, gapMs }) => `${name} ${round(gapMs)} ms`).join(', '));
        t.diagnostic(`found by ${await trigger(lab, address)}`);
        for (const stream of streams) await stream.finish();
      });
    });
  }
}

const pingEveryMs = 100;

/** The longest time without an answer, milliseconds, of pings every 100 ms. */
function longestGapMs(output: string): number {
  const seen = [...output.matchAll(/icmp_seq=(\d+)/g)].map(([, seq]) => Number(seq));
  return pingEveryMs * Math.max(0, ...seen.slice(1).map((seq, i) => seq - (seen[i] ?? seq)));
}

for (const family of [4, 6] as const) {
  for (const verify of ['optimistic', 'strict'] as const) {
    for (const from of ['a1', 'c1'] as const) {
      test(`IPv${family}, ${verify}: pinged by ${from}, and silent else`, { skip: cannotRun }, async (t) => {
        await withLab(t, { topology: 'three-site', wanDelayMs, verify }, async (lab) => {
          const address = moverAddress(lab, 'vm', family);
          await untilKnownAt(lab, 'b', address, 'a');
          const pings = lab.attempt(from, ['ping', '-n', '-i', '0.1', '-c', '80', address]);
          await ping(lab, from, address);
          await lab.move('vm', 'b', { announce: 'none' });
          await untilKnownAt(lab, 'a', address, 'b');
          const { stdout } = await pings;
          const gapMs = longestGapMs(stdout);
          t.diagnostic(`${round(gapMs)} ms without an answer, found by ${await trigger(lab, address)}`);
          assert.ok(gapMs > 0 && gapMs < 6_000, stdout);
        });
      });
    }
  }
}

test('the port forwards only after 15 s: found then', { skip: cannotRun }, async (t) => {
  await withLab(t, { topology: 'three-site', wanDelayMs }, async (lab) => {
    const address = moverAddress(lab, 'vm', 4);
    await untilKnownAt(lab, 'b', address, 'a');
    const stream = await TcpStream.open(lab, 'c1', 'vm', address, bytesPerSecond);
    await stream.mark();
    await lab.move('vm', 'b', { announce: 'none', downtimeMs: 15_000 });
    await untilKnownAt(lab, 'c', address, 'b');
    await stream.progress(bytesBetween);
    t.diagnostic(`${stream.name} ${round(stream.gapMs)} ms, 15,000 of them without a port`);
    assert.ok(stream.gapMs > 15_000);
    await stream.finish();
  });
});
