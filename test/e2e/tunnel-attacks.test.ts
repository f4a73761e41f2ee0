/** Recorded, cut, lengthened and changed messages of the real tunnel, sent by someone on the WAN, change nothing. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import { waitFor } from '../lab/wait.js';
import { cannotRun, ping, withLab } from './support.js';

const [INITIATION, RESPONSE, COOKIE, TRANSPORT] = [1, 2, 3, 4];
const ROUTER_A_MAC = '02:00:00:ff:00:01';
const RATE = 2_000;

/** UDP payloads of a capture file (classic pcap, Ethernet, IPv4 without options) that go to an address. */
function payloadsTo(address: string, file: string): Buffer[] {
  const bytes = readFileSync(file);
  const payloads: Buffer[] = [];
  for (let at = 24; at + 16 <= bytes.length; ) {
    const length = bytes.readUInt32LE(at + 8);
    const frame = bytes.subarray(at + 16, at + 16 + length);
    if (frame.subarray(30, 34).join('.') === address) payloads.push(frame.subarray(42));
    at += 16 + length;
  }
  return payloads;
}

/** Sends the messages, each as long as the first, a few thousand times in all, from many addresses. */
async function attack(lab: Lab, name: string, messages: readonly Buffer[]): Promise<void> {
  const [{ length } = Buffer.alloc(0)] = messages;
  const file = join(lab.directory, `attack-${name.replaceAll(' ', '-')}`);
  writeFileSync(file, Buffer.concat(messages));
  const to = ['192.0.2.1', '7700', '10.66.0.0', file, String(length), String(RATE), '0.6'];
  await lab.exec('attacker', [`${projectRoot}build/lab-flood`, 'eth0', ROUTER_A_MAC, ...to]);
}

function flipped(message: Buffer, bit: number): Buffer {
  const changed = Buffer.from(message);
  changed[bit >>> 3] = (changed[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
  return changed;
}

const all = (message: Buffer): Buffer[] =>
  Array.from({ length: message.length * 8 }, (_, bit) => flipped(message, bit));

test('what an attacker on the WAN recorded, cut, lengthened or changed', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site' }, async (lab) => {
    const router = lab.daemon('a');
    lab.addToWan('attacker', ['192.0.2.200/24']);
    await lab.exec('vr-a', ['ip', 'route', 'add', '10.66.0.0/16', 'via', '192.0.2.200']);
    await ping(lab, 'b1', '10.1.0.11');
    const capture = join(lab.directory, 'wan.pcap');
    const filter = ['udp', 'port', '7700'];
    const tcpdump = lab.spawn('wan', ['tcpdump', '-i', 'w-b', '-U', '-w', capture, '-s', '0', ...filter]);
    const seen = (type: number): Buffer | undefined =>
      payloadsTo('192.0.2.1', capture).find((payload) => payload[0] === type);
    try {
      await once(tcpdump.stderr, 'data'); // "listening on …"
      // Both begin when b is new: a hears an initiation and a response.
      await lab.daemon('b').kill('SIGKILL');
      lab.daemon('b').start();
      await waitFor('an initiation of b', () => seen(INITIATION) !== undefined, 20_000);
      await lab.waitConnected();
      await ping(lab, 'b1', '10.1.0.11');
      await waitFor('a transport message of b', () => seen(TRANSPORT) !== undefined);
    } finally {
      tcpdump.kill('SIGTERM');
    }
    const endpoint = async (): Promise<string | null | undefined> =>
      (await router.peers()).find(({ id }) => id === 'vr-b')?.endpoint;
    const before = { counters: await router.counters(), endpoint: await endpoint() };
    const recorded = (type: number): Buffer => seen(type) ?? assert.fail(`no message of type ${type}`);
    const initiation = recorded(INITIATION);
    const transport = recorded(TRANSPORT);
    // A response needs the initiator's luck in who calls first: one with right macs and wrong contents serves as well.
    const response =
      seen(RESPONSE) ?? Buffer.concat([Buffer.of(RESPONSE, 0, 0, 0), initiation.subarray(4, 92)]);
    const cookie = Buffer.concat([Buffer.of(COOKIE, 0, 0, 0), initiation.subarray(4, 64)]);
    const unknown = Buffer.from(transport);
    unknown.writeUInt32LE(0x12345678, 4);
    const attacks: Readonly<Record<string, readonly Buffer[]>> = {
      'replayed initiation': [initiation],
      'replayed response': [response],
      'replayed cookie reply': [cookie],
      'replayed transport': [transport],
      'changed initiation': all(initiation),
      'changed response': all(response),
      'changed cookie reply': all(cookie),
      'changed transport': all(transport),
      'cut initiation': [initiation.subarray(0, 147)],
      'cut response': [response.subarray(0, 91)],
      'cut transport': [transport.subarray(0, 31)],
      'long initiation': [Buffer.concat([initiation, Buffer.alloc(1)])],
      'long cookie reply': [Buffer.concat([cookie, Buffer.alloc(1_000)])],
      'long transport': [Buffer.concat([transport, Buffer.alloc(500)])],
      'unknown session': [unknown],
    };
    for (const [name, messages] of Object.entries(attacks)) await attack(lab, name, messages);
    const counters = await router.counters();
    const grown = (name: string): number => (counters[name] ?? 0) - (before.counters[name] ?? 0);
    for (const name of [
      'messages_malformed',
      'messages_unknown_session',
      'messages_not_authentic',
      'messages_replayed',
      'handshakes_bad_mac1',
      'handshake_drop_replayed',
      'handshake_drop_no_handshake',
    ]) {
      t.diagnostic(`${name} ${grown(name)}`);
      assert.ok(grown(name) > 0, `${name} is not counted`);
    }
    assert.equal(await endpoint(), before.endpoint, 'the peer has been led elsewhere');
    await ping(lab, 'b1', '10.1.0.11');
    await ping(lab, 'a1', '10.2.0.11');
    const peer = (await router.peers()).find(({ id }) => id === 'vr-b');
    assert.equal(peer?.state, 'up');
  }),
);
