/** Random and mutated frames never make a decoder throw; what is encoded is decoded to the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { announcementBroadcast, announcementTo, answer, probe } from '../../src/arp/announce.js';
import { ArpOperation } from '../../src/arp/arp.js';
import {
  decodeNeighbourFrame,
  encodeNeighbourFrame,
  isGratuitous,
  isProbe,
  NEIGHBOUR_DROP_REASONS,
  type NeighbourFrame,
} from '../../src/arp/frame.js';
import { solicitedNodeAddress } from '../../src/arp/ipv6.js';
import { Ip } from '../../src/net/ip.js';
import { type Mac, readMac } from '../../src/net/mac.js';
import * as vectors from '../unit/arp/vectors.js';

/** Each property's share of about 2 s; `FUZZ_MS` for longer runs by hand. */
const limits = { numRuns: 100_000, interruptAfterTimeLimit: Number(process.env.FUZZ_MS ?? 400) };

const anyMac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => readMac(bytes, 0));
const hostMac = fc
  .uint8Array({ minLength: 6, maxLength: 6 })
  .map((bytes) => {
    bytes[0] = (bytes[0] ?? 0) & 0xfe;
    return readMac(bytes, 0);
  })
  .filter((mac) => mac !== 0);
const anyV4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => Ip.read(4, bytes, 0));
const anyV6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Ip.read(6, bytes, 0));
const hostV4 = anyV4.filter((ip) => !ip.isGroup && !ip.isLoopback);
const hostV6 = anyV6.filter((ip) => !ip.isGroup && !ip.isLoopback && !ip.isUnspecified);

/** With an ordinary prototype, as decoders give. */
const plain = { noNullPrototype: true } as const;
const ethernet = { ethernetSource: hostMac, ethernetDestination: anyMac };
const addresses = { senderMac: hostMac, senderIp: hostV4, targetMac: anyMac, targetIp: anyV4 };
const arp = fc.record(
  {
    kind: fc.constant('arp' as const),
    ...ethernet,
    operation: fc.constantFrom(ArpOperation.request, ArpOperation.reply),
    ...addresses,
  },
  plain,
);
const rarp = fc.record(
  {
    kind: fc.constant('rarp' as const),
    ...ethernet,
    operation: fc.constantFrom(ArpOperation.reverseRequest, ArpOperation.reverseReply),
    ...addresses,
  },
  plain,
);
const option = fc.option(hostMac, { nil: undefined });
const ns = fc.record(
  {
    kind: fc.constant('ns' as const),
    ...ethernet,
    source: hostV6,
    destination: anyV6,
    target: hostV6,
    sourceMac: option,
  },
  plain,
);
const dad = ns.map((message) => ({
  ...message,
  source: Ip.of('::'),
  destination: solicitedNodeAddress(message.target),
  sourceMac: undefined,
}));
const na = fc
  .record(
    {
      kind: fc.constant('na' as const),
      ...ethernet,
      source: hostV6,
      destination: anyV6,
      target: hostV6,
      targetMac: option,
      override: fc.boolean(),
      solicited: fc.boolean(),
      router: fc.boolean(),
    },
    plain,
  )
  .map((message) => ({ ...message, solicited: message.solicited && !message.destination.isGroup }));
const frame: fc.Arbitrary<NeighbourFrame> = fc.oneof(arp, rarp, ns, dad, na);

const REASONS = new Set<string>(NEIGHBOUR_DROP_REASONS);

/** Decodes; the result is a value that its own encoding gives again, or one of the listed reasons. */
function check(bytes: Uint8Array): void {
  const before = Uint8Array.from(bytes);
  const decoded = decodeNeighbourFrame(bytes);
  assert.deepEqual(bytes, before, 'the frame is only read');
  if (typeof decoded === 'string') {
    assert.ok(REASONS.has(decoded), decoded);
    return;
  }
  isGratuitous(decoded);
  isProbe(decoded);
  assert.deepEqual(decodeNeighbourFrame(encodeNeighbourFrame(decoded)), decoded);
}

test('decode(encode(frame)) is the frame', () => {
  fc.assert(
    fc.property(frame, (value) => {
      const bytes = encodeNeighbourFrame(value);
      assert.ok(bytes.length >= 60);
      assert.deepEqual(decodeNeighbourFrame(bytes), value);
    }),
    limits,
  );
});

test('random bytes', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), check), limits);
});

const SEEDS = Object.values(vectors).filter((value) => value instanceof Uint8Array);
const mutation = fc.record({
  at: fc.nat(120),
  kind: fc.constantFrom('set', 'flip', 'insert', 'delete', 'cut', 'grow'),
  byte: fc.nat(255),
});

function mutate(
  bytes: Uint8Array,
  changes: readonly { at: number; kind: string; byte: number }[],
): Uint8Array {
  const list = [...bytes];
  for (const { at, kind, byte } of changes) {
    const i = at % (list.length + 1);
    if (kind === 'set' && i < list.length) list[i] = byte;
    if (kind === 'flip' && i < list.length) list[i] = (list[i] ?? 0) ^ (1 << (byte & 7));
    if (kind === 'insert') list.splice(i, 0, byte);
    if (kind === 'delete') list.splice(i, 1);
    if (kind === 'cut') list.length = i;
    if (kind === 'grow') list.push(...new Array<number>(byte).fill(byte));
  }
  return Uint8Array.from(list);
}

test('mutated real frames', () => {
  const mutated = fc.tuple(fc.constantFrom(...SEEDS), fc.array(mutation, { minLength: 1, maxLength: 6 }));
  fc.assert(
    fc.property(mutated, ([seed, changes]) => check(mutate(seed, changes))),
    limits,
  );
});

/** Makes the checksum right, so that mutations reach what lies behind it. */
function resummed(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 58 || bytes[12] !== 0x86) return bytes;
  const frame = Uint8Array.from(bytes);
  const length = ((frame[18] ?? 0) << 8) | (frame[19] ?? 0);
  frame.set([0, 0], 56);
  let sum = length + 58;
  for (let i = 22; i < 54 + length && i < frame.length; i += 2) {
    sum += ((frame[i] ?? 0) << 8) | (i + 1 < 54 + length ? (frame[i + 1] ?? 0) : 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  frame.set([(sum ^ 0xffff) >>> 8, (sum ^ 0xffff) & 0xff], 56);
  return frame;
}

test('mutated neighbour discovery with a right checksum', () => {
  const seeds = SEEDS.filter((seed) => seed[12] === 0x86);
  const mutated = fc.tuple(fc.constantFrom(...seeds), fc.array(mutation, { minLength: 1, maxLength: 4 }));
  fc.assert(
    fc.property(mutated, ([seed, changes]) => check(resummed(mutate(seed, changes)))),
    limits,
  );
});

test('whatever is announced, probed or answered can be decoded', () => {
  const ip = fc.oneof(
    hostV4.filter((value) => !value.isUnspecified),
    hostV6,
  );
  fc.assert(
    fc.property(ip, hostMac, hostMac, hostMac, fc.oneof(arp, ns), (about, at, via, to, question) => {
      const frames = [
        ...announcementBroadcast(about, at, via),
        ...announcementTo(about, at, via, to, undefined),
        probe(about, via, to, undefined),
      ];
      for (const bytes of frames) {
        const decoded = decodeNeighbourFrame(bytes);
        assert.ok(typeof decoded !== 'string', `dropped: ${String(decoded)}`);
        assert.equal(decoded.ethernetSource, via as Mac);
      }
      if (question.kind === 'arp' && (question.targetIp.isGroup || question.targetIp.isLoopback)) return;
      assert.ok(typeof decodeNeighbourFrame(answer(question, at, via)) !== 'string');
    }),
    limits,
  );
});
