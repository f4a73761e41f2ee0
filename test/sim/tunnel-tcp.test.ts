/** From UDP to TCP when UDP is blocked, and back when it works; what the routers' nodes say goes on meanwhile. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { type SimRouter, World, type WorldOptions } from './tunnel-world.js';

const [A, B] = [0, 1];
/** Better paths are looked for every few seconds, idle connections kept for ten. */
const TIMES = { pathProbeMs: 3_000, streamIdleMs: 10_000 };
const EVERY_MS = 20;
/** How long a node's connection may stand still: TCP repeats for minutes, people wait for seconds. */
const LONGEST_GAP_MS = 6_000;

function start(test: TestContext, options: Partial<WorldOptions> = {}, cut: World['cut'] = () => false) {
  const world = new World({ routers: ['vr-a', 'vr-b'], tcp: ['vr-a', 'vr-b'], ...options });
  test.diagnostic(`seed ${world.seed}`);
  world.cut = cut;
  const a = world.start('vr-a', { times: TIMES });
  const b = world.start('vr-b', { times: TIMES });
  return { world, a, b };
}

const transportTo = (router: SimRouter): string => router.tunnel.peers()[0]?.transport ?? '';
const isUp = (a: SimRouter, b: SimRouter): boolean => a.stateOf(b.id) === 'up' && b.stateOf(a.id) === 'up';
const both = (a: SimRouter, b: SimRouter, transport: string): boolean =>
  isUp(a, b) && transportTo(a) === transport && transportTo(b) === transport;

/** A packet each way every 20 ms, from now on, and the longest that either side heard nothing. */
class Traffic {
  sent = 0;
  gapMs = 0;
  readonly #heard: { count: number; atMs: number }[];

  constructor(
    readonly world: World,
    readonly a: SimRouter,
    readonly b: SimRouter,
  ) {
    this.#heard = [a, b].map(({ packets }) => ({ count: packets, atMs: world.clock.nowMs() }));
    this.#say();
  }

  #say(): void {
    this.a.sendPacket(B);
    this.b.sendPacket(A);
    this.sent++;
    const nowMs = this.world.clock.nowMs();
    for (const [i, { packets }] of [this.a, this.b].entries()) {
      const heard = this.#heard[i];
      if (heard === undefined) continue;
      this.gapMs = Math.max(this.gapMs, nowMs - heard.atMs);
      if (packets > heard.count) Object.assign(heard, { count: packets, atMs: nowMs });
    }
    this.world.clock.after('traffic', EVERY_MS, () => this.#say());
  }
}

function downs(...routers: readonly SimRouter[]): string[] {
  return routers.flatMap(({ changes }) => changes.filter((change) => change.startsWith('down')));
}

describe('UDP is blocked', () => {
  for (const ipv6 of [false, true])
    it(`and works again: over TCP meanwhile, IPv${ipv6 ? 6 : 4}; no peer goes down, the sessions stay`, (test) => {
      const { world, a, b } = start(test, { ipv6, weather: { loss: 0.02, jitterMs: 5 } });
      world.until('up by UDP', () => both(a, b, 'udp'), 10_000);
      const traffic = new Traffic(world, a, b);
      world.clock.advance(2_000);
      const sessions = a.count('sessions_established');
      world.cut = () => true;
      const tookMs = world.until('by TCP', () => both(a, b, 'tcp'), 15_000);
      world.clock.advance(5_000);
      assert.ok(traffic.gapMs < LONGEST_GAP_MS, `nothing for ${traffic.gapMs} ms`);
      test.diagnostic(`to TCP after ${tookMs} ms, longest gap ${traffic.gapMs} ms`);

      world.weather.loss = 0;
      const before = { sent: traffic.sent, a: a.packets, b: b.packets };
      traffic.gapMs = 0;
      world.cut = () => false;
      const backMs = world.until('by UDP again', () => both(a, b, 'udp'), 15_000);
      world.clock.advance(5_000);
      test.diagnostic(`back after ${backMs} ms, longest gap ${traffic.gapMs} ms`);
      assert.ok(traffic.gapMs < 100, `nothing for ${traffic.gapMs} ms on the way back`);
      // But for what is on the way now, or was then.
      const sent = traffic.sent - before.sent;
      for (const heard of [a.packets - before.a, b.packets - before.b])
        assert.ok(Math.abs(sent - heard) <= 2, `${heard} of ${sent} packets`);
      assert.deepEqual(downs(a, b), []);
      assert.equal(a.count('sessions_established'), sessions, 'the session was replaced');
      world.until('the connection is given back', () => world.streams.size === 0, 15_000);
    });

  it('from the start: TCP within seconds, and again when every connection breaks', (test) => {
    const { world, a, b } = start(test, {}, () => true);
    const tookMs = world.until('by TCP', () => both(a, b, 'tcp'), 10_000);
    test.diagnostic(`${tookMs} ms`);
    const traffic = new Traffic(world, a, b);
    world.clock.advance(2_000);
    world.streams.reset();
    world.clock.advance(10_000);
    assert.ok(both(a, b, 'tcp'));
    assert.ok(traffic.gapMs < LONGEST_GAP_MS, `nothing for ${traffic.gapMs} ms`);
    assert.deepEqual(downs(a, b), []);
  });

  it('and only one of the two can be dialled', (test) => {
    const { world, a, b } = start(test, { tcp: ['vr-b'], withoutEndpoint: ['vr-a'] }, () => true);
    world.until('by TCP', () => both(a, b, 'tcp'), 15_000);
    // Longer than keys live.
    world.clock.advance(400_000);
    assert.ok(both(a, b, 'tcp'));
    assert.deepEqual(downs(a, b), []);
  });

  it('in one direction only', (test) => {
    const { world, a, b } = start(test);
    world.until('up by UDP', () => both(a, b, 'udp'), 10_000);
    const traffic = new Traffic(world, a, b);
    world.cut = ({ to }) => to.address.at(-1) === 1;
    world.until('by TCP', () => both(a, b, 'tcp'), 15_000);
    assert.ok(traffic.gapMs < LONGEST_GAP_MS, `nothing for ${traffic.gapMs} ms`);
    assert.deepEqual(downs(a, b), []);
  });

  it('and nobody listens for TCP: the peer goes down, with a reason', (test) => {
    const { world, a, b } = start(test, { tcp: [] });
    world.until('up by UDP', () => both(a, b, 'udp'), 10_000);
    world.cut = () => true;
    world.until('down', () => a.stateOf('vr-b') !== 'up', 20_000);
    assert.equal(a.changes.at(-1), 'down vr-b');
    assert.match(a.reasonFor('vr-b'), /nothing heard|no answer/);
  });
});

it('UDP that loses one in a hundred is left for nothing', (test) => {
  const { world, a, b } = start(test, { weather: { loss: 0.01, jitterMs: 20 } });
  world.until('up by UDP', () => both(a, b, 'udp'), 30_000);
  const paths = (): number => a.events.filter(({ event }) => event === 'peer_path').length;
  const before = paths();
  world.clock.advance(300_000);
  assert.equal(paths(), before);
  assert.deepEqual(downs(a, b), []);
  assert.equal(world.streams.size, 0);
});
