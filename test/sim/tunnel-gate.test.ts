/** A router with a valid key that says on its link what it must not: what comes of it in the router that it says it to. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Ip } from '../../src/net/ip.js';
import { Conduct } from '../../src/protocol/conduct.js';
import { ControlCodec } from '../../src/protocol/control-codec.js';
import type { ControlMessage } from '../../src/protocol/control-message.js';
import type { Envelope } from '../../src/protocol/envelope.js';
import { type SimRouter, World, type WorldOptions } from './tunnel-world.js';

const NAMES = ['vr-a', 'vr-b', 'vr-c', 'vr-d'];
const B = NAMES.indexOf('vr-b');
const codec = new ControlCodec();

/** vr-a, vr-b and vr-c run; vr-d does not. vr-b is mad: what it says is put into its session with vr-a. */
class Scene {
  readonly world: World;
  readonly conduct: Conduct;
  readonly a: SimRouter;
  readonly b: SimRouter;
  readonly c: SimRouter;
  epoch = 0;

  constructor(test: TestContext, options: Partial<WorldOptions> = {}) {
    this.world = new World({ routers: NAMES, ...options });
    test.diagnostic(`seed ${this.world.seed}`);
    this.conduct = new Conduct(this.world.clock);
    this.a = this.world.start('vr-a', { conduct: this.conduct });
    this.b = this.world.start('vr-b');
    this.c = this.world.start('vr-c');
    const { tunnel } = this.a;
    const received = tunnel.controlReceived.bind(tunnel);
    tunnel.controlReceived = (peer, payload, source) => {
      const decoded = codec.decode(payload);
      if (peer === B && typeof decoded !== 'string') this.epoch = decoded.envelope.epoch;
      received(peer, payload, source);
    };
    this.world.until('up', () => this.isUp('vr-b') && this.isUp('vr-c'), 5_000);
    this.world.clock.advance(2_000);
  }

  isUp(router: string): boolean {
    return this.a.stateOf(router) === 'up';
  }

  say(body: ControlMessage, fields: Partial<Envelope> = {}): void {
    const envelope = { id: 0, acks: [], epoch: this.epoch, ackEpoch: 0, oldest: 0, body, ...fields };
    this.a.tunnel.controlReceived(B, codec.encode(envelope));
  }

  /** Messages that vr-a sends, other than what it would have sent. */
  sentBy(action: () => void): number {
    const before = this.world.sent.length;
    action();
    return this.world.sent.length - before;
  }
}

describe('a mad router', () => {
  it('gets no more Pongs than its budget, and is heard again when it has stopped', (test) => {
    const scene = new Scene(test);
    const sent = scene.sentBy(() => {
      for (let token = 1; token <= 60_000; token++) scene.say({ type: 'ping', token });
    });
    assert.ok(sent <= 400, `${sent} messages`);
    assert.equal(scene.conduct.isMisbehaving('vr-b'), true);
    assert.ok(scene.a.count('control_refused_ping_too_soon') >= 59_600);
    scene.world.clock.advance(300_000);
    assert.equal(scene.conduct.isMisbehaving('vr-b'), false);
    assert.ok(scene.isUp('vr-b') && scene.isUp('vr-c'));
    assert.deepEqual(
      scene.a.changes.filter((change) => change.startsWith('down')),
      [],
    );
  });

  it('cannot make up answers to Pings', (test) => {
    const scene = new Scene(test);
    const before = scene.a.tunnel.peers()[0];
    for (let token = 1_000; token < 2_000; token++)
      scene.say({ type: 'pong', token, wallUs: 1, coordinate: undefined });
    assert.equal(scene.a.count('control_refused_pong_unasked'), 1_000);
    const after = scene.a.tunnel.peers()[0];
    assert.deepEqual([after?.rttMs, after?.clockOffsetMs], [before?.rttMs, before?.clockOffsetMs]);
  });

  it('is told to operators as down and up a bounded number of times', (test) => {
    const scene = new Scene(test);
    const hello = helloOf();
    const first = scene.epoch;
    for (let i = 1; i <= 1_000; i++) {
      scene.say(hello, { epoch: first + i, id: i });
      scene.world.clock.advance(10);
    }
    const ups = scene.a.events.filter((event) => event.event === 'peer_up' && event.router === 'vr-b');
    assert.ok(ups.length < 30, `${ups.length} times`);
    assert.ok(scene.a.count('control_refused_hello_too_soon') > 900);
  });

  it('cannot have strangers called, nor this router, at a rate of its choosing', (test) => {
    const scene = new Scene(test);
    const before = scene.world.sent.length;
    for (let i = 0; i < 20_000; i++) {
      const ip = Ip.v4(0xc6336400 + (i % 250));
      scene.say({ type: 'seen', router: 'vr-d', ip, port: 1 + (i % 60_000) });
      if (i % 20 === 0) scene.world.clock.advance(1);
    }
    const called = scene.world.sent
      .slice(before)
      .filter(({ from, to }) => from.address[3] === 1 && to.address[0] === 198);
    assert.ok(called.length <= 20, `${called.length} calls`);
    assert.ok(scene.a.count('control_refused_seen_too_soon') > 18_000);
  });

  it('is answered nothing about itself, this router and routers that there are not', (test) => {
    const scene = new Scene(test);
    const sent = scene.sentBy(() => {
      for (const router of ['vr-a', 'vr-b', 'no-such-router']) scene.say({ type: 'seek', router });
    });
    assert.equal(sent, 0);
    assert.equal(scene.a.count('control_refused_seek_unknown_router'), 3);
  });

  it('that repeats a message is not read again: only its acknowledgement is', (test) => {
    const scene = new Scene(test);
    const recall = { type: 'recall' } as const;
    const said = { id: 9_000, acks: [], epoch: scene.epoch, ackEpoch: 0, oldest: 1 };
    const payload = codec.encode({ ...said, body: recall });
    const before = scene.a.messages.length;
    scene.a.tunnel.controlReceived(B, payload);
    assert.equal(scene.a.messages.length, before + 1);
    // The same head with a body that is not what it was, nor anything else.
    const spoilt = Uint8Array.from([
      ...codec.encode({ ...said, body: undefined }),
      0xb2,
      0x01,
      2,
      0xff,
      0xff,
    ]);
    scene.a.tunnel.controlReceived(B, spoilt);
    assert.equal(scene.a.messages.length, before + 1);
    assert.equal(scene.a.count('control_drop_not_protobuf'), 0);
    assert.equal(scene.a.count('control_duplicates'), 1);
  });

  it('is counted for what it sends malformed', (test) => {
    const scene = new Scene(test);
    for (let i = 0; i < 100; i++) scene.a.tunnel.controlReceived(B, Uint8Array.of(0x20, 0x0a));
    assert.equal(scene.conduct.view('vr-b').refusals, 100);
    assert.equal(scene.conduct.isMisbehaving('vr-b'), true);
    assert.equal(scene.a.count('control_drop_not_protobuf'), 100);
  });

  it('that is refused is not answered without end', (test) => {
    const scene = new Scene(test);
    scene.say({ ...helloOf(), protocolMajor: 2 }, { id: 9_999 });
    assert.equal(scene.a.stateOf('vr-b'), 'refused');
    const sent = scene.sentBy(() => {
      for (let id = 10_000; id < 20_000; id++) scene.say({ type: 'ping', token: 1 }, { id });
    });
    assert.ok(sent <= 5, `${sent} messages`);
  });
});

function helloOf(): ControlMessage & { readonly type: 'hello' } {
  return {
    type: 'hello',
    routerId: 'vr-b',
    version: '0.1.0',
    protocolMajor: 1,
    protocolMinor: 0,
    capabilities: [],
    gndtDigest: new Uint8Array(32),
    innerMtuBytes: 1_436,
  };
}

describe('honest routers', () => {
  for (const [name, options] of [
    ['behind NATs and relays', { nat: { 'vr-a': 'easy', 'vr-b': 'hard' }, relays: ['vr-c'] }],
    ['with loss and doubled datagrams', { weather: { loss: 0.3, duplication: 0.2, jitterMs: 50 } }],
    ['by TCP', { tcp: ['vr-b', 'vr-c'] }],
  ] as const)
    it(`${name} are refused nothing that matters`, (test) => {
      const conducts: Conduct[] = [];
      const world = new World({ routers: NAMES, ...options });
      test.diagnostic(`seed ${world.seed}`);
      const start = (id: string): SimRouter => {
        const conduct = new Conduct(world.clock);
        conducts.push(conduct);
        return world.start(id, { conduct });
      };
      const [a, b, c] = [start('vr-a'), start('vr-b'), start('vr-c')];
      const routers = [a, b, c];
      for (let minute = 0; minute < 10; minute++) {
        world.clock.advance(60_000);
        if (minute === 3) {
          world.kill(c);
          routers.push(start('vr-c'));
        }
        if (minute === 5) world.cut = ({ from }) => from.address[3] === 2;
        if (minute === 7) world.cut = () => false;
        for (const conduct of conducts)
          for (const peer of NAMES) assert.equal(conduct.isMisbehaving(peer), false, `minute ${minute}`);
      }
      for (const router of routers)
        for (const [counter, value] of Object.entries(router.tunnel.counters()))
          if (counter.startsWith('control_refused_') && !counter.endsWith('_not_sought'))
            assert.ok(value <= 20, `${router.id} ${counter}: ${value}`);
    });
});
