import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ControlCodec } from '../../src/tunnel/codec/control-codec.js';
import { createIdentity, hasValidMac1, openInitiation } from '../../src/tunnel/handshake.js';
import { decodeMessage, MessageType } from '../../src/tunnel/messages.js';
import { World } from '../sim/tunnel-world.js';
import { SAMPLES } from '../unit/tunnel/control-samples.js';

/** More runs by hand: `FUZZ_RUNS=1000000`. fast-check prints the seed of a failure. */
const numRuns = Number(process.env.FUZZ_RUNS ?? 3_000);

const codec = new ControlCodec();
const PAYLOADS = SAMPLES.map((body) =>
  codec.encode({ id: 7, acks: [1, 2], epoch: 3, ackEpoch: 4, oldest: 1, body }),
);

/** Some bytes of a good input overwritten, its end cut off or something appended. */
function mutated(originals: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const change = fc.tuple(fc.nat(400), fc.nat(255));
  return fc
    .tuple(
      fc.constantFrom(...originals),
      fc.array(change, { maxLength: 6 }),
      fc.option(fc.nat(200), { nil: undefined }),
      fc.uint8Array({ maxLength: 20 }),
    )
    .map(([original, changes, length, tail]) => {
      const bytes = Uint8Array.from([...original.subarray(0, length), ...tail]);
      for (const [offset, value] of changes) if (bytes.length > 0) bytes[offset % bytes.length] = value;
      return bytes;
    });
}

describe('decoders never throw', () => {
  it('control payloads: random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        codec.decode(bytes);
        codec.decode(Uint8Array.from([0x20, ...bytes]));
      }),
      { numRuns },
    );
  });

  it('control payloads: mutated messages; what is taken can be sent again and means the same', () => {
    let taken = 0;
    fc.assert(
      fc.property(mutated(PAYLOADS), (bytes) => {
        const decoded = codec.decode(bytes);
        if (typeof decoded === 'string') return;
        taken++;
        assert.deepEqual(codec.decode(codec.encode(decoded.envelope)), {
          envelope: decoded.envelope,
          unknownFields: 0,
        });
      }),
      { numRuns },
    );
    assert.ok(taken > numRuns / 100, 'hardly anything was taken');
  });

  it('control payloads: padding of any length is no part of a message', () => {
    for (const payload of PAYLOADS) {
      for (let zeros = 0; zeros < 16; zeros++) {
        assert.deepEqual(
          codec.decode(Uint8Array.from([...payload, ...new Uint8Array(zeros)])),
          codec.decode(payload),
        );
      }
      assert.equal(codec.decode(Uint8Array.from([...payload, 0, 1, 0])), 'not-protobuf');
    }
  });

  it('datagrams', () => {
    const identity = createIdentity('chacha20-poly1305', new Uint8Array(32).fill(1));
    const sizes = [148, 92, 64, 32, 4].map((size) => new Uint8Array(size));
    const originals = [1, 2, 3, 4].flatMap((type) => sizes.map((bytes) => bytes.with(0, type)));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated(originals)), (bytes) => {
        const message = decodeMessage(bytes);
        if (typeof message === 'string') return;
        if (message.type === MessageType.initiation) {
          assert.equal(hasValidMac1(identity, message), false);
          assert.equal(typeof openInitiation(identity, message, () => undefined), 'string');
        }
      }),
      { numRuns },
    );
  });
});

describe('a running tunnel', () => {
  it('survives mutated handshakes and control payloads of its peer, and goes on', (test) => {
    const world = new World({ routers: ['vr-a', 'vr-b'] });
    test.diagnostic(`seed ${world.seed}`);
    const a = world.start('vr-a');
    const b = world.start('vr-b');
    const bothUp = (): boolean => a.stateOf('vr-b') === 'up' && b.stateOf('vr-a') === 'up';
    world.until('up', bothUp, 1_000);
    const handshakes = world.sent.filter(({ bytes }) => (bytes[0] ?? 0) < 4).map(({ bytes }) => bytes);
    fc.assert(
      fc.property(mutated(handshakes), mutated(PAYLOADS), (handshake, payload) => {
        a.tunnel.handshakeReceived(handshake, b.address);
        a.tunnel.controlReceived(1, payload);
        a.tunnel.controlReceived(9, payload);
        world.clock.advance(1);
      }),
      { numRuns: Math.min(numRuns, 2_000) },
    );
    world.until('up again', bothUp, 120_000);
  });
});
