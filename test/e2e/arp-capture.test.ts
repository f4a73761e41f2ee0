/** The life of a capture on real interfaces. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { announcementBroadcast } from '../../src/arp/announce.js';
import { FRAMES_OF_A_MAC } from '../../src/arp/frame-budget.js';
import { loadNative } from '../../src/dataplane/native.js';
import { Ip } from '../../src/net/ip.js';
import { formatMac } from '../../src/net/mac.js';
import { LanCapture } from '../../src/router/lan/lan-capture.js';
import { ArpLab, NODE_MAC, realClock, run, until, VR_MAC, whySkipped } from './arp-lab.js';

/** ARP, RARP, or neighbour discovery: the kernel may ask for its own address (DAD) at any time. */
function isNeighbourFrame(bytes: Uint8Array): boolean {
  const etherType = ((bytes[12] ?? 0) << 8) | (bytes[13] ?? 0);
  if (etherType === 0x0806 || etherType === 0x8035) return true;
  const icmpType = bytes[54] ?? 0;
  return etherType === 0x86dd && bytes[20] === 58 && (icmpType === 135 || icmpType === 136);
}

const imports = `
  import { openCapture } from ${JSON.stringify(new URL('../../src/arp/capture.js', import.meta.url))};
  import { loadNative } from ${JSON.stringify(new URL('../../src/dataplane/native.js', import.meta.url))};`;

describe('capture', { skip: whySkipped }, () => {
  const lab = new ArpLab();
  before(() => lab.up());
  after(() => lab.down());

  test('an interface that does not exist is named, and nothing crashes when it is collected as garbage', () => {
    const code = `${imports}
      const clock = { nowMs: () => 0, wallMs: () => 0, after: () => ({ cancel() {} }) };
      for (const name of ['nosuch0', '']) {
        try { openCapture(name, () => {}, { pcap: loadNative(), ownMacs: [1], clock }); } catch (error) { console.log(error.message); }
      }
      globalThis.gc();
      setTimeout(() => globalThis.gc(), 20);`;
    const flags = ['--expose-gc', '--input-type=module', '-e', code];
    const ended = spawnSync(process.execPath, flags, { encoding: 'utf8', timeout: 5000 });
    assert.equal(ended.status, 0, `${ended.signal} ${ended.stderr}`);
    const [missing, empty] = ended.stdout.split('\n');
    assert.equal(missing, 'interface nosuch0 does not exist');
    assert.equal(empty, 'interface  does not exist');
  });

  test('an interface that is down is named', () => {
    run('ip', 'link', 'set', lab.vrInterface, 'down');
    try {
      assert.throws(
        () => lab.openCapture(() => {}),
        /^Error: interface arp\d+v cannot be captured: .*not up/,
      );
    } finally {
      run('ip', 'link', 'set', lab.vrInterface, 'up');
    }
  });

  test('after close the process ends by itself, and closing twice and sending are harmless', () => {
    const code = `${imports}
      import { realClock } from ${JSON.stringify(new URL('./arp-lab.js', import.meta.url))};
      const options = { pcap: loadNative(), ownMacs: [1], clock: realClock };
      const capture = openCapture(${JSON.stringify(lab.vrInterface)}, () => {}, options);
      setTimeout(() => {
        capture.close();
        capture.close();
        capture.send(new Uint8Array(60));
        globalThis.gc();
        console.log('closed', capture.counters.sent);
      }, 50);`;
    const flags = ['--expose-gc', '--input-type=module', '-e', code];
    const ended = spawnSync(process.execPath, flags, { encoding: 'utf8', timeout: 5000 });
    assert.equal(ended.status, 0, `${ended.signal} ${ended.stderr}`);
    assert.equal(ended.stdout, 'closed 0\n');
  });

  test('a frame that the interface cannot take is counted', () => {
    const capture = lab.openCapture(() => {});
    try {
      capture.send(new Uint8Array(3));
      capture.send(new Uint8Array(100_000));
      assert.ok(capture.counters.sendErrors >= 1);
      const [frame] = announcementBroadcast(Ip.of('10.1.0.9'), NODE_MAC, VR_MAC);
      assert.ok(frame);
      capture.send(frame);
      assert.equal(capture.counters.sent + capture.counters.sendErrors, 3);
      assert.ok(capture.counters.sent >= 1);
    } finally {
      capture.close();
    }
  });

  test('frames that are none of ours stay in the kernel', async () => {
    let others = 0;
    const capture = lab.openCapture((bytes) => {
      if (!isNeighbourFrame(bytes)) others++;
    });
    try {
      await lab.pings(lab.node, '10.1.0.2');
      lab.in(lab.node, 'arping', '-q', '-c', '1', '-U', '-I', 'eth0', '10.1.0.9');
      await until('an ARP frame', () => (capture.counters.received > 0 ? true : undefined));
      assert.equal(others, 0);
    } finally {
      capture.close();
    }
  });

  test('a machine that floods the LAN costs its budget, and the others are heard', async () => {
    const heard = new Map<string, number>();
    const capture = new LanCapture(
      { index: 0, interface: lab.vrInterface, vnet: 1, mac: VR_MAC, addresses: [] },
      loadNative(),
      realClock,
      {
        neighbour: (frame) => {
          const from = formatMac(frame.ethernetSource);
          heard.set(from, (heard.get(from) ?? 0) + 1);
        },
        dhcp: () => {},
        virtualMac: () => {},
        toGroup: () => {},
      },
      (mac) => mac === NODE_MAC,
    );
    // 2,500 ARP requests, all from one MAC, as fast as libpcap's few slots can be emptied.
    const flood = `
import socket, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(('eth0', 0))
src = bytes.fromhex('020000000077')
for i in range(2500):
    arp = bytes.fromhex('0001080006040001') + src + bytes([10,1,0,77]) + bytes(6) + bytes([10,1,i >> 8,i & 255])
    s.send(b'\\xff' * 6 + src + b'\\x08\\x06' + arp + bytes(18))
    time.sleep(0.0005)`;
    try {
      const command = ['netns', 'exec', lab.host, 'python3', '-c', flood];
      const startedMs = realClock.nowMs();
      const flooding = promisify(execFile)('ip', command);
      await until('the flood', () => ((heard.get('02:00:00:00:00:77') ?? 0) > 300 ? true : undefined));
      const announce = ['netns', 'exec', lab.node, 'arping', '-q', '-c', '1', '-U', '-I', 'eth0', '10.1.0.9'];
      await Promise.all([flooding, promisify(execFile)('ip', announce)]);
      await until('all is read', () => ((heard.get('02:00:00:00:00:09') ?? 0) > 0 ? true : undefined));
      const counters = capture.counters();
      const taken = heard.get('02:00:00:00:00:77') ?? 0;
      const seconds = (realClock.nowMs() - startedMs) / 1_000;
      const { burst, perSecond } = FRAMES_OF_A_MAC;
      assert.ok(taken <= burst + perSecond * seconds + 1, `${taken} frames worked on in ${seconds} s`);
      assert.ok((counters.arp_frames_over_budget_mac ?? 0) > 300, JSON.stringify(counters));
      assert.equal(counters.arp_frames_over_budget_lan, 0);
    } finally {
      capture.close();
    }
  });

  test('a frame carries the time at which it was captured, however late it is read', async () => {
    const times: number[] = [];
    const capture = lab.openCapture((bytes, atMs) => {
      if (Buffer.from(bytes).readUInt16BE(12) === 0x0806) times.push(atMs);
    });
    try {
      // Each waits for the program to end, and nothing is read meanwhile.
      const startMs = performance.now();
      lab.in(lab.node, 'arping', '-q', '-c', '1', '-U', '-I', 'eth0', '10.1.0.9');
      const betweenMs = performance.now();
      lab.in(lab.node, 'arping', '-q', '-c', '1', '-U', '-I', 'eth0', '10.1.0.9');
      const endMs = performance.now();
      while (performance.now() < endMs + 200);
      await until('both frames', () => (times.length === 2 ? true : undefined));
      const [first = 0, second = 0] = times;
      const text = `${first} and ${second}, sent from ${startMs} to ${betweenMs} and to ${endMs}`;
      assert.ok(first >= startMs - 1 && first <= betweenMs + 1, text);
      assert.ok(second >= betweenMs - 1 && second <= endMs + 1, text);
    } finally {
      capture.close();
    }
  });

  test('an interface that was down is captured again', async () => {
    const capture = lab.openCapture(() => {});
    try {
      for (let round = 1; round <= 2; round++) {
        run('ip', 'link', 'set', lab.vrInterface, 'down');
        capture.send(new Uint8Array(60));
        if (round === 1) await sleep(400);
        run('ip', 'link', 'set', lab.vrInterface, 'up');
        await until('opened again', () => (capture.counters.reopened >= round ? true : undefined));
        const before = capture.counters.received;
        const asking = lab.pings(lab.node, `10.1.0.${80 + round}`, 1);
        await until('a frame', () => (capture.counters.received > before ? true : undefined));
        await asking;
      }
      assert.ok(capture.counters.sendErrors >= 2);
    } finally {
      capture.close();
    }
  });
});
