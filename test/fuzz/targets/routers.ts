/**
 * A running tunnel whose peer is mad: handshakes, control payloads, Pongs to path and size probes that were never asked
 * or come by other ways, sightings, connections that come and go. It must not throw, must not grow, and must go on.
 */
import assert from 'node:assert/strict';
import type { Coordinate } from '../../../src/net/coordinates.js';
import { Ip } from '../../../src/net/ip.js';
import { ControlCodec } from '../../../src/protocol/control-codec.js';
import type { ControlMessage } from '../../../src/protocol/control-message.js';
import type { Envelope } from '../../../src/protocol/envelope.js';
import type { DatagramAddress } from '../../../src/tunnel/ports.js';
import { type SimRouter, World } from '../../sim/tunnel-world.js';
import { SAMPLES } from '../../unit/protocol/control-samples.js';
import { mutated } from '../mutate.js';
import type { Random } from '../random.js';
import type { Target } from '../target.js';

const A = 0;
const MOST_STEPS = 150;
/** Longer than a peer needs to be taken for dead, and the back-off of calls after that. */
const RECOVERY_MS = 120_000;

const codec = new ControlCodec();

class Scene {
  readonly #random: Random;
  readonly #world: World;
  readonly #a: SimRouter;
  readonly #b: SimRouter;
  /** Of vr-a's control link with vr-b, as vr-b would know it. */
  #seen: Envelope | undefined;

  constructor(random: Random) {
    this.#random = random;
    this.#world = new World({
      routers: ['vr-a', 'vr-b', 'vr-c'],
      relays: ['vr-c'],
      seed: random.word() >>> 0,
    });
    this.#a = this.#world.start('vr-a');
    this.#b = this.#world.start('vr-b');
    this.#world.start('vr-c');
    const { tunnel } = this.#b;
    const received = tunnel.controlReceived.bind(tunnel);
    tunnel.controlReceived = (peer, payload, source) => {
      const decoded = codec.decode(payload);
      if (peer === A && typeof decoded !== 'string') this.#seen = decoded.envelope;
      received(peer, payload, source);
    };
    this.#world.until('up', () => this.#bothUp(), 5_000);
  }

  work(): string {
    const random = this.#random;
    const before = this.#a.count('control_received_pong');
    for (let steps = random.below(MOST_STEPS); steps >= 0; steps--) {
      this.#step();
      this.#world.clock.advance(random.chance(96) ? random.below(20) : random.below(5_000));
    }
    const pongs = this.#a.count('control_received_pong') > before;
    const went = this.#a.changes.some((change) => change === 'down vr-b');
    const [peer] = this.#a.tunnel.peers();
    assert.ok(peer !== undefined && peer.pendingMessages < 5_000, 'messages pile up');
    assert.ok(this.#a.installedSessions <= 12, `${this.#a.installedSessions} sessions`);
    this.#world.until('up again', () => this.#bothUp(), RECOVERY_MS);
    if (went) return 'came back';
    return pongs ? 'stayed up' : 'stayed up, no Pong heard';
  }

  #bothUp(): boolean {
    return this.#a.stateOf('vr-b') === 'up' && this.#b.stateOf('vr-a') === 'up';
  }

  #step(): void {
    const random = this.#random;
    const { tunnel } = this.#a;
    const source = this.#source();
    switch (random.below(6)) {
      case 0: {
        const handshakes = this.#world.sent.filter(({ bytes }) => (bytes[0] ?? 0) < 4);
        const { bytes } = random.pick(handshakes);
        tunnel.handshakeReceived(random.chance(20) ? bytes : mutated(bytes, random), source);
        return;
      }
      case 1:
        tunnel.controlReceived(
          random.pick([1, 1, 2, 9]),
          this.#mutatedPayload(),
          random.chance(90) ? source : undefined,
        );
        return;
      case 2:
        tunnel.streamChanged(
          random.pick(['connected', 'accepted', 'closed']),
          source,
          random.pick(['idle', 'ECONNRESET']),
        );
        return;
      default:
        // Authentic: a peer may be mad.
        tunnel.controlReceived(1, this.#payload(), random.chance(80) ? source : undefined);
    }
  }

  #payload(): Uint8Array {
    const random = this.#random;
    const { epoch = 0, ackEpoch = 0 } = this.#seen ?? {};
    const id = random.chance(50) ? 0 : random.below(500);
    const envelope: Envelope = {
      id,
      acks: Array.from({ length: random.below(4) }, () => random.below(300)),
      // The peer's own epoch is what we acknowledge.
      epoch: random.chance(95) ? ackEpoch : random.below(2 ** 31),
      ackEpoch: random.chance(95) ? epoch : random.below(2 ** 31),
      oldest: random.chance(90) ? 1 : random.below(1_000),
      body: this.#body(),
    };
    return codec.encode(envelope);
  }

  #body(): ControlMessage | undefined {
    const random = this.#random;
    switch (random.below(6)) {
      case 0:
        return undefined;
      case 1:
        return { type: 'ping', token: random.below(2 ** 31) };
      case 2:
        return {
          type: 'pong',
          token: random.chance(80) ? 1 + random.below(60) : random.below(2 ** 31),
          wallUs: random.pick([0, 2 ** 52, 1]),
          coordinate: random.chance(50) ? undefined : this.#coordinate(),
        };
      case 3:
        return {
          type: 'seen',
          router: random.pick(['vr-c', 'vr-b', 'vr-a', 'x']),
          ip: this.#ip(),
          port: random.below(65_536),
        };
      case 4:
        return { type: 'seek', router: random.pick(['vr-c', 'vr-b', 'vr-a', 'x']) };
      default:
        return random.pick(SAMPLES.filter(({ type }) => type !== 'hello' || random.chance(20)));
    }
  }

  #mutatedPayload(): Uint8Array {
    return mutated(this.#payload(), this.#random);
  }

  #coordinate(): Coordinate {
    const random = this.#random;
    const ms = (): number => random.pick([0, -10_000, 10_000, 0.001, -random.below(100)]);
    return { point: [ms(), ms(), ms()], heightMs: Math.abs(ms()), error: random.pick([0, 1, 0.001]) };
  }

  #ip(): Ip | undefined {
    const random = this.#random;
    return random.pick([undefined, Ip.v4(random.word() >>> 0), Ip.of('2001:db8::1'), Ip.of('192.0.2.2')]);
  }

  /** A way that a message could have come. */
  #source(): DatagramAddress {
    const random = this.#random;
    const udp = {
      address: Uint8Array.of(192, 0, 2, 1 + random.below(5)),
      port: random.chance(80) ? 7_700 : random.below(65_536),
    };
    if (random.chance(20)) return { ...udp, stream: random.below(20) };
    if (random.chance(10)) return { address: new Uint8Array(0), port: 0, relay: random.below(4) };
    return random.chance(10) ? { address: random.bytes(16), port: random.below(65_536) } : udp;
  }
}

export const routers: Target = {
  name: 'routers',
  outcomes: ['stayed up', 'came back'],
  open: () => (random) => new Scene(random).work(),
};
