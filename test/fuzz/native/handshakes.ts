/** Handshake messages at the addon's guard, and its cookie replies, compared with the tunnel's own functions. */
import assert from 'node:assert/strict';
import { Action, D, DESCRIPTOR_WORDS, Kind, type UdpSocket } from '../../../src/dataplane/engine.js';
import { cookieFor, openCookieReply } from '../../../src/wireguard/cookie.js';
import { decodeMessage, MessageType, mac1Of } from '../../../src/wireguard/messages.js';
import { mac } from '../../../src/wireguard/primitives.js';
import { type CounterName, Rig } from '../../contract/rig.js';
import { LOOPBACK, type RawSocket, type World } from '../../contract/world.js';
import { FakeGuard } from '../../support/fake-guard.js';
import { joined, mutated } from '../mutate.js';
import type { Random } from '../random.js';
import type { NativeFuzzer } from './target.js';

const LENGTHS: Readonly<Record<number, number>> = { 1: 148, 2: 92, 3: 64 };
const MAC_BYTES = 16;
const PROVEN = 4;

interface End {
  readonly udp: UdpSocket;
  readonly raw: RawSocket;
  readonly address: Uint8Array;
}

export class HandshakeFuzzer implements NativeFuzzer {
  readonly #world: World;
  readonly #random: Random;
  readonly #ends: readonly End[];
  readonly #rig: Rig;
  readonly #guard = new FakeGuard();
  #keys: Record<'mac1Key' | 'cookieKey' | 'cookieSecret', Uint8Array> = {
    mac1Key: new Uint8Array(32),
    cookieKey: new Uint8Array(32),
    cookieSecret: new Uint8Array(32),
  };
  readonly #tally = { sent: 0, plain: 0, proven: 0, cookies: 0 };

  static async open(world: World, random: Random): Promise<HandshakeFuzzer> {
    const ends: End[] = [];
    for (const family of [4, 6] as const) {
      const udp = world.addon.openUdp(LOOPBACK[family], 0);
      ends.push({ udp, raw: await world.openRaw(family), address: LOOPBACK[family] });
    }
    return new HandshakeFuzzer(world, random, ends);
  }

  private constructor(world: World, random: Random, ends: readonly End[]) {
    this.#world = world;
    this.#random = random;
    this.#ends = ends;
    this.#rig = new Rig(world.addon, { role: 'tunnel', udp: ends.map(({ udp }) => udp), slots: 32 });
  }

  async round(): Promise<void> {
    const random = this.#random;
    if (this.#tally.sent === 0 || random.chance(2)) this.#renew();
    const end = random.pick(this.#ends);
    const waiting = new Map<string, 'badMac1' | 'plain' | 'proven'>();
    const count = 1 + random.below(8);
    const before = this.#count('tunnelDatagramsReceived');
    for (let i = 0; i < count; i++) {
      const bytes = this.#message(end);
      if (bytes.length === 0) continue;
      if (isHandshake(bytes))
        waiting.set(keyOf(bytes), this.#guard.check(bytes, { address: end.address, port: end.raw.port }));
      await end.raw.send(bytes, end.udp.port);
      this.#tally.sent++;
    }
    const cookies: Uint8Array[] = [];
    for (let tries = 0; tries < 100; tries++) {
      this.#receive(waiting, cookies);
      if (this.#count('tunnelDatagramsReceived') - before >= count) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(
      [...waiting.values()].filter((verdict) => verdict !== 'badMac1'),
      [],
      'a good message does not come up',
    );
    for (const message of cookies) await this.#assertCookie(end, message);
  }

  report(): string {
    return JSON.stringify({ ...this.#tally, badMac1: this.#count('handshakesBadMac1') });
  }

  close(): void {
    this.#rig.close();
    for (const { udp, raw } of this.#ends) {
      raw.close();
      this.#world.addon.closeSocket(udp.fd);
    }
  }

  #count(name: CounterName): number {
    return this.#rig.counter(name);
  }

  #renew(): void {
    const random = this.#random;
    this.#keys = { mac1Key: random.bytes(32), cookieKey: random.bytes(32), cookieSecret: random.bytes(32) };
    this.#world.addon.setHandshakeGuard(this.#keys);
    this.#guard.set(this.#keys);
  }

  /** With right macs, with a right mac1 only, or as it comes. */
  #message(end: End): Uint8Array {
    const random = this.#random;
    const type = 1 + random.below(3);
    let bytes = random.bytes(LENGTHS[type] ?? 0);
    bytes.set([type, 0, 0, 0]);
    if (type !== MessageType.cookie && random.chance(80)) bytes = this.#signed(bytes, end);
    if (random.chance(30)) bytes = mutated(bytes, random);
    return random.chance(2) ? joined(bytes, random.bytes(random.below(3_000))) : bytes;
  }

  #signed(message: Uint8Array, end: End): Uint8Array {
    const random = this.#random;
    const body = message.subarray(0, message.length - 2 * MAC_BYTES);
    const withMac1 = joined(body, mac(this.#keys.mac1Key, body));
    const port = random.chance(80) ? end.raw.port : random.below(65_536);
    const cookie = cookieFor(this.#keys.cookieSecret, { address: end.address, port });
    const mac2 = random.pick([new Uint8Array(MAC_BYTES), random.bytes(MAC_BYTES), mac(cookie, withMac1)]);
    return joined(withMac1, mac2);
  }

  #receive(waiting: Map<string, string>, cookies: Uint8Array[]): void {
    const random = this.#random;
    const { engine } = this.#rig;
    const all = this.#rig.receiveOnce(0);
    for (const [i, one] of all.entries()) {
      assert.equal(one.kind, Kind.handshake);
      const verdict = waiting.get(keyOf(one.bytes));
      assert.equal(
        (one.sessionFlags & PROVEN) !== 0,
        verdict === 'proven',
        `the guard's verdict is not "${verdict}"`,
      );
      assert.notEqual(verdict, 'badMac1');
      assert.ok(verdict !== undefined, 'a message comes up that was not sent');
      this.#tally[verdict === 'proven' ? 'proven' : 'plain']++;
      const words = engine.descriptors.subarray(i * DESCRIPTOR_WORDS, (i + 1) * DESCRIPTOR_WORDS);
      if (random.chance(20)) this.#spoil(words);
      else if (random.chance(50)) {
        words[D.action] = Action.cookie;
        if (one.bytes[0] !== MessageType.cookie) cookies.push(one.bytes);
      }
    }
    engine.send(0, all.length);
    // Equal messages are sent twice at most by chance: each is forgotten at the end only.
    for (const { bytes } of all) waiting.delete(keyOf(bytes));
  }

  /** Asks for a cookie as a worker gone mad would: to no one, or for what is no message. */
  #spoil(words: Int32Array): void {
    const random = this.#random;
    words[D.action] = Action.cookie;
    // Another port of this machine: nobody there waits for a reply.
    words[D.sourcePort] = random.pick([0, -1, 65_536, 9]);
    if (random.chance(50))
      words[random.pick([D.socket, D.offset, D.length, D.sourceFamily])] = random.oddWord();
  }

  async #assertCookie({ raw, address }: End, message: Uint8Array): Promise<void> {
    const { bytes } = await raw.next();
    const reply = decodeMessage(bytes);
    assert.ok(typeof reply !== 'string' && reply.type === MessageType.cookie, 'no cookie reply');
    assert.equal(reply.receiver, new DataView(message.buffer, message.byteOffset).getUint32(4, true));
    const cookie = openCookieReply(this.#keys.cookieKey, mac1Of(message), reply);
    assert.deepEqual(cookie, cookieFor(this.#keys.cookieSecret, { address, port: raw.port }));
    this.#tally.cookies++;
  }
}

function isHandshake(bytes: Uint8Array): boolean {
  return LENGTHS[bytes[0] ?? 0] === bytes.length && bytes[1] === 0 && bytes[2] === 0 && bytes[3] === 0;
}

function keyOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
