import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { RelayTable } from '../../../../src/dataplane/forward/relay-table.js';
import { ZERO_MAC } from '../../../../src/net/mac.js';
import { PacketWorker } from '../../../support/packet-worker.js';
import { SimClock } from '../../../support/sim-clock.js';

const [A, B, RELAY] = [0, 1, 2];
const tagOf = (peer: number): number[] => [peer, 1, 2, 3, 4, 5, 6, 7];

/** The packet worker of router `self`; router 2 is a relay. */
class Bench extends PacketWorker {
  constructor(self: number) {
    const relays = RelayTable.create(8);
    relays.set(
      [A, B, RELAY].map((peer) => ({ peer, tag: Uint8Array.from(tagOf(peer)), isRelay: peer === RELAY })),
    );
    super({ clock: new SimClock(), self, mac: ZERO_MAC, mtuBytes: 0, given: { relays: relays.memory } });
  }

  take(from: number, direction: number, tag: number[], message: Uint8Array): void {
    this.message(from, Buffer.concat([Buffer.from([0x30, direction, 0, 0, ...tag]), message]));
  }
}

const transport = Buffer.alloc(64, 9);
transport.writeUInt32LE(4, 0);
const initiation = Buffer.alloc(148, 9);
initiation.writeUInt32LE(1, 0);

describe('a relay', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench(RELAY);
  });

  it('passes a message on, unread, and says whose it is', () => {
    for (const message of [transport, initiation]) {
      bench.take(A, 0, tagOf(B), message);
      const packet = Buffer.concat([Buffer.from([0x30, 1, 0, 0, ...tagOf(A)]), message]);
      assert.deepEqual(bench.engine.sent, [{ kind: 'message', peer: B, packet }]);
    }
    assert.equal(bench.counted('relayed'), 2);
    assert.deepEqual(bench.posted, []);
  });

  it('passes nothing on to strangers, to itself, or back', () => {
    for (const tag of [tagOf(9), tagOf(RELAY), tagOf(A), [...tagOf(B).slice(0, 7), 8]]) {
      bench.take(A, 0, tag, transport);
      assert.deepEqual(bench.engine.sent, []);
    }
    bench.take(3, 0, tagOf(B), transport); // a WireGuard client: a peer, but no router
    assert.deepEqual(bench.engine.sent, []);
    assert.equal(bench.counted('drop_relay_refused') + bench.counted('drop_relay_malformed'), 5);
  });

  it('passes on only what can be a WireGuard message, and of a bounded size', () => {
    const wrongType = Buffer.alloc(64);
    for (const message of [transport.subarray(0, 31), wrongType, Buffer.alloc(0), Buffer.alloc(100, 5)])
      bench.take(A, 0, tagOf(B), message);
    bench.take(A, 2, tagOf(B), transport);
    assert.deepEqual(bench.engine.sent, []);
    assert.equal(bench.counted('relayed'), 0);
    assert.equal(bench.counted('drop_relay_malformed'), 5);
  });

  it('bounds what one router sends through it, and not the others', () => {
    const large = Buffer.alloc(3_900, 1);
    large.writeUInt32LE(4, 0);
    for (let i = 0; i < 4_000; i++) bench.take(A, 0, tagOf(B), large);
    assert.equal(bench.counted('relayed'), Math.floor(12_500_000 / 3_900));
    bench.take(B, 0, tagOf(A), large);
    assert.equal(bench.engine.sent.length, 1);
    bench.clock.advance(1);
    const before = bench.counted('relayed');
    for (let i = 0; i < 100; i++) bench.take(A, 0, tagOf(B), large);
    assert.ok(bench.counted('relayed') - before <= Math.ceil(125_000 / 3_900) + 1);
  });
});

describe('a router with relayed peers', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench(A);
  });

  it('takes handshakes by way of a relay, and knows which', () => {
    bench.take(RELAY, 1, tagOf(B), initiation);
    const [message] = bench.posted;
    assert.ok(message?.type === 'handshake');
    assert.deepEqual(Buffer.from(message.bytes), initiation);
    assert.deepEqual([message.source.relay, message.source.stream], [RELAY, undefined]);
  });

  it('takes handshakes at a bounded rate of each router behind the relay', () => {
    for (let i = 0; i < 1_000; i++) {
      bench.take(RELAY, 1, tagOf(B), initiation);
      bench.workOff();
    }
    assert.equal(bench.counted('handshake_received'), 1_000);
    assert.equal(bench.counted('drop_handshake_limited'), 995);
  });

  it('takes control messages by way of a relay', () => {
    bench.engine.relayed = { peer: B, payload: Uint8Array.of(0x20, 1, 2) };
    bench.take(RELAY, 1, tagOf(B), transport);
    const [message] = bench.posted;
    assert.ok(message?.type === 'control');
    assert.deepEqual([message.peer, message.source.relay], [B, RELAY]);
  });

  it('refuses what no relay sends, what is not genuine, and what is not of whom it says', () => {
    bench.engine.relayed = { peer: B, payload: Uint8Array.of(0x20, 1, 2) };
    bench.take(B, 1, tagOf(RELAY), transport);
    bench.take(RELAY, 1, tagOf(RELAY), transport);
    bench.engine.relayed = { peer: RELAY, payload: Uint8Array.of(0x20, 1, 2) };
    bench.take(RELAY, 1, tagOf(B), transport);
    bench.engine.relayed = undefined;
    bench.take(RELAY, 1, tagOf(B), transport);
    assert.deepEqual(bench.posted, []);
    assert.equal(bench.counted('drop_relay_refused'), 3);
  });

  it('passes nothing on, and opens no relay message within one', () => {
    bench.take(RELAY, 0, tagOf(B), transport);
    assert.equal(bench.counted('drop_relay_refused'), 1);
    const nested = Buffer.concat([Buffer.from([0x30, 1, 0, 0, ...tagOf(RELAY)]), transport]);
    bench.engine.relayed = { peer: B, payload: nested };
    bench.take(RELAY, 1, tagOf(B), transport);
    assert.equal(bench.counted('drop_payload_unknown'), 1);
    assert.deepEqual(bench.engine.sent, []);
  });
});
