/** Messages by way of a relay: headers and sealed messages, whole and mutated, at the addon's `openRelayed`. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Action, RELAY_HEADER_BYTES, type SessionKeys } from '../../../src/dataplane/engine.js';
import { newIndex, newPeer, openPair, type Pair } from '../../contract/rig.js';
import type { World } from '../../contract/world.js';
import { sealMessage } from '../../support/transport-message.js';
import { joined, mutated } from '../mutate.js';
import type { Random } from '../random.js';
import type { NativeFuzzer } from './target.js';

const TAG = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const OVERLAY_FIRST = 0x10;
/** Fresh counters are this far apart at most: the window must not leave good ones behind. */
const MOST_BATCH = 6;

/** Sessions end by themselves after 180 s. */
const RENEW_MS = 60_000;

interface Scene {
  readonly sinceMs: number;
  readonly pair: Pair;
  /** The far peer, whose messages the relay passes on to this end. */
  readonly far: number;
  readonly keys: SessionKeys;
  counter: bigint;
}

function open(world: World): Scene {
  const { addon } = world;
  const pair = openPair(world);
  const far = newPeer();
  const keys: SessionKeys = {
    localIndex: newIndex(),
    remoteIndex: newIndex(),
    sendKey: randomBytes(32),
    receiveKey: randomBytes(32),
    cipher: 'chacha20-poly1305',
  };
  addon.installSession(far, keys);
  addon.setCurrentSession(far, keys.localIndex);
  addon.setRelayTag(far, TAG);
  addon.setPeerPath(far, { relay: pair.b.peer });
  return { sinceMs: performance.now(), pair, far, keys, counter: 0n };
}

export class RelayedFuzzer implements NativeFuzzer {
  readonly #world: World;
  readonly #random: Random;
  #scene: Scene;
  readonly #tally = { sent: 0, opened: 0, refused: 0, empty: 0 };

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
    this.#scene = open(world);
  }

  round(): void {
    if (performance.now() - this.#scene.sinceMs > RENEW_MS) {
      this.close();
      this.#scene = open(this.#world);
    }
    const { pair, far, keys } = this.#scene;
    const { a, b } = pair;
    const random = this.#random;
    for (let count = 1 + random.below(MOST_BATCH); count > 0; count--) {
      const payload = random.bytes(random.pick([0, 1, 4, 40, 300, 1_200]));
      const genuine = sealMessage(
        keys.cipher,
        keys.receiveKey,
        keys.localIndex,
        this.#scene.counter++,
        payload,
      );
      const message = random.chance(40) ? genuine : mutated(genuine, random);
      const header = joined(Uint8Array.of(0x30, 1, 0, 0), TAG);
      const wrapped = joined(random.chance(80) ? header : mutated(header, random), message);
      a.rig.send(wrapped, { action: Action.message, to: a.peer });
      this.#tally.sent++;
      const [received] = b.rig.receive(1);
      if (wrapped.length === 0) continue;
      assert.deepEqual(received?.bytes, wrapped);
      this.#open(wrapped, genuine, payload);
    }
    // And the way out: wrapped by the addon, whatever it is.
    this.#world.addon.sealAndSend(far, random.bytes(random.below(2_000)));
    a.rig.receiveOnce(0);
  }

  #open(wrapped: Uint8Array, genuine: Uint8Array, payload: Uint8Array): void {
    const random = this.#random;
    const { pair, far } = this.#scene;
    const { engine } = pair.b.rig;
    const skip = random.chance(80) ? RELAY_HEADER_BYTES : random.oddWord() & 0x7fffffff;
    if (random.chance(10)) assert.throws(() => engine.openRelayed(engine.capacity + random.below(100), skip));
    const isGenuine = Buffer.compare(wrapped.subarray(skip), genuine) === 0;
    const isOpened = engine.openRelayed(0, skip);
    if (isOpened) {
      assert.ok(isGenuine, 'what is not genuine is opened');
      const described = pair.b.rig.read(0);
      assert.deepEqual(described.bytes, payload);
      assert.equal(described.from, far);
      // Where an overlay packet came from is nobody's question.
      if (payload[0] !== OVERLAY_FIRST) assert.equal(described.sourceRelay, pair.b.peer + 1);
      this.#tally.opened++;
    } else if (isGenuine) {
      assert.equal(payload.length, 0, 'what is genuine is not opened');
      this.#tally.empty++;
    } else this.#tally.refused++;
  }

  report(): string {
    return JSON.stringify(this.#tally);
  }

  close(): void {
    this.#world.addon.removePeer(this.#scene.far);
    this.#scene.pair.close();
  }
}
