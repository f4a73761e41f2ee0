/** A router that did not run for a while (stopped, paused, overloaded) accuses nobody of its own silence. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { type SimRouter, World, type WorldOptions } from './tunnel-world.js';

class Pair {
  readonly world: World;
  readonly a: SimRouter;
  readonly b: SimRouter;
  #resumedMs: number | undefined;

  constructor(test: TestContext, options: Partial<WorldOptions> = {}) {
    this.world = new World({ routers: ['vr-a', 'vr-b'], ...options });
    test.diagnostic(`seed ${this.world.seed}`);
    this.a = this.world.start('vr-a');
    this.b = this.world.start('vr-b');
    for (const router of [this.a, this.b]) this.readLate(router);
    this.world.until('up', () => this.a.stateOf('vr-b') === 'up' && this.b.stateOf('vr-a') === 'up', 20_000);
  }

  /** Nothing runs for so long, in either router. What is due by then comes late, all at once: timers before sockets. */
  stall(ms: number): void {
    this.world.clock.skip(ms);
    this.#resumedMs = this.world.clock.nowMs();
  }

  private readLate(router: SimRouter): void {
    const { clock } = this.world;
    const receive = router.receive.bind(router);
    router.receive = (datagram) => {
      if (clock.nowMs() !== this.#resumedMs) receive(datagram);
      else clock.after('socket', 1, () => receive(datagram));
    };
  }

  get wentDown(): string[] {
    return [...this.a.changes, ...this.b.changes].filter((change) => change.startsWith('down'));
  }
}

describe('a router that did not run', () => {
  for (const ms of [2_500, 9_000, 15_000, 40_000])
    it(`for ${ms} ms keeps its peers, at whatever moment it was stopped`, (test) => {
      const pair = new Pair(test);
      for (let i = 0; i < 150; i++) {
        pair.world.clock.advance(2_007);
        pair.stall(ms);
      }
      pair.world.clock.advance(30_000);
      assert.deepEqual(pair.wentDown, []);
    });

  it('again and again, for longer than it runs in between, keeps its peers', (test) => {
    const pair = new Pair(test);
    for (let i = 0; i < 20; i++) {
      pair.stall(7_000);
      pair.world.clock.advance(100);
    }
    assert.deepEqual(pair.wentDown, []);
  });

  it('gives a peer that was silent before one more interval to be heard', (test) => {
    const pair = new Pair(test);
    let isCut = true;
    pair.world.cut = () => isCut;
    pair.world.clock.advance(8_500);
    assert.deepEqual(pair.wentDown, []);
    isCut = false;
    pair.stall(30_000);
    pair.world.clock.advance(20_000);
    assert.deepEqual(pair.wentDown, []);
  });

  it('still finds out that a peer is dead', (test) => {
    const pair = new Pair(test);
    pair.world.clock.advance(3_000);
    pair.world.kill(pair.b);
    pair.stall(15_000);
    assert.equal(pair.a.stateOf('vr-b'), 'up');
    const tookMs = pair.world.until('down', () => pair.a.stateOf('vr-b') !== 'up', 20_000);
    assert.ok(tookMs > 5_000 && tookMs <= 11_000, `${tookMs} ms`);
  });

  it('still does when it never gets to run in time', (test) => {
    const pair = new Pair(test);
    pair.world.kill(pair.b);
    for (let i = 0; i < 15; i++) {
      pair.stall(4_000);
      pair.world.clock.advance(10);
    }
    assert.notEqual(pair.a.stateOf('vr-b'), 'up');
  });

  it('waits for a greeting as long as it would have', (test) => {
    // Only vr-a can call; what vr-b says in the session is lost for now.
    const world = new World({ routers: ['vr-a', 'vr-b'], withoutEndpoint: ['vr-a'] });
    test.diagnostic(`seed ${world.seed}`);
    const a = world.start('vr-a');
    const b = world.start('vr-b');
    world.cut = ({ from, bytes }) => bytes[0] === 4 && from.address === b.address.address;
    world.until('greeting', () => a.reasonFor('vr-b') === 'waiting for its greeting', 5_000);
    world.clock.advance(2_500);
    world.clock.skip(12_000);
    world.clock.advance(0);
    assert.equal(a.reasonFor('vr-b'), 'waiting for its greeting');
    world.cut = () => false;
    world.until('up', () => a.stateOf('vr-b') === 'up', 2_000);
  });

  it('keeps the TCP connection that it uses', (test) => {
    const pair = new Pair(test, { tcp: ['vr-b'], weather: { loss: 0 } });
    pair.world.cut = () => true;
    pair.world.until('by TCP', () => pair.a.tunnel.peers()[0]?.transport === 'tcp', 60_000);
    pair.world.clock.advance(2_000);
    const closed = pair.a.count('tcp_given_up');
    const changes = [...pair.a.changes];
    pair.stall(70_000);
    pair.world.clock.advance(5_000);
    assert.equal(pair.a.count('tcp_given_up'), closed);
    assert.deepEqual(pair.a.changes, changes);
    assert.equal(pair.a.tunnel.peers()[0]?.transport, 'tcp');
  });

  it('does not tell that a peer has not answered for 90 s when it has not called it for so long', (test) => {
    const world = new World({ routers: ['vr-a', 'vr-b'] });
    test.diagnostic(`seed ${world.seed}`);
    const a = world.start('vr-a');
    const told = (): boolean => a.events.some(({ event }) => event === 'peer_unanswered');
    world.clock.advance(3_000);
    world.clock.skip(120_000);
    world.clock.advance(20_000);
    assert.equal(told(), false);
    world.clock.advance(80_000);
    assert.equal(told(), true);
  });
});
