/** The addon's capture by libpcap, on a link of a namespace of its own: batches, ages, losses, and how it ends. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { captureFilter } from '../../src/arp/capture.js';
import type { PcapHandle, PcapOptions } from '../../src/arp/pcap.js';
import { loadNative } from '../../src/dataplane/native.js';
import { mac } from '../../src/net/mac.js';
import { pause, waitFor } from '../lab/wait.js';
import {
  BROADCAST_MAC,
  SERVERS_6,
  SERVERS_MAC_6,
  type UdpFields,
  udpFrame,
} from '../support/dhcp-messages.js';
import { inNamespaceOfOwn, ip, untilCarries } from './namespace.js';

const ETHER_TYPE = 0x88b5; // for experiments (IEEE 802)
const BATCH = 64;
const nativeModule = new URL('../../src/dataplane/native.js', import.meta.url).href;

inNamespaceOfOwn('capture by libpcap', import.meta.url, suite, () =>
  test('capture by libpcap', { skip: 'namespaces need root' }, () => {}),
);

function optionsOf(name: string, more: Partial<PcapOptions> = {}): PcapOptions {
  return { interface: name, filter: 'ether proto 0x88b5', frameBytes: 256, ringBytes: 1 << 20, ...more };
}

function frameOf(number: number, length = 60): Uint8Array {
  const frame = Buffer.alloc(length);
  frame.fill(0xff, 0, 6).set([2, 0, 0, 0, 0, 11], 6);
  frame.writeUInt16BE(ETHER_TYPE, 12);
  frame.writeUInt32BE(number, 14);
  return frame;
}

/**
 * Whether what is sent leaves the interface: for a moment after its link has come up the kernel takes frames and throws them away,
 * without an error, and counts them.
 */
function leaves(name: string, send: () => boolean | undefined): boolean {
  const before = sendDrops(name);
  return send() === true && sendDrops(name) === before;
}

/** The column "drop" of what it transmits, in the namespace of this process. */
function sendDrops(name: string): number {
  const line = readFileSync('/proc/self/net/dev', 'utf8')
    .split('\n')
    .find((each) => each.trim().startsWith(`${name}:`));
  return Number(line?.split(':')[1]?.trim().split(/\s+/)[11]);
}

const numberOf = (frame: Uint8Array): number => Buffer.from(frame).readUInt32BE(14);

function suite(): void {
  const addon = loadNative();
  let far: PcapHandle | undefined;
  const say = (number: number, length?: number): void => {
    assert.equal(far?.send(frameOf(number, length)), true);
  };

  before(() => {
    ip('link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far');
    for (const end of ['near', 'far']) ip('link', 'set', end, 'addrgenmode', 'none', 'up');
    for (const end of ['near', 'far']) untilCarries(end);
    far = addon.openCapture(optionsOf('far', { filter: 'less 1' }), () => {});
  });
  after(() => far?.close());

  test('frames come in order, in batches that let others have their turn, with their age', async () => {
    const batches: { numbers: number[]; agesMs: number[] }[] = [];
    let turns = 0;
    const near = addon.openCapture(optionsOf('near'), (frames, agesMs) => {
      batches.push({ numbers: frames.map(numberOf), agesMs: [...agesMs] });
      setImmediate(() => turns++);
    });
    try {
      const startMs = performance.now();
      for (let i = 0; i < 3 * BATCH; i++) say(i);
      const saidMs = performance.now();
      while (performance.now() < saidMs + 200);
      await waitFor('all frames', () => batches.flatMap(({ numbers }) => numbers).length === 3 * BATCH);
      const readMs = performance.now();
      assert.deepEqual(
        batches.flatMap(({ numbers }) => numbers),
        Array.from({ length: 3 * BATCH }, (_, i) => i),
      );
      assert.ok(batches.every(({ numbers, agesMs }) => numbers.length <= BATCH && agesMs.length <= BATCH));
      assert.ok(turns >= batches.length - 1);
      const agesMs = batches.flatMap((batch) => batch.agesMs);
      assert.ok(
        agesMs.every((ageMs) => ageMs >= 195 && ageMs <= readMs - startMs + 5),
        `${agesMs}`,
      );
    } finally {
      near.close();
    }
  });

  test('the filter of the router lets DHCP of both families through, whoever it is for, and no other UDP', async () => {
    const own = '02:00:00:00:00:fe';
    const node = '52:54:00:00:00:09';
    const payload = new Uint8Array(40).fill(7);
    const udp4 = (to: string, ports: UdpFields['ports'], from = node): Uint8Array =>
      udpFrame({ from, to, source: '10.1.0.9', destination: '10.1.0.12', ports, payload });
    const udp6 = (ports: UdpFields['ports']): Uint8Array => {
      const addresses = { source: 'fe800000000000000000000000000009', destination: SERVERS_6 };
      return udpFrame({ from: node, to: SERVERS_MAC_6, ...addresses, ports, payload });
    };
    const wanted = [
      ...[udp4(BROADCAST_MAC, [68, 67]), udp4(own, [68, 67]), udp4(node, [67, 68], '52:54:00:00:00:12')],
      ...[udp6([546, 547]), udp6([547, 546]), udp6([40_000, 546])],
    ];
    const others = [
      ...[udp4(BROADCAST_MAC, [67, 69]), udp4(BROADCAST_MAC, [68, 547]), udp4(BROADCAST_MAC, [68, 67], own)],
      ...[udp6([546, 53]), udp6([68, 67]), udp4(own, [67, 67]), udp6([547, 547])],
    ];
    const seen: Uint8Array[] = [];
    const filter = captureFilter([mac(own)]);
    const near = addon.openCapture(optionsOf('near', { filter, frameBytes: 1_522 }), (some) =>
      seen.push(...some),
    );
    try {
      for (const frame of [...others, ...wanted]) assert.equal(far?.send(frame), true);
      await waitFor('all that is wanted', () => seen.length >= wanted.length);
      assert.deepEqual(seen, wanted.map(plain));
    } finally {
      near.close();
    }
  });

  test('from a shared MAC the filter lets through what another machine says to all, and nothing of our own', async () => {
    const own = '02:00:00:00:00:fe';
    const shared = '00:00:5e:00:01:07';
    const arp = (from: string, to: string, number: number): Uint8Array => {
      const frame = Buffer.alloc(60, number);
      Buffer.from(`${to}${from}`.replaceAll(':', ''), 'hex').copy(frame);
      frame.writeUInt16BE(0x0806, 12);
      return frame;
    };
    const node = '52:54:00:00:00:09';
    const seen: Uint8Array[] = [];
    const near = addon.openCapture(
      optionsOf('near', { filter: captureFilter([mac(own)], [mac(shared)]) }),
      (some) => seen.push(...some),
    );
    const speaker = addon.openCapture(optionsOf('near', { filter: 'less 1' }), () => {});
    try {
      // libpcap itself looks at the first frame, and cannot tell which way it goes.
      assert.equal(far?.send(arp(node, BROADCAST_MAC, 0)), true);
      await waitFor('the first frame', () => seen.splice(0).length === 1);
      // By the handle that captures, and by another socket, as the packet engine's.
      for (const handle of [near, speaker]) {
        for (const from of [own, shared]) assert.equal(handle.send(arp(from, BROADCAST_MAC, 1)), true);
      }
      const others = [arp(shared, node, 2), arp(own, BROADCAST_MAC, 3)];
      const wanted = [
        arp(shared, BROADCAST_MAC, 4),
        arp(shared, '33:33:00:00:00:01', 5),
        arp(node, BROADCAST_MAC, 6),
        arp(node, shared, 7),
      ];
      for (const frame of [...others, ...wanted]) assert.equal(far?.send(frame), true);
      await waitFor('all that is wanted', () => seen.length >= wanted.length);
      assert.deepEqual(seen, wanted.map(plain));
    } finally {
      speaker.close();
      near.close();
    }
  });

  test('a frame is a copy, cut to the length that was asked for', async () => {
    const frames: Uint8Array[] = [];
    const near = addon.openCapture(optionsOf('near', { frameBytes: 100 }), (some) => frames.push(...some));
    try {
      say(1, 60);
      say(2, 1_500);
      await waitFor('both', () => frames.length === 2);
      assert.deepEqual(frames, [frameOf(1, 60), frameOf(2, 1_500).subarray(0, 100)].map(plain));
    } finally {
      near.close();
    }
  });

  test('what the ring has no room for is counted', async () => {
    let received = 0;
    const near = addon.openCapture(optionsOf('near', { ringBytes: 64 * 1024 }), (frames) => {
      received += frames.length;
    });
    try {
      for (let i = 0; i < 2_000; i++) say(i);
      await waitFor('all frames', () => received + near.drops() === 2_000);
      assert.ok(received > 0 && near.drops() > 0, `${received} received, ${near.drops()} lost`);
    } finally {
      near.close();
      assert.equal(near.drops(), 0);
    }
  });

  test('an interface that was down is still captured, from the first frame on', async () => {
    const numbers: number[] = [];
    const near = addon.openCapture(optionsOf('near'), (frames) => numbers.push(...frames.map(numberOf)));
    try {
      for (let round = 1; round <= 3; round++) {
        ip('link', 'set', 'near', 'down');
        assert.equal(near.send(frameOf(0)), false);
        await pause(20); // so that the event loop hears of it, by an error
        ip('link', 'set', 'near', 'up');
        await waitFor('the link', () => leaves('far', () => far?.send(frameOf(round))));
        await waitFor('a frame', () => numbers.includes(round));
      }
    } finally {
      near.close();
    }
  });

  test('what its interface’s end leaves is harmless', async () => {
    ip('link', 'add', 'gone', 'type', 'veth', 'peer', 'name', 'gone2');
    for (const end of ['gone', 'gone2']) ip('link', 'set', end, 'up');
    const capture = addon.openCapture(optionsOf('gone'), () => {});
    ip('link', 'delete', 'gone');
    const before = process.cpuUsage();
    await pause(200);
    const { user, system } = process.cpuUsage(before);
    assert.ok(user + system < 100_000, `${user + system} µs of work for nothing`);
    assert.equal(capture.send(frameOf(1)), false);
    capture.close();
  });

  test('closed by its own listener it says no more; closing twice and sending are harmless', async () => {
    let batches = 0;
    const near = addon.openCapture(optionsOf('near'), () => {
      batches++;
      near.close();
    });
    for (let i = 0; i < 3 * BATCH; i++) say(i);
    await waitFor('a batch', () => batches > 0);
    await pause(50);
    assert.equal(batches, 1);
    near.close();
    assert.equal(near.send(frameOf(1)), false);
  });

  test('what cannot be is refused by name', () => {
    const open = (more: object) => () =>
      addon.openCapture({ ...optionsOf('near'), ...more } as PcapOptions, () => {}).close();
    assert.throws(open({ interface: 'no-such' }), { code: 'ENODEV' });
    assert.throws(open({ interface: 'any' }), { code: 'ENODEV' });
    assert.throws(open({ interface: 7 }), TypeError);
    assert.throws(open({ filter: 'no such filter' }), /syntax error/);
    assert.throws(open({ filter: `arp${' or arp'.repeat(1_000)}` }), RangeError);
    for (const frameBytes of [0, 63, 262_145, -1, Number.NaN, 1.5]) assert.throws(open({ frameBytes }));
    for (const ringBytes of [0, 65_535, 2 ** 31, 2 ** 32]) assert.throws(open({ ringBytes }), RangeError);
    assert.throws(() => addon.openCapture(optionsOf('near'), undefined as never), TypeError);
    ip('link', 'set', 'near', 'down');
    assert.throws(open({}), /not up/);
    ip('link', 'set', 'near', 'up');
    const tun = addon.openTun('tun-capture', 0);
    ip('link', 'set', 'tun-capture', 'up');
    assert.throws(open({ interface: 'tun-capture' }), /not Ethernet but RAW/);
    addon.closeSocket(tun.fd);
    const near = addon.openCapture(optionsOf('near'), () => {});
    assert.throws(() => near.send('frame' as never), TypeError);
    assert.throws(() => near.send.call({} as PcapHandle, frameOf(1)), TypeError);
    assert.equal(near.send(new Uint8Array(0)), false);
    near.close();
  });

  test('a thread may end with a capture open', async () => {
    for (const end of ['', 'process.exit(0);', 'capture.close(); process.exit(0);']) {
      const worker = new Worker(
        `const { parentPort } = require('node:worker_threads');
        import(${JSON.stringify(nativeModule)}).then(({ loadNative }) => {
          const capture = loadNative().openCapture(${JSON.stringify(optionsOf('near'))}, () => {});
          parentPort.postMessage('open');
          parentPort.on('message', () => { ${end} });
        });`,
        { eval: true },
      );
      await once(worker, 'message');
      say(1);
      if (end === '') await worker.terminate();
      else {
        worker.postMessage('end');
        assert.deepEqual(await once(worker, 'exit'), [0]);
      }
    }
  });

  test('an open one keeps the process and what it captures, a closed one nothing', () => {
    // The far end's frames come from this process, before and after the collection of what looks like garbage.
    const result = inProcess(`
      let seen = 0;
      (() => { native.openCapture(${JSON.stringify(optionsOf('near'))}, (frames) => { seen += frames.length; }); })();
      globalThis.gc();
      const far = native.openCapture(${JSON.stringify(optionsOf('far', { filter: 'less 1' }))}, () => {});
      const frame = Uint8Array.from(${JSON.stringify([...frameOf(1)])});
      far.send(frame);
      setTimeout(() => {
        globalThis.gc();
        far.send(frame);
        far.close();
        setTimeout(() => { console.log('seen', seen); process.exit(0); }, 100);
      }, 100);`);
    assert.equal(result.stdout, 'seen 2\n', result.stderr);
    const closed = inProcess(`
      native.openCapture(${JSON.stringify(optionsOf('near'))}, () => {}).close();
      globalThis.gc();
      setImmediate(() => globalThis.gc());`);
    assert.deepEqual([closed.status, closed.signal], [0, null], closed.stderr);
  });

  test('an exception of the listener is nobody’s to swallow', () => {
    const { stdout, status } = inProcess(`
      process.on('uncaughtException', (error) => { console.log(error.message); process.exit(7); });
      native.openCapture(${JSON.stringify(optionsOf('near'))}, () => { throw new Error('no frames please'); });
      const far = native.openCapture(${JSON.stringify(optionsOf('far', { filter: 'less 1' }))}, () => {});
      far.send(Uint8Array.from(${JSON.stringify([...frameOf(1)])}));`);
    assert.deepEqual([stdout, status], ['no frames please\n', 7]);
  });
}

const plain = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);

function inProcess(lines: string) {
  const program = `import { loadNative } from ${JSON.stringify(nativeModule)};\nconst native = loadNative();\n${lines}`;
  return spawnSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 10_000,
  });
}
