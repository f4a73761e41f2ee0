/** The addon's counter of pairs, on a link of a namespace of its own: what it counts, what it has no room for, and how it ends. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { PcapHandle } from '../../src/arp/pcap.js';
import { loadNative } from '../../src/dataplane/native.js';
import {
  COUNTED_PAIR_BYTES,
  MOST_COUNTED_PAIRS,
  type PairCaptureOptions,
  type PairCounter,
  type PairCounts,
} from '../../src/dataplane/pair-counter.js';
import { Random } from '../fuzz/random.js';
import { pause, waitFor } from '../lab/wait.js';
import { countPairs } from '../support/pair-counts.js';
import { bytesOf, FRAME4, FRAME6 } from '../unit/traffic/collect/vectors.js';
import { inNamespaceOfOwn, ip, untilCarries } from './namespace.js';

const nativeModule = new URL('../../src/dataplane/native.js', import.meta.url).href;
const SEED = Number(process.env.VINE_SEED ?? 1);
const SOURCE = '525400000005';

inNamespaceOfOwn('counting pairs by libpcap', import.meta.url, suite, () =>
  test('counting pairs by libpcap', { skip: 'namespaces need root' }, () => {}),
);

function optionsOf(name: string, more: Partial<PairCaptureOptions> = {}): PairCaptureOptions {
  const filter = 'ether src 52:54:00:00:00:05';
  return { interface: name, filter, inboundOnly: false, collectMs: 20, ringBytes: 1 << 20, ...more };
}

function frameOf(text: string): Uint8Array {
  const frame = bytesOf(text);
  frame.set(Buffer.from(SOURCE, 'hex'), 6);
  return frame;
}

const [PLAIN4, PLAIN6] = [frameOf(FRAME4), frameOf(FRAME6)];

/** Whole, cut, tagged, and with some bytes changed, but always from one MAC. */
function oddFrame(random: Random): Uint8Array {
  let frame = Buffer.from(random.pick([PLAIN4, PLAIN6]));
  for (let i = random.below(3); i > 0; i--) frame[12 + random.below(46)] = random.below(256);
  // Of the two tags that there may be the kernel takes one off, and libpcap puts it back.
  if (random.chance(40)) {
    const tag = Buffer.from(`${random.pick(['8100', '88a8', '9100'])}000c`, 'hex');
    frame = Buffer.concat([frame.subarray(0, 12), tag, frame.subarray(12)]);
  }
  // The kernel throws a tag away that has nothing behind it.
  return random.chance(30) ? frame.subarray(0, 20 + random.below(60)) : frame;
}

/** Of all that was taken, summed; sorted, since by which address a pair comes first is nobody's business. */
function rowsOf(...taken: readonly PairCounts[]): string[] {
  const sums = new Map<string, [packets: number, bytes: number]>();
  for (const { pairs } of taken) {
    const [octets, doubles] = [Buffer.from(pairs), new Float64Array(pairs)];
    for (let at = 0; at < octets.length; at += COUNTED_PAIR_BYTES) {
      const [packets = 0, bytes = 0, family] = doubles.subarray(at / 8 + 4, at / 8 + 7);
      const key = `${family} ${octets.toString('hex', at, at + 32)}`;
      const [before, bytesBefore] = sums.get(key) ?? [0, 0];
      sums.set(key, [before + packets, bytesBefore + bytes]);
    }
  }
  return [...sums].map(([key, counts]) => `${key} ${counts.join(' ')}`).sort();
}

function sum(taken: readonly PairCounts[], what: 'frames' | 'restBytes'): number {
  return taken.reduce((all, one) => all + one[what], 0);
}

/** What it takes until there are so many frames. */
async function takeFrames(counter: PairCounter, frames: number): Promise<PairCounts[]> {
  const taken: PairCounts[] = [];
  await waitFor(`${frames} frames`, () => {
    taken.push(counter.take());
    return sum(taken, 'frames') >= frames;
  });
  return taken;
}

function suite(): void {
  const addon = loadNative();
  let far: PcapHandle | undefined;
  let back: PcapHandle | undefined;
  const say = (frame: Uint8Array): void => assert.equal(far?.send(frame), true);

  before(() => {
    ip('link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far');
    for (const end of ['near', 'far']) ip('link', 'set', end, 'addrgenmode', 'none', 'up');
    for (const end of ['near', 'far']) untilCarries(end);
    const nothing = { filter: 'less 1', frameBytes: 64, ringBytes: 1 << 16 };
    far = addon.openCapture({ interface: 'far', ...nothing }, () => {});
    back = addon.openCapture({ interface: 'near', ...nothing }, () => {});
  });
  after(() => far?.close());
  after(() => back?.close());

  test('as slow counting would, whatever the frames are, and each once', async (t) => {
    const counter = addon.createPairCounter();
    const capture = counter.openCapture(optionsOf('near'));
    t.after(() => capture.close());
    const random = new Random(SEED);
    for (let round = 0; round < 40; round++) {
      const frames = Array.from({ length: 100 }, () => oddFrame(random));
      for (const frame of frames) say(frame);
      const taken = await takeFrames(counter, frames.length);
      assert.equal(sum(taken, 'frames'), frames.length);
      assert.deepEqual(rowsOf(...taken), rowsOf(countPairs(frames.map((frame) => frame.subarray(0, 64)))));
    }
    assert.deepEqual(rowsOf(counter.take()), []);
    assert.equal(capture.drops(), 0);
  });

  test('of more pairs than it has room for, what the others had', async (t) => {
    const counter = addon.createPairCounter();
    const capture = counter.openCapture(optionsOf('near', { ringBytes: 16 << 20 }));
    t.after(() => capture.close());
    // It hears what the other one does: that one must not be asked before all is there.
    const witness = addon.createPairCounter();
    const heard = witness.openCapture(optionsOf('near', { ringBytes: 16 << 20 }));
    t.after(() => heard.close());
    const frame = Uint8Array.from(PLAIN4);
    const more = 500;
    for (let i = 0; i < MOST_COUNTED_PAIRS + more; i++) {
      frame.set([i >> 16, (i >> 8) & 255, i & 255], 27);
      say(frame);
      if (i % 1_000 === 0) await turn();
    }
    say(frame);
    await takeFrames(witness, MOST_COUNTED_PAIRS + more + 1);
    await pause(100);
    const taken = counter.take();
    assert.equal(capture.drops(), 0);
    assert.equal(taken.frames, MOST_COUNTED_PAIRS + more + 1);
    const rows = rowsOf(taken);
    assert.equal(rows.length, MOST_COUNTED_PAIRS);
    assert.equal(taken.restBytes, (more + 1) * 1_500);
    // And there is room again.
    say(frame);
    const again = await takeFrames(counter, 1);
    assert.deepEqual([sum(again, 'restBytes'), rowsOf(...again).length], [0, 1]);
  });

  test('what the kernel has no room for it counts itself', async (t) => {
    const counter = addon.createPairCounter();
    const capture = counter.openCapture(optionsOf('near'));
    t.after(() => capture.close());
    const sent = 20_000;
    for (let i = 0; i < sent; i++) say(PLAIN4);
    const drops = capture.drops();
    assert.ok(drops > 0 && drops < sent, String(drops));
    const taken = await takeFrames(counter, sent - drops);
    assert.equal(sum(taken, 'frames'), sent - drops);
    assert.equal(capture.drops(), drops);
  });

  test('only what comes in, from the first frame on; or what goes out too', async (t) => {
    for (const inboundOnly of [true, false]) {
      const counter = addon.createPairCounter();
      const capture = counter.openCapture(optionsOf('near', { inboundOnly }));
      t.after(() => capture.close());
      say(PLAIN4);
      back?.send(PLAIN6);
      const expected = countPairs(inboundOnly ? [PLAIN4] : [PLAIN4, PLAIN6]);
      const taken = await takeFrames(counter, expected.frames);
      await pause(100);
      assert.deepEqual(rowsOf(...taken, counter.take()), rowsOf(expected));
      capture.close();
    }
  });

  test('several into one, and none of one that is closed', async () => {
    const counter = addon.createPairCounter();
    const captures = ['near', 'far'].map((name) => counter.openCapture(optionsOf(name)));
    say(PLAIN4);
    await takeFrames(counter, 2);
    captures[0]?.close();
    say(PLAIN4);
    const last = await takeFrames(counter, 1);
    await pause(100);
    assert.equal(sum([...last, counter.take()], 'frames'), 1);
    captures[1]?.close();
    captures[1]?.close();
    assert.equal(captures[1]?.drops(), 0);
    say(PLAIN4);
    await pause(100);
    assert.equal(counter.take().frames, 0);
  });

  test('the interface may go down, and come again', async (t) => {
    const counter = addon.createPairCounter();
    const capture = counter.openCapture(optionsOf('near'));
    t.after(() => capture.close());
    ip('link', 'set', 'near', 'down');
    await pause(50);
    ip('link', 'set', 'near', 'up');
    await waitFor('frames', () => far?.send(PLAIN4) === true && counter.take().frames > 0);
  });

  test('what its interface’s end leaves is harmless', async () => {
    ip('link', 'add', 'gone', 'type', 'veth', 'peer', 'name', 'gone2');
    for (const end of ['gone', 'gone2']) ip('link', 'set', end, 'up');
    const capture = addon.createPairCounter().openCapture(optionsOf('gone'));
    ip('link', 'delete', 'gone');
    const before = process.cpuUsage();
    await pause(200);
    const { user, system } = process.cpuUsage(before);
    assert.ok(user + system < 100_000, `${user + system} µs of work for nothing`);
    capture.close();
  });

  test('what cannot be is refused by name', () => {
    const counter = addon.createPairCounter();
    const open = (more: object) => () =>
      counter.openCapture({ ...optionsOf('near'), ...more } as PairCaptureOptions).close();
    assert.throws(open({ interface: 'no-such' }), { code: 'ENODEV' });
    assert.equal(counter.interfaceIndex('no-such'), 0);
    assert.ok(counter.interfaceIndex('near') > 0);
    assert.throws(() => counter.interfaceIndex(7 as never), TypeError);
    assert.throws(open({ interface: 7 }), TypeError);
    assert.throws(open({ filter: 'no such filter' }), /syntax error/);
    assert.throws(open({ inboundOnly: 1 }), TypeError);
    for (const collectMs of [0, 1_001, -1]) assert.throws(open({ collectMs }), RangeError);
    for (const ringBytes of [0, 65_536, 2 ** 31]) assert.throws(open({ ringBytes }), RangeError);
    assert.throws(() => counter.take.call({} as PairCounter), TypeError);
    assert.throws(() => counter.openCapture.call({} as PairCounter, optionsOf('near')), TypeError);
    const capture = counter.openCapture(optionsOf('near'));
    assert.throws(() => capture.drops.call({} as never), TypeError);
    assert.throws(() => capture.close.call(counter as never), TypeError);
    capture.close();
  });

  test('a thread may end with one open', async () => {
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads');
      import(${JSON.stringify(nativeModule)}).then(({ loadNative }) => {
        loadNative().createPairCounter().openCapture(${JSON.stringify(optionsOf('near'))});
        parentPort.postMessage('open');
      });`,
      { eval: true },
    );
    await once(worker, 'message');
    say(PLAIN4);
    await worker.terminate();
    say(PLAIN4);
  });
}
