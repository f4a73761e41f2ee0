/** When frames were captured, and what of a batch is handed on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { captureFilter, openCapture } from '../../../src/arp/capture.js';
import type { FramesListener, PcapAddon, PcapHandle, PcapOptions } from '../../../src/arp/pcap.js';
import { mac } from '../../../src/net/mac.js';
import { ManualClock } from './manual-clock.js';

const OWN_MAC = mac('02:00:00:00:00:fe');
const NOW_MS = 10_000_000;

class FakePcap implements PcapAddon {
  options: PcapOptions | undefined;
  deliver: FramesListener = () => {};
  taken = true;
  lost = 0;
  closed = 0;

  openCapture(options: PcapOptions, onFrames: FramesListener): PcapHandle {
    this.options = options;
    this.deliver = onFrames;
    return {
      send: () => this.taken,
      drops: () => (this.closed > 0 ? 0 : this.lost),
      close: () => {
        this.closed++;
      },
    };
  }
}

function opened(onFrame: (bytes: Uint8Array, atMs: number) => void = () => {}) {
  const pcap = new FakePcap();
  const clock = new ManualClock();
  clock.advance(NOW_MS);
  const capture = openCapture('lan0', onFrame, { pcap, ownMacs: [OWN_MAC], clock });
  return { pcap, clock, capture };
}

function timesOf(...agesMs: number[]): number[] {
  const times: number[] = [];
  const { pcap } = opened((_bytes, atMs) => times.push(atMs));
  pcap.deliver(
    agesMs.map(() => new Uint8Array(60)),
    Float64Array.from(agesMs),
  );
  return times;
}

test('a frame was captured as long ago as the kernel says', () => {
  assert.deepEqual(timesOf(0, 0.25, 200, 120_000), [NOW_MS, NOW_MS - 0.25, NOW_MS - 200, NOW_MS - 120_000]);
});

test('a wall clock that was set meanwhile does no harm', () => {
  const setBack = [-0.001, -200, -3_600_000];
  const setForward = [120_000.001, 3_600_000, 1e15, Number.POSITIVE_INFINITY];
  for (const ageMs of [...setBack, ...setForward, Number.NaN])
    assert.deepEqual(timesOf(ageMs), [NOW_MS], `${ageMs}`);
});

test('all frames of a batch are handed on in order, until it is closed', () => {
  const seen: number[] = [];
  const { pcap, capture } = opened((bytes) => {
    seen.push(bytes[0] ?? -1);
    if (bytes[0] === 2) capture.close();
  });
  pcap.deliver(
    [1, 2, 3].map((first) => Uint8Array.of(first)),
    new Float64Array(3),
  );
  assert.deepEqual(seen, [1, 2]);
  assert.equal(capture.counters.received, 3);
  capture.close();
  assert.equal(pcap.closed, 1);
});

test('what is sent, refused and lost is counted, and stays counted', () => {
  const { pcap, capture } = opened();
  capture.send(new Uint8Array(60));
  pcap.taken = false;
  capture.send(new Uint8Array(60));
  pcap.lost = 7;
  assert.equal(capture.queueDrops(), 7);
  capture.close();
  capture.send(new Uint8Array(60));
  assert.deepEqual(capture.counters, { received: 0, sent: 1, sendErrors: 1, reopened: 0 });
  assert.equal(capture.queueDrops(), 7);
});

test('the kernel is asked for neighbour frames of others only', () => {
  const { pcap } = opened();
  assert.equal(pcap.options?.filter, captureFilter([OWN_MAC]));
  assert.match(captureFilter([OWN_MAC]), /and not ether src 02:00:00:00:00:fe$/);
  assert.match(
    captureFilter([OWN_MAC], [mac('00:00:5e:00:01:07')]),
    /and not \(ether src 00:00:5e:00:01:07 and \(outbound or not ether multicast\)\)$/,
  );
});
