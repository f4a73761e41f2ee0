import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ControlMessage } from '../../../src/protocol/control-message.js';
import type { Envelope } from '../../../src/protocol/envelope.js';
import { Counters } from '../../../src/tunnel/counters.js';
import { Channel } from '../../../src/tunnel/link/channel.js';
import { RttEstimator } from '../../../src/tunnel/link/rtt.js';
import { DEFAULT_TIMES } from '../../../src/tunnel/times.js';
import { SimClock } from '../../support/sim-clock.js';

function digest(count: number): ControlMessage {
  return { type: 'digest', highestStamp: 0, count, hash: 0 };
}

const CLAIM: ControlMessage = { type: 'claim', claimId: 1, moves: [] };

function setUp() {
  const clock = new SimClock();
  const rtt = new RttEstimator();
  const sent: Envelope[] = [];
  const counters = new Counters();
  const channel = new Channel({
    clock,
    times: DEFAULT_TIMES,
    rtt,
    output: { transmit: (envelope) => sent.push(envelope) > 0 },
    counters,
  });
  channel.peerBegan(77);
  const incoming = (fields: Partial<Envelope>): Envelope => ({
    id: 0,
    acks: [],
    epoch: 77,
    ackEpoch: channel.epoch,
    oldest: 0,
    body: undefined,
    ...fields,
  });
  return { clock, rtt, sent, counters, channel, incoming };
}

describe('retransmission', () => {
  it('comes first after 3 round trips, then doubles up to a second, until acknowledged', () => {
    const { clock, rtt, sent, channel, incoming } = setUp();
    rtt.sample(20);
    channel.send(CLAIM);
    const times: number[] = [];
    let known = 0;
    for (let ms = 0; ms < 4_000; ms++) {
      if (sent.length > known) times.push(clock.nowMs());
      known = sent.length;
      clock.advance(1);
    }
    assert.deepEqual(times, [0, 60, 180, 420, 900, 1_860, 2_860, 3_860]);
    assert.ok(sent.every(({ id, body }) => id === 1 && body === CLAIM));
    channel.acknowledged(incoming({ acks: [1] }));
    clock.advance(10_000);
    assert.equal(sent.length, 8);
    assert.deepEqual(clock.waiting, []);
  });

  it('waits at least 20 ms, and 200 ms before any round trip was measured', () => {
    const { clock, rtt, sent, channel } = setUp();
    channel.send(CLAIM);
    clock.advance(199);
    assert.equal(sent.length, 1);
    clock.advance(1);
    assert.equal(sent.length, 2);
    rtt.sample(0.2);
    channel.send(CLAIM);
    clock.advance(19);
    assert.equal(sent.length, 3);
    clock.advance(1);
    assert.equal(sent.length, 4);
  });

  it('ignores acknowledgements of another epoch', () => {
    const { channel, incoming } = setUp();
    channel.send(CLAIM);
    channel.acknowledged(incoming({ acks: [1], ackEpoch: channel.epoch - 1 }));
    assert.equal(channel.pending, 1);
    channel.acknowledged(incoming({ acks: [1, 2, 99] }));
    assert.equal(channel.pending, 0);
  });
});

describe('acknowledgements', () => {
  it('ride on the next message', () => {
    const { sent, channel, incoming } = setUp();
    assert.equal(channel.isNew(incoming({ id: 5, body: CLAIM })), true);
    channel.send(digest(1));
    channel.flushAcks();
    assert.equal(sent.length, 1);
    assert.deepEqual(sent[0]?.acks, [5]);
    assert.equal(sent[0]?.ackEpoch, 77);
  });

  it('go alone when nothing else is sent, and again for a repeated message', () => {
    const { sent, channel, incoming } = setUp();
    channel.isNew(incoming({ id: 5 }));
    channel.flushAcks();
    assert.equal(channel.isNew(incoming({ id: 5 })), false);
    channel.flushAcks();
    channel.flushAcks();
    assert.deepEqual(
      sent.map(({ id, acks, body }) => [id, acks, body]),
      [
        [0, [5], undefined],
        [0, [5], undefined],
      ],
    );
  });

  it('are spread over several envelopes when there are many', () => {
    const { sent, channel, incoming } = setUp();
    for (let id = 1; id <= 60; id++) channel.isNew(incoming({ id }));
    channel.flushAcks();
    assert.deepEqual(
      sent.map(({ acks }) => acks.length),
      [24, 24, 12],
    );
  });
});

describe('the receiver', () => {
  it('takes what is unacknowledged every time', () => {
    const { channel, incoming } = setUp();
    assert.ok(channel.isNew(incoming({ id: 0 })) && channel.isNew(incoming({ id: 0 })));
  });

  it('knows repeated ids for as long as the sender may repeat them, in bounded memory', () => {
    const { channel, incoming } = setUp();
    channel.isNew(incoming({ id: 1, oldest: 1 }));
    for (let id = 2; id < 10_000; id++) assert.equal(channel.isNew(incoming({ id, oldest: 1 })), true);
    assert.equal(channel.isNew(incoming({ id: 1, oldest: 1 })), false);
    for (let id = 10_000; id < 50_000; id++) channel.isNew(incoming({ id, oldest: id }));
    assert.equal(channel.isNew(incoming({ id: 9_000 })), false);
  });

  it('starts afresh with the peer', () => {
    const { channel, incoming } = setUp();
    channel.isNew(incoming({ id: 1, oldest: 1 }));
    channel.send(CLAIM);
    channel.peerRestarted(78);
    assert.equal(channel.pending, 0);
    assert.equal(channel.isNew(incoming({ id: 1, oldest: 1 })), true);
  });
});

describe('the queue', () => {
  it('keeps a window in flight and sends on as acknowledgements come', () => {
    const { sent, channel, incoming } = setUp();
    for (let count = 0; count < 200; count++) channel.send(digest(count));
    assert.equal(sent.length, 128);
    channel.acknowledged(incoming({ acks: [1, 2, 3] }));
    assert.equal(sent.length, 131);
    assert.deepEqual(sent.at(-1)?.body, digest(130));
    channel.send(CLAIM);
    assert.equal(sent.at(-1)?.body, CLAIM);
  });

  it('is bounded: the oldest ordinary message goes, claims stay', () => {
    const { counters, channel } = setUp();
    channel.send(CLAIM);
    for (let count = 0; count < 4_095; count++) channel.send(digest(count));
    assert.equal(channel.pending, 4_096);
    channel.send(CLAIM);
    channel.send(digest(9_999));
    assert.equal(channel.pending, 4_096);
    assert.deepEqual(counters.toObject(), { control_dropped_queue_full: 2 });
  });

  it('takes no more claims than that either', () => {
    const { counters, channel } = setUp();
    for (let count = 0; count < 4_100; count++) channel.send(CLAIM);
    assert.equal(channel.pending, 4_096);
    assert.deepEqual(counters.toObject(), { control_dropped_queue_full: 4 });
  });

  it('tells the receiver what it may forget', () => {
    const { sent, channel, incoming } = setUp();
    channel.send(digest(1));
    channel.send(digest(2));
    channel.acknowledged(incoming({ acks: [1] }));
    channel.send(digest(3));
    assert.deepEqual(
      sent.map(({ oldest }) => oldest),
      [1, 1, 2],
    );
  });

  it('begins a new, later epoch on restart', () => {
    const { sent, channel } = setUp();
    const { epoch } = channel;
    channel.send(CLAIM);
    channel.restart();
    assert.ok(channel.epoch > epoch);
    assert.equal(channel.pending, 0);
    channel.send(CLAIM);
    assert.equal(sent.at(-1)?.id, 1);
    assert.equal(sent.at(-1)?.ackEpoch, 0);
  });
});
