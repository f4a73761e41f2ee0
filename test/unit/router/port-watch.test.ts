/** What of a platform's filters can be noticed from inside: silence, answers that are not heeded, frames that never come. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answer } from '../../../src/arp/announce.js';
import {
  ArpOperation,
  type ArpPacket,
  decodeNeighbourFrame,
  type NeighbourFrame,
} from '../../../src/arp/frame.js';
import type { Finding } from '../../../src/config/finding.js';
import { Ip } from '../../../src/net/ip.js';
import { BROADCAST_MAC, type Mac, mac, ZERO_MAC } from '../../../src/net/mac.js';
import { PortWatch } from '../../../src/router/lan/port/port-watch.js';
import { strayMac } from '../../../src/router/lan/port/stray-probe.js';
import { Unheeded } from '../../../src/router/lan/port/unheeded.js';
import { checkPorts } from '../../../src/router/view/platform-doctor.js';
import { Hwdt } from '../../../src/tables/hwdt.js';
import { Lans } from '../../../src/tables/lan.js';
import { SimClock } from '../../support/sim-clock.js';

const OWN = mac('52:54:00:00:00:fe');
const [H1, H2] = [mac('52:54:00:00:00:01'), mac('52:54:00:00:00:02')];
const [IP1, IP2, AWAY] = [Ip.of('10.1.0.1'), Ip.of('10.1.0.2'), Ip.of('10.1.0.9')];
const MINUTE_MS = 60_000;

interface Sent {
  readonly lan: number;
  readonly frame: NeighbourFrame;
}

function rig() {
  const clock = new SimClock();
  const lan = { index: 0, interface: 'lan0', vnet: 1, mac: OWN, addresses: [] };
  const lans = new Lans([lan]);
  const hwdt = new Hwdt(clock);
  const sent: Sent[] = [];
  const state = { away: false, others: 0 };
  const watch = new PortWatch({
    clock,
    lans,
    hwdt,
    rescue: { isForNodes: () => state.away },
    plane: { counters: () => ({ frames_to_others: state.others, rescued: 0 }) },
    sendFrame: (index, bytes) => {
      const frame = decodeNeighbourFrame(bytes);
      assert.ok(typeof frame !== 'string');
      sent.push({ lan: index, frame });
    },
  });
  const hosts = (): void => {
    hwdt.learn(0, 1, H1, IP1, 'arp-request');
    hwdt.learn(0, 1, H2, IP2, 'arp-request');
  };
  /** @param meanwhile what is heard before the time for answers is over */
  const report = async (meanwhile = (): void => {}): Promise<Finding[]> => {
    const findings = checkPorts(watch);
    meanwhile();
    clock.advance(500);
    return findings;
  };
  const complaints = async (meanwhile?: () => void): Promise<string[]> =>
    (await report(meanwhile)).filter(({ level }) => level !== 'ok').map(line);
  return { clock, lans, hwdt, sent, state, watch, hosts, report, complaints };
}

const line = ({ level, check, subject, message }: Finding): string =>
  `${level} ${check} ${subject}: ${message}`;

const question = (asker: Mac, to: Mac = BROADCAST_MAC, target = AWAY): ArpPacket => ({
  kind: 'arp',
  ethernetSource: asker,
  ethernetDestination: to,
  operation: ArpOperation.request,
  senderMac: asker,
  senderIp: IP1,
  targetMac: ZERO_MAC,
  targetIp: target,
});

test('silence is told of when it lasts ten minutes and two machines are there all the same', async () => {
  const { clock, watch, hosts, complaints } = rig();
  clock.advance(10 * MINUTE_MS - 500);
  hosts();
  assert.deepEqual(await complaints(), []);
  assert.deepEqual(await complaints(), [
    'warning broadcasts lan0: nothing that is for all (ARP, neighbour discovery, DHCP) was heard there for 10 min, and 2 machines are there: the platform may keep it from this machine',
  ]);
  watch.groupHeard(0, clock.nowMs());
  assert.deepEqual(await complaints(), []);
  clock.advance(11 * MINUTE_MS);
  assert.deepEqual(await complaints(), [], 'the machines are silent too');
  hosts();
  assert.equal((await complaints()).length, 1);
});

test('one machine alone, and machines that were not heard for long, say nothing about silence', async () => {
  const { clock, hwdt, complaints } = rig();
  clock.advance(20 * MINUTE_MS);
  hwdt.learn(0, 1, H1, IP1, 'arp-request');
  hwdt.learn(0, 1, H1, IP2, 'arp-request');
  assert.deepEqual(await complaints(), []);
  hwdt.learn(0, 1, OWN, Ip.of('10.1.0.254'), 'static');
  assert.deepEqual(await complaints(), []);
});

test('questions to all that go on although they are answered', async () => {
  const { clock, watch, complaints } = rig();
  for (let i = 0; i < 4; i++) {
    watch.answered(0, question(H1));
    clock.advance(500);
  }
  assert.deepEqual(await complaints(), []);
  watch.answered(0, question(H1));
  assert.deepEqual(await complaints(), [
    'warning answers lans: hosts go on asking for what this router has answered each time: 52:54:00:00:00:01 on lan0 has asked for 10.1.0.9 5 times',
  ]);
  clock.advance(120_001);
  assert.deepEqual(await complaints(), [], 'it is over');
});

test('a question to this router alone, one that crosses its answer, and one after a while are no sign', async () => {
  const { clock, watch, complaints } = rig();
  for (let i = 0; i < 20; i++) {
    watch.answered(0, question(H1, OWN));
    clock.advance(1_000);
  }
  for (let i = 0; i < 20; i++) {
    watch.answered(0, question(H1));
    clock.advance(20);
  }
  clock.advance(10_001);
  for (let i = 0; i < 20; i++) {
    watch.answered(0, question(H2));
    clock.advance(10_001);
  }
  assert.deepEqual(await complaints(), []);
});

test('neighbour solicitations count as ARP does', async () => {
  const { clock, watch, complaints } = rig();
  const solicitation: NeighbourFrame = {
    kind: 'ns',
    ethernetSource: H1,
    ethernetDestination: mac('33:33:ff:00:00:09'),
    source: Ip.of('fd00:1::1'),
    destination: Ip.of('ff02::1:ff00:9'),
    target: Ip.of('fd00:1::9'),
    sourceMac: H1,
  };
  for (let i = 0; i < 5; i++) {
    watch.answered(0, solicitation);
    clock.advance(1_000);
  }
  assert.match((await complaints()).join(), /52:54:00:00:00:01 on lan0 has asked for fd00:1::9 5 times/);
});

test('made-up askers take no memory, and displace nobody who goes on asking', () => {
  const unheeded = new Unheeded();
  for (let second = 0; second < 10; second++) {
    unheeded.answered(0, H1, AWAY, second * 1_000);
    for (let i = 0; i < 200; i++) unheeded.answered(0, (second * 1_000 + i) as Mac, AWAY, second * 1_000 + i);
  }
  assert.deepEqual(
    unheeded.list(9_000).map(({ asker, questions }) => [asker, questions]),
    [[H1, 10]],
  );
});

test('whether frames to other MACs come is asked for while a node is away, unless some have come', async () => {
  const { clock, sent, state, watch, hosts, complaints, report } = rig();
  hosts();
  assert.deepEqual(await complaints(), []);
  assert.equal(sent.length, 0, 'no node is away');
  state.away = true;
  state.others = 7;
  assert.ok((await report()).map(line).includes('ok other-macs lan0: frames to other MACs come'));
  assert.equal(sent.length, 0);

  const findings = report();
  assert.equal(sent.length, 4);
  const stray = strayMac(OWN);
  for (const { frame } of sent) {
    assert.ok(frame.kind === 'arp' && frame.ethernetSource === OWN && frame.senderIp.isUnspecified);
    assert.equal(frame.ethernetDestination, frame.targetIp.equals(IP1) ? H1 : H2);
  }
  assert.deepEqual(
    sent.map(({ frame }) => (frame.kind === 'arp' ? frame.senderMac : 0)),
    [OWN, stray, OWN, stray],
  );
  assert.ok((await findings).map(line).includes('ok other-macs lan0: not checked: no machine there answers'));

  /** What a machine answers to the question that names this MAC as the sender's. */
  const reply = (to: Mac): NeighbourFrame => {
    const asked = sent.find(({ frame }) => frame.kind === 'arp' && frame.senderMac === to)?.frame;
    assert.ok(asked?.kind === 'arp');
    const frame = decodeNeighbourFrame(
      answer(asked, asked.ethernetDestination, asked.ethernetDestination, false),
    );
    assert.ok(typeof frame !== 'string');
    return frame;
  };
  const kept = await complaints(() => watch.frameSeen(0, reply(OWN)));
  assert.match(kept.join('\n'), /^warning other-macs lan0: a node is elsewhere, and frames to MACs/);
  const passes = await report(() => {
    watch.frameSeen(0, reply(OWN));
    watch.frameSeen(0, reply(stray));
  });
  assert.ok(passes.map(line).includes('ok other-macs lan0: a frame to a MAC that nobody has came'));
  clock.advance(11 * MINUTE_MS);
  sent.length = 0;
  await report();
  assert.equal(sent.length, 0, 'nobody is there to be asked');
});

test('an answer that comes late, or from somebody else, proves nothing', async () => {
  const { sent, state, watch, hosts, complaints } = rig();
  hosts();
  state.away = true;
  const stranger = mac('52:54:00:00:00:77');
  const reply = (from: Mac): ArpPacket => ({ ...question(from, OWN), operation: ArpOperation.reply });
  const others = await complaints(() => {
    watch.frameSeen(0, reply(stranger));
    watch.frameSeen(0, question(H1, OWN));
    watch.frameSeen(1, reply(H1));
  });
  assert.deepEqual(others, []);
  watch.frameSeen(0, reply(H1));
  assert.deepEqual(await complaints(), []);
  assert.equal((await complaints(() => watch.frameSeen(0, reply(H1)))).length, 1);
  assert.ok(sent.length > 0);
});

test('the MAC that nobody has is locally administered, no group, and never the own one', () => {
  for (const own of [OWN, mac('ae:00:00:00:00:01'), mac('00:00:5e:00:01:07')]) {
    const stray = strayMac(own);
    assert.notEqual(stray, own);
    const first = Math.floor(stray / 0x100_0000_0000);
    assert.equal(first & 3, 2);
    assert.equal(stray % 0x100_0000_0000, own % 0x100_0000_0000);
  }
});
