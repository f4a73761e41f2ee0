/** Whatever a peer says that it takes, probes and what is told of them stay within what there is. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { relayPath } from '../../../src/tunnel/paths/path.js';
import { PathMtu } from '../../../src/tunnel/paths/path-mtu.js';
import type { DatagramAddress } from '../../../src/tunnel/ports.js';
import { DEFAULT_TIMES } from '../../../src/tunnel/times.js';
import { SimClock } from '../../support/sim-clock.js';

const PATHS: Readonly<Record<string, DatagramAddress>> = {
  IPv4: { address: new Uint8Array(4), port: 1 },
  IPv6: { address: new Uint8Array(16), port: 1 },
  TCP: { address: new Uint8Array(4), port: 1, stream: 1 },
  'a relay': relayPath(1),
};

/** What is probed, and what is told, when the path carries packets of up to so many bytes. */
function search(path: DatagramAddress, limitBytes: number, carriesBytes: number) {
  const clock = new SimClock();
  const probed: number[] = [];
  const told: number[] = [];
  const mtu = new PathMtu(clock, DEFAULT_TIMES, {
    rttMs: 1,
    trySize: (lengthBytes) => {
      probed.push(lengthBytes);
      const ping = { purpose: 'size', sentMs: 0, path, lengthBytes } as const;
      if (lengthBytes <= carriesBytes) clock.after('answer', 1, () => mtu.answered(ping));
      return true;
    },
    mtuFound: (innerBytes) => told.push(innerBytes),
  });
  mtu.begin(path, limitBytes);
  for (let second = 0; second < 600; second++) {
    clock.advance(1_000);
    mtu.tick(true);
  }
  mtu.stop();
  return { probed, told };
}

for (const [name, path] of Object.entries(PATHS))
  describe(`the MTU of a path over ${name}`, () => {
    for (const limit of [2 ** 53 - 1, 2 ** 32 - 1, 65_535])
      for (const carries of [1_300, Number.POSITIVE_INFINITY])
        it(`to a peer that takes ${limit} bytes, where ${carries} fit, is found without longer probes`, () => {
          const { probed, told } = search(path, limit, carries);
          assert.ok(probed.length < 3_000, `${probed.length} probes`);
          assert.ok(Math.max(0, ...probed) <= 65_535, `a probe of ${Math.max(...probed)} bytes`);
          assert.ok(
            told.length > 0 && told.every((bytes) => bytes >= 576 && bytes <= 65_535),
            `told ${told}`,
          );
        });

    for (const limit of [0, 1, 39, 575, -5])
      it(`to a peer that takes ${limit} bytes is never below 576`, () => {
        const { told } = search(path, limit, 0);
        assert.ok(told.length > 0 && told.every((bytes) => bytes >= 576), `told ${told}`);
      });
  });
