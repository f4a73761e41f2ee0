/** How the control thread works on what a packet worker has handed up. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { type Punt, Tally } from '../../../../src/dataplane/punt/punt.js';
import { PuntInbox } from '../../../../src/dataplane/punt/punt-inbox.js';
import { PuntPort } from '../../../../src/dataplane/punt/punt-port.js';
import { createPuntRing } from '../../../../src/dataplane/punt/punt-ring.js';
import { SimClock } from '../../../support/sim-clock.js';

const [A, B] = [0, 1];
const NOWHERE = {
  address: { family: 4, words: [0, 0, 0, 0] },
  port: 0,
  stream: undefined,
  relay: undefined,
} as const;
const control = (peer: number, n: number): Punt => ({
  type: 'control',
  peer,
  payload: Uint8Array.of(0x20, n),
  source: NOWHERE,
});
const confirmed = (peer: number): Punt => ({ type: 'sessionConfirmed', peer, session: 1 });
const handshake = (n: number): Punt => ({ type: 'handshake', bytes: Uint8Array.of(n), source: NOWHERE });
const accepted = (stream: number): Punt => ({
  type: 'stream',
  event: 'accepted',
  stream,
  source: NOWHERE,
  errno: 0,
});

const nameOf = (punt: Punt): string => {
  if (punt.type === 'control') return `control ${punt.peer} ${punt.payload[1]}`;
  if (punt.type === 'handshake') return `handshake ${punt.bytes[0]}`;
  return punt.type === 'stream' ? `${punt.event} ${punt.stream}` : punt.type;
};

const RING_BYTES = 1 << 20;

/** Both ends of a ring; each message takes `eachMs` to work on. */
class Bench {
  readonly clock = new SimClock();
  readonly done = new Int32Array(new SharedArrayBuffer(Tally.count * 4));
  readonly worked: string[] = [];
  readonly port: PuntPort;
  readonly inbox: PuntInbox;
  eachMs = 0.1;
  /** How often the bell was rung. */
  rings = 0;
  /** False: the control thread is busy with something else. */
  listens = true;

  constructor() {
    const bell = new Int32Array(new SharedArrayBuffer(4));
    const ring = createPuntRing(RING_BYTES);
    this.port = new PuntPort(ring, bell, () => {
      this.rings++;
      if (this.listens) this.inbox.rung();
    });
    this.inbox = new PuntInbox({
      clock: this.clock,
      sources: [{ ring, bell }],
      done: this.done,
      work: (punt) => {
        this.worked.push(nameOf(punt));
        this.clock.skip(this.eachMs);
      },
    });
  }

  handUp(...punts: readonly Punt[]): void {
    for (const punt of punts) assert.ok(this.port.add(punt));
    this.port.flush();
  }
}

describe('the way up from a packet worker', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });

  it('what one turn hands up arrives at once and in order, and is accounted for', () => {
    bench.handUp(confirmed(A), control(A, 1), control(A, 2));
    assert.deepEqual(bench.worked, ['sessionConfirmed', `control ${A} 1`, `control ${A} 2`]);
    assert.equal(bench.done[A], 3);
    bench.handUp(handshake(1));
    assert.deepEqual([bench.done[Tally.handshake], bench.done[Tally.peers]], [1, 3]);
  });

  it('a flood is worked on in slices, and whatever is due in between comes first', () => {
    const due: number[] = [];
    const look = (): void => {
      due.push(bench.clock.nowMs());
      if (bench.worked.length < 1_000) bench.clock.after('another', 5, look);
    };
    bench.clock.after('another', 5, look);
    bench.handUp(...Array.from({ length: 1_000 }, (_, n) => control(A, n & 0xff)));
    assert.ok(bench.worked.length <= 21, `${bench.worked.length} in the first slice`);
    bench.clock.advance(1_000);
    assert.equal(bench.worked.length, 1_000);
    const gaps = due.slice(1).map((ms, i) => ms - (due[i] ?? 0));
    assert.ok(Math.max(...gaps) <= 5 + 2.1, `${Math.max(...gaps)} ms between two turns of a timer of 5 ms`);
  });

  it('two thirds of the time at most, however long each message takes', () => {
    for (const eachMs of [0.05, 1, 7]) {
      bench = new Bench();
      bench.eachMs = eachMs;
      bench.handUp(...Array.from({ length: 2_000 }, (_, n) => control(A, n & 0xff)));
      const before = bench.worked.length;
      const startMs = bench.clock.nowMs();
      for (let i = 0; i < 60; i++) bench.clock.advance(1);
      const share = ((bench.worked.length - before) * eachMs) / (bench.clock.nowMs() - startMs);
      assert.ok(share > 0.5 && share < 0.75, `${share} of the time for messages of ${eachMs} ms`);
    }
  });

  it('messages that come one by one have no more time than those that come together', () => {
    for (let n = 0; n < 1_000; n++) bench.handUp(control(A, n & 0xff));
    assert.ok(bench.worked.length <= 21, `${bench.worked.length} without a pause`);
    bench.clock.advance(1_000);
    assert.equal(bench.worked.length, 1_000);
    bench.handUp(control(B, 7));
    assert.equal(bench.worked.at(-1), `control ${B} 7`, 'after a rest at once again');
  });

  it('peers take turns: one that floods delays another’s message by one of its own', () => {
    bench.handUp(...Array.from({ length: 60 }, (_, n) => control(A, n)), control(B, 1), control(B, 2));
    const places = [1, 2].map((n) => bench.worked.indexOf(`control ${B} ${n}`));
    assert.deepEqual(places, [1, 3]);
  });

  it('what comes while much is left takes its turn, too', () => {
    bench.handUp(...Array.from({ length: 600 }, (_, n) => control(A, n & 0xff)));
    const before = bench.worked.length;
    bench.handUp(control(B, 1));
    bench.clock.advance(10);
    assert.ok(bench.worked.indexOf(`control ${B} 1`) <= before + 12, 'behind what the port held before it');
  });

  it('a connection and the handshake that came by it stay in order', () => {
    bench.handUp(handshake(1), accepted(5), handshake(2), control(A, 1));
    const strangers = bench.worked.filter((name) => !name.startsWith('control'));
    assert.deepEqual(strangers, ['handshake 1', 'accepted 5', 'handshake 2']);
  });

  it('the bell is rung once until it is heard, and nothing is overheard', () => {
    bench.listens = false;
    for (let n = 0; n < 100; n++) bench.handUp(control(A, n));
    assert.equal(bench.rings, 1);
    bench.listens = true;
    bench.inbox.rung();
    bench.clock.advance(100);
    assert.equal(bench.worked.length, 100);
    bench.handUp(control(A, 100));
    assert.equal(bench.worked.length, 101);
  });

  it('stopped, it works on nothing more', () => {
    bench.handUp(...Array.from({ length: 100 }, (_, n) => control(A, n)));
    const before = bench.worked.length;
    bench.inbox.stop();
    bench.clock.advance(1_000);
    assert.equal(bench.worked.length, before);
  });
});
