/** Control payloads: the protobuf messages that a peer sends, whole, mutated, and put together field by field. */
import assert from 'node:assert/strict';
import { ControlCodec } from '../../../src/protocol/control-codec.js';
import { SAMPLES } from '../../unit/protocol/control-samples.js';
import { joined, mutated } from '../mutate.js';
import type { Random } from '../random.js';
import type { Target } from '../target.js';

const FIRST_BYTE = 0x20;
const DEEPEST = 5;

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

function oddNumber(random: Random): bigint {
  const odd = [
    0n,
    1n,
    127n,
    128n,
    65_535n,
    65_536n,
    2n ** 31n,
    2n ** 32n - 1n,
    2n ** 52n,
    2n ** 52n + 1n,
    2n ** 53n - 1n,
    2n ** 53n,
    2n ** 64n - 1n,
  ];
  return random.chance(60) ? random.pick(odd) : BigInt(random.word() >>> random.below(32));
}

/** What may stand in a field of bytes: a number of bytes that means something, a text, or a message. */
function content(random: Random, depth: number): Uint8Array {
  if (depth < DEEPEST && random.chance(60)) return fields(random, depth + 1);
  if (random.chance(30))
    return Buffer.from(random.pick(['vr-a', 'vr-b', 'rarp', 'x'.repeat(300), 'größe', '\u0000']));
  return random.bytes(random.pick([0, 4, 6, 16, 32, 1, 5, 17]));
}

function fields(random: Random, depth: number): Uint8Array {
  return joined(...Array.from({ length: random.below(6) }, () => field(random, depth)));
}

function field(random: Random, depth: number): Uint8Array {
  // In an envelope the bodies begin at 16; inside them there are few fields.
  const isBody = depth === 0 && random.chance(60);
  const number = isBody ? 16 + random.below(20) : 1 + random.below(9);
  const wire = isBody || random.chance(40) ? 2 : random.pick([0, 0, 0, 0, 1, 5, 3, 4, 6, 7]);
  const tag = varint(BigInt((number << 3) | wire));
  if (wire === 0)
    return joined(tag, random.chance(90) ? varint(oddNumber(random)) : random.bytes(random.below(12)));
  if (wire === 1) return joined(tag, random.bytes(8));
  if (wire === 5) return joined(tag, random.bytes(4));
  if (wire !== 2) return tag;
  const inside = content(random, depth);
  const length = random.chance(95) ? BigInt(inside.length) : oddNumber(random);
  return joined(tag, varint(length), inside);
}

class Control {
  readonly #codec = new ControlCodec();
  readonly #good = SAMPLES.map((body) =>
    this.#codec.encode({ id: 7, acks: [1, 2], epoch: 3, ackEpoch: 4, oldest: 1, body }),
  );

  work(random: Random): string {
    const payload = this.#payload(random);
    const decoded = this.#codec.decode(payload);
    if (typeof decoded === 'string') return decoded;
    // What is taken can be sent again, and means the same.
    const again = this.#codec.decode(this.#codec.encode(decoded.envelope));
    assert.deepEqual(again, { envelope: decoded.envelope, unknownFields: 0 });
    // Padding is no part of it.
    assert.deepEqual(this.#codec.decode(joined(payload, new Uint8Array(random.below(20)))), decoded);
    if (decoded.unknownFields > 0) return 'taken, with unknown fields';
    return `taken: ${decoded.envelope.body?.type ?? 'ack'}`;
  }

  #payload(random: Random): Uint8Array {
    switch (random.below(4)) {
      case 0:
        return joined(
          random.chance(90) ? Uint8Array.of(FIRST_BYTE) : random.bytes(random.below(2)),
          random.bytes(random.below(200)),
        );
      case 1:
        return joined(Uint8Array.of(FIRST_BYTE), fields(random, 0));
      default:
        return mutated(random.pick(this.#good), random);
    }
  }
}

export const control: Target = {
  name: 'control',
  outcomes: [
    'empty',
    'not-control',
    'unsupported-version',
    'not-protobuf',
    'taken, with unknown fields',
    ...[
      'ack',
      'hello',
      'ping',
      'pong',
      'bye',
      'records',
      'digest',
      'claim',
      'seek',
      'seen',
      'partnerRecords',
      'partnerDigests',
      'partnerWhole',
    ].map((type) => `taken: ${type}`),
  ],
  open: () => {
    const state = new Control();
    return (random) => state.work(random);
  },
};
