/** What a path carries is found by probes, and found again when it changes. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { type Datagram, type SimRouter, World, type WorldOptions } from './tunnel-world.js';

const OVERHEAD_V4 = 64;
const OVERHEAD_V6 = 84;

class Path {
  readonly world: World;
  readonly a: SimRouter;
  readonly b: SimRouter;
  /** Inner MTU to vr-b as it was told, in order. */
  readonly told: number[] = [];
  mtu: number;

  constructor(test: TestContext, mtu: number, options: Partial<WorldOptions> = {}, lanMtu = 9_000) {
    this.mtu = mtu;
    this.world = new World({ routers: ['vr-a', 'vr-b'], ...options });
    test.diagnostic(`seed ${this.world.seed}`);
    this.world.cut = (datagram) => this.outer(datagram) > this.mtu;
    const description = {
      version: '0.1.0',
      capabilities: [],
      gndtDigest: new Uint8Array(32),
      innerMtuBytes: lanMtu,
    };
    const listeners = {
      message: () => undefined,
      up: () => undefined,
      down: () => assert.fail('a peer went down'),
      mtu: (_peer: number, innerBytes: number) => void this.told.push(innerBytes),
    };
    this.a = this.world.start('vr-a', { description, listeners });
    this.b = this.world.start('vr-b', { description });
    this.world.until('up', () => this.a.stateOf('vr-b') === 'up', 20_000);
  }

  private outer({ bytes, from }: Datagram): number {
    return bytes.length + (from.address.length === 4 ? 28 : 48);
  }

  get inner(): number {
    return this.told.at(-1) ?? 0;
  }

  get shown(): number | undefined {
    return this.a.tunnel.peers()[0]?.pathMtuBytes;
  }

  /** Packets all the time, as a transfer sends them. */
  busy(ms: number): void {
    for (let passed = 0; passed < ms; passed += 50) {
      this.a.sendPacket(1);
      this.world.clock.advance(50);
    }
  }
}

describe('the MTU of a path', () => {
  for (const mtu of [1280, 1281, 1400, 1413, 1492, 1500, 1777, 9000])
    it(`of ${mtu} bytes is found within seconds, and never exceeded`, (test) => {
      const path = new Path(test, mtu);
      path.world.clock.advance(10_000);
      const best = mtu - OVERHEAD_V4;
      assert.ok(path.inner <= best && path.inner > best - 9, `${path.inner} instead of ${best}`);
      assert.ok(path.told.every((bytes) => bytes <= best));
      assert.equal(path.shown, path.inner + OVERHEAD_V4);
    });

  it('of 1,500 is found in less than a second, over IPv6 too', (test) => {
    const path = new Path(test, 1500, { ipv6: true });
    path.world.until('found', () => path.inner === 1500 - OVERHEAD_V6, 1_000);
  });

  it('is not above what the peer’s LAN takes', (test) => {
    const path = new Path(test, 9000, {}, 1500);
    path.world.clock.advance(10_000);
    assert.equal(path.inner, 1500);
  });

  it('is found under 30 % loss', (test) => {
    const path = new Path(test, 1492, { weather: { loss: 0.3 } });
    path.world.until('found', () => path.inner >= 1492 - OVERHEAD_V4 - 8, 1_900_000);
    assert.ok(path.told.every((bytes) => bytes <= 1492 - OVERHEAD_V4));
  });

  it('that shrinks under a transfer is found out in seconds', (test) => {
    const path = new Path(test, 1500);
    path.busy(3_000);
    assert.equal(path.inner, 1436);
    path.mtu = 1380;
    path.busy(6_000);
    const best = 1380 - OVERHEAD_V4;
    assert.ok(path.inner <= best && path.inner > best - 9, `${path.inner} instead of ${best}`);
  });

  it('that grows is found out in time', (test) => {
    const path = new Path(test, 1400);
    path.busy(5_000);
    assert.equal(path.inner, 1400 - OVERHEAD_V4);
    path.mtu = 1500;
    path.world.clock.advance(620_000);
    assert.equal(path.inner, 1436);
  });

  it('is not asked of a peer that says that it takes 4 GB: its greeting is refused', (test) => {
    const world = new World({ routers: ['vr-a', 'vr-b'] });
    test.diagnostic(`seed ${world.seed}`);
    const innerMtuBytes = 2 ** 32 - 1;
    const a = world.start('vr-a');
    world.start('vr-b', {
      description: { version: '', capabilities: [], gndtDigest: new Uint8Array(32), innerMtuBytes },
    });
    world.clock.advance(5_000);
    assert.ok(world.sent.every(({ bytes }) => bytes.length <= 65_535 + 32));
    assert.equal(a.stateOf('vr-b'), 'connecting');
    assert.ok(a.count('control_drop_bad_mtu') > 0);
  });

  it('costs nothing while nothing is sent', (test) => {
    const path = new Path(test, 1500);
    path.world.clock.advance(20_000);
    const before = path.world.sent.length;
    path.world.clock.advance(60_000);
    const large = path.world.sent.slice(before).filter(({ bytes }) => bytes.length > 1_000);
    assert.deepEqual(large, []);
  });
});
