/** What Debian's softflowd tells of frames that it reads from a file, as it is counted. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { waitFor } from '../lab/wait.js';
import { udpPacket } from '../support/ip-packet.js';
import { ears, writeCapture } from './exporters.js';

const ENVIRONMENT = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
const skip =
  spawnSync('softflowd', ['-h'], { env: ENVIRONMENT }).error === undefined
    ? false
    : 'softflowd is not installed';

const PAIRS = 200;
const SAMPLED_FRAMES = 3_000;
const ONE_IN = 10;

interface Sent {
  readonly source: string;
  readonly destination: string;
  /** Of each of its IP packets. */
  readonly lengths: readonly number[];
}

/** Both families; every third pair has an answer. */
const SENT: readonly Sent[] = Array.from({ length: PAIRS }, (_, i): readonly Sent[] => {
  const [source, destination] =
    i % 2 === 0 ? [`10.1.1.${i}`, `10.1.2.${i}`] : [`fd00:1::1:${i}`, `fd00:1::2:${i}`];
  const there = { source, destination, lengths: [100, 200 + i, 1_400] };
  return i % 3 === 0 ? [there, { source: destination, destination: source, lengths: [60 + i] }] : [there];
}).flat();

function expected(sent: readonly Sent[]): string[] {
  return sent
    .map(({ source, destination, lengths }) =>
      [source, destination, lengths.length, lengths.reduce((sum, length) => sum + length, 0)].join(' '),
    )
    .sort();
}

function frame({ source, destination }: Sent, length: number): Uint8Array {
  const isV6 = source.includes(':');
  return Buffer.concat([
    Buffer.from(`525400000006525400000005${isV6 ? '86dd' : '0800'}`, 'hex'),
    udpPacket({ source, destination, payload: new Uint8Array(length - (isV6 ? 48 : 28)) }),
  ]);
}

/** Has softflowd read them and tell. */
function tell(t: TestContext, port: number, sent: readonly Sent[], ...more: readonly string[]): void {
  const directory = mkdtempSync(join(tmpdir(), 'vine-softflowd-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'frames.pcap');
  writeCapture(
    file,
    sent.flatMap((pair) => pair.lengths.map((length) => frame(pair, length))),
  );
  const own = ['-p', join(directory, 'pid'), '-c', join(directory, 'control')];
  execFileSync('softflowd', [...own, '-r', file, '-n', `127.0.0.1:${port}`, ...more], {
    env: ENVIRONMENT,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 30_000,
  });
}

for (const [name, options] of [
  ['NetFlow v9', ['-v', '9']],
  ['IPFIX', ['-v', '10']],
  ['IPFIX, both directions in one record', ['-v', '10', '-b']],
] as const) {
  test(`softflowd, ${name}: every packet and byte`, { skip }, async (t) => {
    const { port, counted, counters } = await ears(t);
    tell(t, port, SENT, ...options);
    const last = { counted: [] as string[] };
    await waitFor('all are counted', () => {
      last.counted = counted();
      return last.counted.length >= SENT.length;
    }).catch((error: unknown) => assert.fail(`${String(error)}: ${JSON.stringify(counters())}`));
    assert.deepEqual(last.counted, expected(SENT));
    assert.deepEqual(
      Object.keys(counters()).filter((counter) => counter.includes('dropped')),
      [],
    );
  });

  test(`softflowd, ${name}: one packet of ${ONE_IN} is made up for`, { skip }, async (t) => {
    const { port, counted, counters } = await ears(t);
    const sent = [
      {
        source: '10.1.1.1',
        destination: '10.1.2.1',
        lengths: Array.from({ length: SAMPLED_FRAMES }, () => 500),
      },
    ];
    tell(t, port, sent, ...options, '-s', String(ONE_IN));
    const [row = ''] = await waitFor('it is counted', () =>
      counted().length > 0 ? counted() : undefined,
    ).catch((error: unknown) => assert.fail(`${String(error)}: ${JSON.stringify(counters())}`));
    const [, , packets, bytes] = row.split(' ').map(Number);
    // It takes each tenth: what is left of the last ten is not known.
    assert.ok(Math.abs((packets ?? 0) - SAMPLED_FRAMES) <= ONE_IN, row);
    assert.equal(bytes, (packets ?? 0) * 500);
  });
}
