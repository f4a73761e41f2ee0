/** The ring in which a packet worker hands messages up to the control thread. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Budgets } from '../../../../src/dataplane/budget/budgets.js';
import { MAX_PEERS } from '../../../../src/dataplane/engine.js';
import { PeerShares } from '../../../../src/dataplane/punt/peer-shares.js';
import type { AddressWords, MessageSource, Punt } from '../../../../src/dataplane/punt/punt.js';
import { Tally } from '../../../../src/dataplane/punt/punt.js';
import { PuntPolicer } from '../../../../src/dataplane/punt/punt-policer.js';
import { createPuntRing, PuntReader, PuntWriter } from '../../../../src/dataplane/punt/punt-ring.js';
import { Random } from '../../../fuzz/random.js';
import { SimClock } from '../../../support/sim-clock.js';

const V4: AddressWords = { family: 4, words: [0, 0, 0, 0x0a000001] };
const V6: AddressWords = { family: 6, words: [0xfd000000 | 0, -1, 0x7fffffff, -0x80000000] };
const BY_UDP: MessageSource = { address: V6, port: 65_535, stream: undefined, relay: undefined };
const BY_TCP: MessageSource = { address: V4, port: 1, stream: 2 ** 30 - 1, relay: undefined };
const BY_RELAY: MessageSource = { address: V4, port: 0, stream: undefined, relay: 0 };
const MOST_MAC = 0xffff_ffff_ffff;

/** Of every kind, with the least and the greatest that each field can be. */
const EVERY: Readonly<Record<Punt['type'], readonly Punt[]>> = {
  handshake: [
    { type: 'handshake', bytes: bytes(148), source: BY_UDP },
    { type: 'handshake', bytes: bytes(0), source: BY_RELAY },
  ],
  stream: [
    { type: 'stream', event: 'connected', stream: 0, source: BY_TCP, errno: 0 },
    { type: 'stream', event: 'accepted', stream: 2 ** 30 - 1, source: BY_UDP, errno: 0 },
    { type: 'stream', event: 'closed', stream: 5, source: BY_RELAY, errno: 111 },
  ],
  control: [0, 1, 2, 3, 4, 65_535].map((length) => ({
    type: 'control' as const,
    peer: MAX_PEERS - 1,
    payload: bytes(length),
    source: BY_TCP,
  })),
  sessionConfirmed: [
    { type: 'sessionConfirmed', peer: 0, session: 0 },
    { type: 'sessionConfirmed', peer: MAX_PEERS - 1, session: 0xffff_ffff },
  ],
  clientWanted: [{ type: 'clientWanted', peer: 0 }],
  want: [
    { type: 'want', vnet: 0, address: V4 },
    { type: 'want', vnet: 65_535, address: V6 },
  ],
  redirect: [{ type: 'redirect', peer: 7, vnet: 65_535, address: V6 }],
  sourceElsewhere: [{ type: 'sourceElsewhere', lan: 0, vnet: 1, address: V4, mac: MOST_MAC }],
  macElsewhere: [
    { type: 'macElsewhere', lan: 3, vnet: 1, mac: 0 },
    { type: 'macElsewhere', lan: 3, vnet: 1, mac: 0x8000_0000 },
  ],
  unheardOf: [{ type: 'unheardOf', vnet: 1, address: V6, mac: 0x5254_0000_0009 }],
};
const ALL = Object.values(EVERY).flat();

function bytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 0xff);
}

const control = (peer: number, length: number): Punt => ({
  type: 'control',
  peer,
  payload: bytes(length),
  source: BY_UDP,
});

function ringOf(size?: number): { ring: SharedArrayBuffer; writer: PuntWriter; reader: PuntReader } {
  const ring = createPuntRing(size);
  return { ring, writer: new PuntWriter(ring), reader: new PuntReader(ring) };
}

describe('the ring from a packet worker to the control thread', () => {
  it('brings every kind of message as it was', () => {
    const { writer, reader } = ringOf(1 << 20);
    for (const punt of ALL) assert.ok(writer.put(punt));
    writer.publish();
    assert.deepEqual(reader.take(100), ALL);
    assert.deepEqual(reader.take(100), []);
  });

  it('what was taken is the reader’s own, and what was put the writer’s', () => {
    const { writer, reader } = ringOf(1 << 16);
    const payload = bytes(100);
    const put = { type: 'control', peer: 1, payload, source: BY_UDP } as const;
    writer.put(put);
    payload.fill(0);
    writer.publish();
    const [taken] = reader.take(1);
    for (let i = 0; i < 20; i++) {
      while (writer.put(control(2, 100)));
      writer.publish();
      reader.take(1_000);
    }
    assert.deepEqual(taken, { ...put, payload: bytes(100) });
    assert.ok(taken?.type === 'control' && taken.payload.buffer instanceof ArrayBuffer);
  });

  it('what is not published is not there, and what is is taken in parts', () => {
    const { writer, reader } = ringOf(1 << 16);
    for (let session = 0; session < 5; session++) writer.put({ type: 'sessionConfirmed', peer: 0, session });
    assert.deepEqual(reader.take(10), []);
    writer.publish();
    writer.put({ type: 'sessionConfirmed', peer: 0, session: 5 });
    const sessions = [2, 2, 2, 2].map((most) =>
      reader.take(most).map((punt) => punt.type === 'sessionConfirmed' && punt.session),
    );
    assert.deepEqual(sessions, [[0, 1], [2, 3], [4], []]);
  });

  it('full it takes nothing more and loses nothing, wherever its end lies', () => {
    const event = (stream: number): Punt => ({
      type: 'stream',
      event: 'accepted',
      stream,
      source: BY_UDP,
      errno: 0,
    });
    // The last ones fill it to the last word.
    for (const [size, make, each] of [
      ...[0, 1, 60, 500, 1_000].map(
        (bytes) => [4_096, (n: number) => control(n, bytes), bytes + 67] as const,
      ),
      [4_096, event, 64] as const,
      [85 * 64, event, 64] as const,
    ]) {
      const { writer, reader } = ringOf(size);
      let [put, taken] = [0, 0];
      for (let round = 0; round < 500; round++) {
        while (writer.put(make(put % MAX_PEERS))) assert.ok(++put - taken < size, 'it is never full');
        writer.publish();
        const inside = put - taken;
        assert.ok(inside > size / each - 3, `${inside} of ${each} bytes`);
        const punts = reader.take(1 + (round % inside));
        assert.deepEqual(
          punts,
          punts.map(() => make(taken++ % MAX_PEERS)),
        );
        assert.ok(punts.length > 0);
      }
    }
  });

  it('a message of half of it fits when it is empty, wherever it stands; one longer than all never', () => {
    const { writer, reader } = ringOf(8_192);
    for (let round = 0; round < 300; round++) {
      assert.ok(writer.put(control(1, 4_000)));
      writer.publish();
      assert.equal(reader.take(2).length, 1);
      assert.ok(writer.put(control(1, round)));
      writer.publish();
      assert.equal(reader.take(2).length, 1);
      assert.equal(writer.put(control(1, 8_192)), false);
    }
  });

  it('with a reader that keeps up it stays within its first pages', () => {
    const { ring, writer, reader } = ringOf(1 << 20);
    for (let round = 0; round < 10_000; round++) {
      for (let n = 0; n < round % 4; n++) writer.put(control(n, 1_000));
      writer.publish();
      reader.take(64);
    }
    const used = new Uint8Array(ring).findLastIndex((byte) => byte !== 0);
    assert.ok(used < 32_768, `${used} bytes in use`);
  });

  it('any messages in any rhythm come as they were, in order', () => {
    const random = new Random(1);
    const { writer, reader } = ringOf(16_384);
    const [put, taken]: [Punt[], Punt[]] = [[], []];
    let refused = 0;
    for (let round = 0; round < 30_000; round++) {
      const punt = random.chance(50) ? random.pick(ALL) : control(random.below(9), random.below(2_000));
      if (writer.put(punt)) put.push(punt);
      else refused++;
      if (random.chance(40)) writer.publish();
      if (random.chance(30)) taken.push(...reader.take(random.below(8)));
    }
    writer.publish();
    taken.push(...reader.take(10_000));
    assert.ok(refused > 100 && put.length > 10_000, `${refused} refused, ${put.length} put`);
    assert.deepEqual(taken, put);
  });

  it('has room for all that may wait', () => {
    const { writer } = ringOf();
    const shares = PeerShares.create();
    const tally = () => new SharedArrayBuffer(Tally.count * 4);
    const tallies = { puntsDone: tally(), puntsPassed: tally() };
    const policer = new PuntPolicer(new Budgets(new SimClock(), undefined), tallies, shares);
    // As long as a message can be that counts as one unit, of as many peers as together fill the room.
    const longest = control(0, 2_047);
    let waiting = 0;
    for (let turn = 0; turn < 1_000; turn++) {
      for (let peer = 0; peer < MAX_PEERS && policer.control(peer, 2_047) === 'pass'; peer++, waiting++)
        assert.ok(writer.put(longest), `no room for one more than ${waiting}`);
    }
    assert.ok(waiting > 16_000, `${waiting} control messages`);
    for (let count = 0; policer.handshake(); count++)
      assert.ok(writer.put({ type: 'handshake', bytes: bytes(148), source: BY_TCP }), `handshake ${count}`);
    for (const kind of [
      'want',
      'clientWanted',
      'redirect',
      'sourceElsewhere',
      'macElsewhere',
      'unheardOf',
    ] as const)
      while (policer.report(kind)) assert.ok(writer.put(EVERY[kind][0] as Punt), kind);
  });
});
