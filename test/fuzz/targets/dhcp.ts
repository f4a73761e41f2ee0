/** DHCP of both families: frames of a LAN and messages of members, whole and mutated. */
import assert from 'node:assert/strict';
import {
  asksForTheSame,
  confirmation,
  isGrant,
  replyAgain,
  shortestLifetime,
} from '../../../src/arp/dhcp/again6.js';
import { acknowledgeAgain, askedForBroadcast } from '../../../src/arp/dhcp/dhcp4.js';
import type { Dhcp6Message } from '../../../src/arp/dhcp/dhcp6.js';
import {
  type DhcpMessage,
  decodeDhcp,
  decodeDhcpFrame,
  encodeDhcpFrame,
} from '../../../src/arp/dhcp/frame.js';
import { MAX_DHCP_BYTES } from '../../../src/tables/limits.js';
import {
  BROADCAST_MAC,
  dhcp4,
  dhcp6,
  SERVERS_6,
  SERVERS_MAC_6,
  TYPE,
  TYPE_6,
  udpFrame,
} from '../../support/dhcp-messages.js';
import { mutated } from '../mutate.js';
import type { Random } from '../random.js';
import type { Target } from '../target.js';

const NODE = '52:54:00:00:00:09';
const ADDRESS_6 = 'fd00000100000000000000000a010009';

function message(family: 4 | 6, random: Random): Uint8Array {
  const bytes =
    family === 4
      ? dhcp4({
          type: random.pick(Object.values(TYPE)),
          mac: NODE,
          ...(random.chance(50) && { ciaddr: '10.1.0.9', yiaddr: '10.1.0.9' }),
          ...(random.chance(50) && { requested: '10.1.0.9' }),
          ...(random.chance(50) && { server: '10.1.0.12', leaseSeconds: random.word() >>> 0 }),
          ...(random.chance(50) && { clientId: '01525400000009' }),
        })
      : dhcp6({
          type: random.pick(Object.values(TYPE_6)),
          mac: NODE,
          ...(random.chance(50) && { addresses: [ADDRESS_6] }),
          ...(random.chance(50) && { serverDuid: '0003000152540000' }),
        });
  return random.chance(70) ? mutated(bytes, random) : bytes;
}

function frame(family: 4 | 6, payload: Uint8Array, random: Random): Uint8Array {
  const ports = random.chance(50) ? ([0, 1] as const) : ([1, 0] as const);
  const bytes =
    family === 4
      ? udpFrame({
          from: NODE,
          to: BROADCAST_MAC,
          source: '10.1.0.9',
          destination: '255.255.255.255',
          ports: [67 + ports[0], 67 + ports[1]],
          payload,
        })
      : udpFrame({
          from: NODE,
          to: SERVERS_MAC_6,
          source: 'fe800000000000000000000000000009',
          destination: SERVERS_6,
          ports: [546 + ports[0], 546 + ports[1]],
          payload,
        });
  return random.chance(40) ? mutated(bytes, random) : bytes;
}

/** What is read is read again from the bytes that are kept, and these are no more than can be carried. */
function holds(read: DhcpMessage): void {
  assert.ok(read.bytes.length <= MAX_DHCP_BYTES);
  assert.deepEqual(decodeDhcp(read.family, read.bytes), read);
  if (read.family === 6) {
    holds6(read);
    return;
  }
  const flagged = decodeDhcp(4, askedForBroadcast(read));
  assert.ok(typeof flagged !== 'string' && flagged.kind === read.kind);
  if (read.kind !== 'ack') return;
  const request = decodeDhcp(4, dhcp4({ type: TYPE.request, mac: NODE, xid: 77 }));
  assert.ok(typeof request !== 'string' && request.family === 4);
  const again = decodeDhcp(4, acknowledgeAgain(read, request, 1_000));
  // It may have become too long by the times that it did not have.
  if (again === 'too-long') return;
  assert.ok(typeof again !== 'string' && again.family === 4, `${JSON.stringify(again)}`);
  assert.deepEqual([again.kind, again.xid, again.leaseSeconds], ['ack', 77, 1_000]);
}

/** What a server grants can be granted again, shorter, to the same client; what it does not grant cannot. */
function holds6(read: Dhcp6Message): void {
  if (!isGrant(read)) return;
  const rebind = decodeDhcp(6, dhcp6({ type: TYPE_6.rebind, mac: NODE, xid: 77 }));
  assert.ok(typeof rebind !== 'string' && rebind.family === 6);
  const again = decodeDhcp(6, replyAgain(read, rebind, 1));
  assert.ok(typeof again !== 'string' && again.family === 6, `${JSON.stringify(again)}`);
  assert.deepEqual([again.xid, again.addresses, again.clientId], [77, read.addresses, read.clientId]);
  const [before, after] = [shortestLifetime(read), shortestLifetime(again)];
  assert.ok(after === Math.max(0, before - 1), `${before} s, then ${after} s`);
  assert.ok(asksForTheSame(again, read));
  if (read.kind !== 'reply') return;
  const confirmed = decodeDhcp(6, confirmation(read, rebind));
  assert.ok(
    typeof confirmed !== 'string' && confirmed.kind === 'reply' && !isGrant(confirmed as Dhcp6Message),
  );
}

function work(random: Random): string {
  const family = random.pick([4, 6] as const);
  const payload = message(family, random);
  const carried = decodeDhcp(family, payload);
  if (typeof carried !== 'string') holds(carried);
  const bytes = frame(family, payload, random);
  const copy = Uint8Array.from(bytes);
  const seen = decodeDhcpFrame(bytes);
  assert.deepEqual(bytes, copy, 'the input was changed');
  if (typeof seen === 'string') return typeof carried === 'string' ? `refused ${carried}` : `frame ${seen}`;
  holds(seen.message);
  const { message: read, ...addresses } = seen;
  const written = decodeDhcpFrame(encodeDhcpFrame(addresses, read.from, read.bytes));
  assert.deepEqual(written, seen);
  return `${read.from} ${read.family}`;
}

export const dhcp: Target = {
  name: 'dhcp',
  outcomes: ['client 4', 'server 4', 'client 6', 'server 6', 'refused option-length', 'frame udp-checksum'],
  open: () => work,
};
