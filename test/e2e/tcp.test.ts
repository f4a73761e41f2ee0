/** TCP where UDP does not go through, and back; and strangers at the TCP port. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { PeerView } from '../../src/control/api.js';
import type { Lab } from '../lab/lab.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { cannotRun, ping, withLab } from './support.js';

/** Better paths are looked for every few seconds, and strangers are shown the door sooner. */
const SHORT = ['--test-times', JSON.stringify({ pathProbeMs: 3_000, streamProofMs: 2_000 })];
const BLOCK_UDP =
  'table inet cut { chain in { type filter hook input priority 0; iifname "wan0" meta l4proto udp drop; }; }';

async function untilPath(lab: Lab, transport: PeerView['transport'], limitMs: number): Promise<void> {
  for (const site of ['a', 'b'] as const)
    await waitFor(
      `site ${site} is connected by ${transport}`,
      async () =>
        (await lab.daemon(site).peers()).every((peer) => peer.state === 'up' && peer.transport === transport),
      limitMs,
    );
}

async function startShort(lab: Lab): Promise<void> {
  for (const { letter } of lab.plan.sites) lab.daemon(letter).start([], SHORT);
  await lab.waitConnected();
}

test('UDP blocked, then unblocked: connections go on over TCP, and back', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site', tcp: true, daemons: false, wanDelayMs: 5 }, async (lab) => {
    await startShort(lab);
    await untilPath(lab, 'udp', 10_000);
    const stream = await TcpStream.open(lab, 'a1', 'b1', '10.2.0.11');
    await stream.progress(200_000);
    await stream.mark();
    await lab.exec('vr-a', ['nft', BLOCK_UDP]);
    await untilPath(lab, 'tcp', 30_000);
    await stream.progress(300_000, 60_000);
    t.diagnostic(`to TCP: longest gap ${Math.round(stream.gapMs)} ms`);
    assert.match(await lab.vinectl('a', ['peers']), /vr-b +up +tcp +tcp:\/\/192\.0\.2\.2/);
    await ping(lab, 'a1', 'fd00:2::11');
    await stream.mark();
    await lab.exec('vr-a', ['nft', 'delete table inet cut']);
    await untilPath(lab, 'udp', 30_000);
    await stream.progress(300_000, 30_000);
    t.diagnostic(`back to UDP: longest gap ${Math.round(stream.gapMs)} ms`);
    await stream.finish(); // throws when a byte is lost, doubled or changed
    for (const site of ['a', 'b'] as const) {
      const events = await lab.daemon(site).get<readonly { event: string }[]>('/v1/events');
      assert.ok(!events.some(({ event }) => event === 'peer_down'), `a peer of site ${site} went down`);
    }
  }),
);

test('where UDP never worked, TCP is there from the start, and is found again', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site', tcp: true, daemons: false }, async (lab) => {
    await lab.exec('vr-b', ['nft', BLOCK_UDP]);
    await startShort(lab);
    await untilPath(lab, 'tcp', 10_000);
    const stream = await TcpStream.open(lab, 'a1', 'b1', '10.2.0.11', 4_000_000);
    await stream.progress(8_000_000, 60_000);
    // Every connection is cut off; new ones are made.
    await lab.exec('vr-a', ['ss', '-K', 'dport', '=', '7700']);
    await lab.exec('vr-b', ['ss', '-K', 'dport', '=', '7700']);
    await untilPath(lab, 'tcp', 20_000);
    await stream.progress(1_000_000, 60_000);
    await stream.finish();
  }),
);

/** Talks to vr-a's port as nobody should: silence, a byte now and then, a lying length, and many at once. */
const STRANGERS = `
const net = require('node:net');
let open = 0, closed = 0;
const call = (talk) => {
  const socket = net.connect(7700, '192.0.2.1', () => { open++; talk(socket); });
  socket.on('error', () => undefined).on('close', () => { closed++; });
};
for (let i = 0; i < 100; i++) call(() => undefined);
for (let i = 0; i < 100; i++) call((s) => setInterval(() => s.writable && s.write(Buffer.from([0])), 700));
for (let i = 0; i < 100; i++) call((s) => s.write(Buffer.from([0xff, 0xff, 1, 0, 0, 0])));
for (let i = 0; i < 700; i++) call((s) => s.write(Buffer.alloc(2000, 1)));
setInterval(() => { console.log(JSON.stringify({ open, closed })); if (closed >= 1000) process.exit(0); }, 100);
`;

function memoryKb(lab: Lab): number {
  const status = readFileSync(`/proc/${lab.daemon('a').pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
}

test('strangers at the TCP port are shown the door, and cost nothing', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site', tcp: true, daemons: false }, async (lab) => {
    await startShort(lab);
    const stream = await TcpStream.open(lab, 'a1', 'b1', '10.2.0.11');
    await stream.progress(200_000);
    const run = async (): Promise<void> => {
      const { status } = await lab.attempt('vr-b', [process.execPath, '-e', STRANGERS], {
        timeoutMs: 60_000,
      });
      assert.equal(status, 0, 'the router kept strangers');
    };
    await run();
    const before = memoryKb(lab);
    for (let i = 0; i < 3; i++) await run();
    const grownKb = memoryKb(lab) - before;
    t.diagnostic(`3,000 strangers more: ${grownKb} kB more memory`);
    assert.ok(grownKb < 20_000, `memory grew by ${grownKb} kB`);
    await stream.progress(200_000, 30_000);
    await stream.finish();
    assert.deepEqual(
      (await lab.daemon('a').peers()).map(({ state, transport }) => [state, transport]),
      [['up', 'udp']],
    );
    const counters = await lab.daemon('a').counters();
    assert.ok((counters.tcp_accepted ?? 0) >= 1_000);
  }),
);
