/** VRRP advertisements of both families: whole, mutated, and mutated with a checksum that is right again. */
import assert from 'node:assert/strict';
import { checksumOf, sumOfWords } from '../../../src/arp/checksum.js';
import { writeU16 } from '../../../src/arp/ethernet.js';
import { type Family, Ip } from '../../../src/net/ip.js';
import { VRRP } from '../../../src/net/ip-protocol.js';
import {
  ADVERTISEMENT_DROP_REASONS,
  type Advertisement,
  decodeAdvertisement,
  encodeAdvertisement,
} from '../../../src/pair/advertisement.js';
import { mutated } from '../mutate.js';
import type { Random } from '../random.js';
import type { Target } from '../target.js';

const VRID = 51;

function advertisement(family: Family, random: Random): Advertisement {
  const address = (): Ip =>
    family === 4 ? Ip.v4(0x0a010000 | random.below(0x10000)) : Ip.v6(0xfe800000, 0, 0, random.word());
  return {
    source: address(),
    vrid: random.chance(90) ? VRID : 1 + random.below(255),
    priority: random.below(256),
    maxIntervalCs: 1 + random.below(4095),
    addresses: Array.from({ length: 1 + random.below(random.chance(5) ? 255 : 4) }, address),
  };
}

/** As a forger would do who wants to be heard: header, length and checksum are right, whatever the message says. */
function repaired(packet: Uint8Array, family: Family): Uint8Array {
  const [start, lengthAt, addressesAt] = family === 4 ? [20, 2, 12] : [40, 4, 8];
  if (packet.length < start + 8) return packet;
  const length = packet.length - start;
  writeU16(packet, lengthAt, family === 4 ? packet.length : length);
  writeU16(packet, start + 6, 0);
  const sum =
    sumOfWords(packet, addressesAt, start) + sumOfWords(packet, start, packet.length) + VRRP + length;
  writeU16(packet, start + 6, checksumOf(sum));
  return packet;
}

function work(random: Random): string {
  const family = random.pick([4, 6] as const);
  const sent = advertisement(family, random);
  const whole = encodeAdvertisement(sent);
  assert.deepEqual(decodeAdvertisement(whole, sent.vrid), sent);
  const message = whole.length - (family === 4 ? 20 : 40);
  const head = random.chance(50) ? 0 : whole.length - message;
  const changed = Uint8Array.from([...whole.subarray(0, head), ...mutated(whole.subarray(head), random)]);
  // One that mutation rarely meets.
  if (random.chance(2)) changed.fill(0, whole.length - message + 4, whole.length - message + 6);
  const packet = random.chance(60) ? repaired(changed, family) : changed;
  const copy = Uint8Array.from(packet);
  const read = decodeAdvertisement(packet, VRID);
  assert.deepEqual(packet, copy, 'the input was changed');
  if (typeof read === 'string') return read;
  assert.equal(read.vrid, VRID);
  // Whatever is taken can be said, and means the same then.
  assert.deepEqual(decodeAdvertisement(encodeAdvertisement(read), VRID), read);
  return `IPv${read.source.family}`;
}

export const advertisements: Target = {
  name: 'advertisements',
  outcomes: ['IPv4', 'IPv6', ...ADVERTISEMENT_DROP_REASONS],
  open: () => work,
};
