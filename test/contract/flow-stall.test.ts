/** JavaScript that stalls does not delay what the engine's flow memory knows: it is not entered. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { loadNative } from '../../src/dataplane/native.js';
import { pattern, udpPacket } from '../support/ip-packet.js';
import { SimClock } from '../support/sim-clock.js';
import { ADDRESSES, FlowRouter } from './flow-router.js';
import { inNamespaceOfOwn } from './namespace.js';
import { nativeWorld } from './native-world.js';
import type { StallingStart } from './stalling-worker.js';

const STALL_MS = 200;
const PACKETS = 400;
const INTERVAL_MS = 5;

inNamespaceOfOwn('a stall does not delay known flows', import.meta.url, defineTests, () =>
  test('a stall does not delay known flows', { skip: 'packet sockets need root' }, () => {}),
);

function defineTests(): void {
  writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1');
  for (const [name, memory, packets] of [
    ['with a flow memory only the first packet waits', { entries: 64, ring: 2 }, PACKETS],
    ['without one all do', undefined, 3],
  ] as const)
    test(name, async (context) => {
      const router = new FlowRouter({
        world: nativeWorld(loadNative(), undefined),
        clock: new SimClock(),
        ...(memory === undefined ? {} : { memory }),
      });
      const words = new Int32Array(new SharedArrayBuffer(8));
      const start: StallingStart = {
        ...router.handOverLan(),
        words: words.buffer as SharedArrayBuffer,
        stallMs: STALL_MS,
      };
      const worker = new Worker(new URL('./stalling-worker.js', import.meta.url), { workerData: start });
      try {
        const first = await delayMs(router);
        assert.ok(first >= STALL_MS * 0.9, `the first one waited ${first} ms`);
        const delays: number[] = [];
        for (let i = 0; i < packets; i++) {
          await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
          delays.push(await delayMs(router));
        }
        const longest = Math.max(...delays);
        context.diagnostic(`${packets} packets, the longest took ${longest.toFixed(1)} ms`);
        if (memory === undefined) {
          assert.ok(Math.min(...delays) >= STALL_MS * 0.9);
          assert.equal(words[0], 1 + packets);
        } else {
          assert.ok(longest < STALL_MS / 2, `${longest} ms`);
          assert.equal(words[0], 1);
        }
      } finally {
        words[1] = 1;
        Atomics.notify(words, 1);
        await once(worker, 'exit');
        router.close();
      }
    });
}

/** From the station's frame to the other site's message. */
async function delayMs(router: FlowRouter): Promise<number> {
  const [source, destination] = [ADDRESSES[4].host, ADDRESSES[4].remote];
  const startMs = performance.now();
  router.frame(
    router.link.farMac,
    router.link.nearMac,
    udpPacket({ source, destination, payload: pattern(64) }),
  );
  assert.equal(router.remote.b.rig.receive(1).length, 1);
  return performance.now() - startMs;
}
