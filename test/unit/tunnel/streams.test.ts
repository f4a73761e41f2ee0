import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Counters } from '../../../src/tunnel/counters.js';
import { Streams, type StreamUser } from '../../../src/tunnel/paths/streams.js';
import type { DatagramAddress, TunnelPorts } from '../../../src/tunnel/ports.js';
import { DEFAULT_TIMES } from '../../../src/tunnel/times.js';
import { SimClock } from '../../support/sim-clock.js';

const endpoint = (last: number): DatagramAddress => ({ address: Uint8Array.of(192, 0, 2, last), port: 7700 });
const from = (stream: number, last = stream % 250): DatagramAddress => ({ ...endpoint(last), stream });

class Bench {
  readonly clock = new SimClock();
  readonly dialled: { readonly atMs: number; readonly last: number | undefined }[] = [];
  readonly closed: number[] = [];
  readonly trusted: number[] = [];
  readonly told: string[] = [];
  readonly user = this.makeUser([endpoint(1), endpoint(2)]);
  wants = true;
  canConnect = true;
  readonly streams: Streams;

  constructor(chance = 0.5) {
    const ports: Partial<TunnelPorts> = {
      clock: this.clock,
      connectStream: (address) => {
        this.dialled.push({ atMs: this.clock.nowMs(), last: address[3] });
        return this.canConnect ? 1_000 + this.dialled.length : undefined;
      },
      closeStream: (stream) => void this.closed.push(stream),
      trustStream: (stream) => void this.trusted.push(stream),
    };
    this.streams = new Streams({
      ports: ports as TunnelPorts,
      times: DEFAULT_TIMES,
      chance: () => chance,
      counters: new Counters(),
    });
  }

  makeUser(tcpEndpoints: readonly DatagramAddress[]): StreamUser {
    const bench = this;
    return {
      tcpEndpoints,
      get wantsStream() {
        return bench.wants;
      },
      streamOpened: ({ stream }) => void this.told.push(`open ${stream}`),
      streamClosed: ({ stream }, reason) => void this.told.push(`closed ${stream}: ${reason}`),
    };
  }

  /** Ticks twice a second. */
  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 500) {
      this.clock.advance(500);
      this.streams.tick([this.user], 0);
    }
  }
}

describe('dialling', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });

  it('tries the endpoints in turn, with pauses that double to 30 s', () => {
    bench.canConnect = false;
    bench.pass(200_000);
    assert.deepEqual(
      bench.dialled.slice(0, 4).map(({ last }) => last),
      [1, 2, 1, 2],
    );
    const gaps = bench.dialled.slice(1).map(({ atMs }, i) => atMs - (bench.dialled[i]?.atMs ?? 0));
    assert.deepEqual(gaps.slice(0, 3), [500, 1_000, 1_500]);
    assert.ok(Math.max(...gaps) <= 30_000 && (gaps.at(-1) ?? 0) >= 15_000, gaps.join());
  });

  it('spreads the pauses by chance', () => {
    const times = [0, 0.99].map((chance) => {
      const one = new Bench(chance);
      one.canConnect = false;
      one.pass(60_000);
      return one.dialled.length;
    });
    assert.ok((times[0] ?? 0) > (times[1] ?? 0), times.join());
  });

  it('tells of a connection, and dials no second one', () => {
    bench.pass(500);
    bench.streams.connected(1_001);
    bench.streams.authenticatedPacketReceived(1_001, bench.user);
    bench.pass(30_000);
    assert.deepEqual(bench.told, ['open 1001']);
    assert.deepEqual(bench.trusted, [1_001]);
    assert.equal(bench.dialled.length, 1);
  });

  it('dials again when it ends, from the shortest pause on', () => {
    bench.pass(500);
    bench.streams.connected(1_001);
    bench.streams.authenticatedPacketReceived(1_001, bench.user);
    bench.streams.closed(1_001, 'ECONNRESET');
    bench.pass(1_000);
    assert.deepEqual(bench.told, ['open 1001', 'closed 1001: ECONNRESET']);
    assert.equal(bench.dialled.length, 2);
  });

  it('gives up one that comes to nothing, and dials nobody who does not want it', () => {
    bench.pass(11_000);
    assert.deepEqual(bench.closed, [1_001]);
    assert.match(bench.told[0] ?? '', /closed 1001: no connection/);
    bench.wants = false;
    const before = bench.dialled.length;
    bench.pass(60_000);
    assert.equal(bench.dialled.length, before);
  });

  it('lets one go that is idle', () => {
    bench.pass(500);
    bench.streams.connected(1_001);
    bench.streams.authenticatedPacketReceived(1_001, bench.user);
    bench.wants = false;
    bench.pass(59_000);
    assert.deepEqual(bench.closed, []);
    bench.pass(2_000);
    assert.deepEqual(bench.closed, [1_001]);
  });
});

describe('strangers', () => {
  it('have ten seconds to prove who they are', () => {
    const bench = new Bench();
    bench.wants = false;
    bench.streams.accepted(from(1));
    bench.streams.accepted(from(2));
    bench.streams.authenticatedPacketReceived(2, bench.user);
    bench.pass(9_500);
    assert.deepEqual(bench.closed, []);
    bench.pass(500);
    assert.deepEqual(bench.closed, [1]);
    assert.deepEqual(bench.trusted, [2]);
  });

  it('are few, fewer from one address, and never drive out a peer', () => {
    const bench = new Bench();
    bench.streams.accepted(from(0, 1));
    bench.streams.authenticatedPacketReceived(0, bench.user);
    for (let i = 1; i <= 20; i++) bench.streams.accepted(from(i, 1));
    assert.deepEqual(bench.closed, [1, 2, 3, 4]);
    for (let i = 100; i < 300; i++) bench.streams.accepted(from(i));
    assert.equal(bench.streams.size, 65);
    assert.ok(!bench.closed.includes(0));
  });

  it('of one IPv6 subscriber count as one', () => {
    const bench = new Bench();
    for (let i = 0; i < 40; i++) {
      const address = new Uint8Array(16).fill(1, 0, 8);
      address[15] = i;
      bench.streams.accepted({ address, port: 1, stream: i });
    }
    assert.equal(bench.streams.size, 16);
  });

  it('leave nothing behind, nor does stop', () => {
    const bench = new Bench();
    for (let i = 0; i < 10; i++) bench.streams.accepted(from(i));
    for (let i = 0; i < 5; i++) bench.streams.closed(i, '');
    bench.streams.closed(77, 'unknown');
    bench.streams.connected(78);
    bench.streams.stop();
    assert.equal(bench.streams.size, 0);
    assert.deepEqual(bench.closed, [5, 6, 7, 8, 9]);
  });
});
