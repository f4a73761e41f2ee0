/** Single large subnet: nodes of one LAN talk directly, also when one of them has just arrived. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lab } from '../lab/lab.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { cannotRun, neighbourMac, ping, receivedBytes, untilKnownAt, withLab } from './support.js';

const vm = '10.1.0.9';
const vmMac = '52:54:00:00:00:09';
const b1 = '10.2.0.11';
const b1Mac = '02:00:00:00:02:0b';
const bytesPerSecond = 4_000_000;
const directBytes = 4_000_000;
/** What arrives at all routers, from their LANs and from the WAN. */
async function atRouters(lab: Lab): Promise<number> {
  let sum = 0;
  for (const node of ['vr-a', 'vr-b'])
    for (const port of ['lan0', 'wan0']) sum += await receivedBytes(lab, node, port);
  return sum;
}

test('large subnet: before a move through the routers, after it directly', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'large-subnet', wanDelayMs: 10 }, async (lab) => {
    await untilKnownAt(lab, 'b', vm, 'a');
    await ping(lab, 'a1', b1);
    const old = await TcpStream.open(lab, 'b1', 'vm', vm, bytesPerSecond);
    await old.progress(directBytes);
    assert.ok((await atRouters(lab)) > directBytes, 'nothing went through the routers before the move');

    await lab.move('vm', 'b', { announce: 'rarp' });
    await untilKnownAt(lab, 'a', vm, 'b');
    await waitFor(
      'b1 knows the real MAC of the node',
      async () => (await neighbourMac(lab, 'b1', vm)) === vmMac,
    );
    await waitFor(
      'the node knows the real MAC of b1',
      async () => (await neighbourMac(lab, 'vm', b1)) === b1Mac,
    );
    // What was in flight has arrived when the old connection has gone on.
    await old.progress(directBytes);
    const before = await atRouters(lab);
    await old.progress(directBytes);
    const fresh = await TcpStream.open(lab, 'vm', 'b1', b1, bytesPerSecond);
    await fresh.progress(directBytes);
    const seen = (await atRouters(lab)) - before;
    // Each of the two connections has carried at least so much in both directions.
    t.diagnostic(`of at least ${4 * directBytes} bytes the routers saw ${seen}`);
    assert.ok(seen < directBytes / 100, `the routers saw ${seen} bytes`);
    await old.finish();
    await fresh.finish();

    // With its old LAN it talks through the routers, which need no mask and no route on either side.
    const home = await TcpStream.open(lab, 'a1', 'vm', vm);
    await home.progress(100_000);
    await home.finish();
  }),
);
