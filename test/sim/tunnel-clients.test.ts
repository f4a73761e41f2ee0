/** A WireGuard client as the tunnel sees it: the paper's timers on a simulated clock, both roles in the handshake. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Ip } from '../../src/net/ip.js';
import { ownClients } from '../../src/tables/clients.js';
import type { GndtConfig } from '../../src/tables/model.js';
import type { PeerCounts } from '../../src/tunnel/ports.js';
import { Tunnel } from '../../src/tunnel/tunnel.js';
import {
  createIdentity,
  createInitiation,
  createRemoteIdentity,
  createResponse,
  type HandshakeKeys,
  type InitiatorState,
  openInitiation,
  openResponse,
} from '../../src/wireguard/handshake.js';
import { decodeMessage, MessageType } from '../../src/wireguard/messages.js';
import { TimestampSource } from '../../src/wireguard/tai64n.js';
import { SimClock } from '../support/sim-clock.js';
import { Random } from './tunnel-world.js';

const EMPTY_MESSAGE = 32;
const DATA_MESSAGE = 112;
const HOME = { address: Uint8Array.of(198, 51, 100, 7), port: 51_820 };
const CLIENT = 1;

/** One router with one client: the client's handshakes are real, its packets are only counted. */
class Scene {
  readonly clock = new SimClock();
  readonly random = new Random(1);
  readonly states: boolean[] = [];
  readonly tunnel: Tunnel;
  /** Handshake messages that the router has sent, and how many keep-alives. */
  readonly sent: { readonly bytes: Uint8Array; readonly port: number }[] = [];
  keepalives = 0;
  /** The client's last initiation. */
  called: Uint8Array = new Uint8Array(0);
  current: HandshakeKeys | undefined;
  private readonly installed = new Map<number, HandshakeKeys>();
  private counts: PeerCounts = {
    bytesSent: 0,
    bytesReceived: 0,
    packetsSent: 0,
    packetsReceived: 0,
    lastSentMs: 0,
    lastReceivedMs: 0,
    currentCounter: 0,
  };
  private readonly router;
  private readonly me;
  private readonly remote;
  private readonly timestamps = new TimestampSource(() => this.clock.wallMs());

  constructor(cipher: GndtConfig['cipher'] = 'chacha20-poly1305') {
    const [routerKey, clientKey] = [this.random.bytes(32), this.random.bytes(32)];
    this.router = createIdentity(cipher, routerKey.slice());
    this.me = createIdentity('chacha20-poly1305', clientKey.slice());
    this.remote = createRemoteIdentity(this.me, this.router.publicKey) ?? assert.fail();
    const gndt: GndtConfig = {
      vnets: [],
      routers: [{ id: 'vr-a', publicKey: this.router.publicKey, endpoints: [], relay: false }],
      networks: [],
      cipher,
      nodes: [{ vnet: 1, ip: Ip.of('10.1.0.201'), publicKey: this.me.publicKey, via: 'vr-a' }],
    };
    this.tunnel = new Tunnel({
      gndt,
      clients: ownClients(gndt, 'vr-a', () => CLIENT),
      self: 'vr-a',
      privateKey: routerKey,
      description: { version: '', capabilities: [], gndtDigest: new Uint8Array(32), innerMtuBytes: 1436 },
      ports: {
        clock: this.clock,
        random: (length) => this.random.bytes(length),
        installSession: (_peer, keys) => this.installed.set(keys.localIndex, { ...keys }),
        setCurrentSession: (_peer, index) => {
          this.current = this.installed.get(index);
        },
        removeSession: (index) => this.installed.delete(index),
        setPeerEndpoint: () => {},
        removePeer: () => {},
        peerStats: () => this.counts,
        sealAndSend: (_peer, payload) => {
          assert.equal(payload.length, 0, 'a client understands no control message');
          this.keepalives++;
          this.count('sent', EMPTY_MESSAGE);
          return true;
        },
        sendDatagram: ({ port }, bytes) => this.sent.push({ bytes, port }) > 0,
      },
      listeners: {
        message: () => assert.fail(),
        up: () => assert.fail(),
        down: () => assert.fail(),
        client: (_client, isConnected) => this.states.push(isConnected),
      },
    });
    this.tunnel.start();
  }

  count(way: 'sent' | 'received', bytes: number): void {
    const { counts } = this;
    const nowMs = this.clock.nowMs();
    this.counts =
      way === 'sent'
        ? {
            ...counts,
            bytesSent: counts.bytesSent + bytes,
            packetsSent: counts.packetsSent + 1,
            lastSentMs: nowMs,
          }
        : {
            ...counts,
            bytesReceived: counts.bytesReceived + bytes,
            packetsReceived: counts.packetsReceived + 1,
            lastReceivedMs: nowMs,
          };
  }

  initiations(): number {
    return this.sent.filter(({ bytes }) => bytes[0] === MessageType.initiation).length;
  }

  /** The client calls, and confirms with a keep-alive. */
  call(): void {
    const input = { ephemeral: this.random.bytes(32), localIndex: 7, timestamp: this.timestamps.next() };
    const made = createInitiation(this.me, this.remote, input);
    assert.ok(typeof made === 'object');
    this.called = made.bytes;
    this.tunnel.handshakeReceived(made.bytes, HOME);
    this.finish(made.state);
  }

  private finish(state: InitiatorState): void {
    const response = decodeMessage(this.sent.at(-1)?.bytes ?? new Uint8Array(0));
    assert.ok(typeof response === 'object' && response.type === MessageType.response);
    const keys = openResponse(this.me, this.remote, state, response);
    assert.ok(typeof keys === 'object');
    this.count('received', EMPTY_MESSAGE);
    this.tunnel.sessionConfirmed(CLIENT, keys.remoteIndex);
  }

  /** The client answers the router's last initiation. */
  answer(): void {
    const initiation = decodeMessage(this.sent.at(-1)?.bytes ?? new Uint8Array(0));
    assert.ok(typeof initiation === 'object' && initiation.type === MessageType.initiation);
    const opened = openInitiation(this.me, initiation, () => ({ remote: this.remote }));
    assert.ok(typeof opened === 'object');
    const made = createResponse(opened.state, this.remote, {
      ephemeral: this.random.bytes(32),
      localIndex: 8,
    });
    assert.ok(typeof made === 'object');
    this.tunnel.handshakeReceived(made.bytes, HOME);
  }
}

describe('a WireGuard client', () => {
  for (const cipher of ['chacha20-poly1305', 'aes-256-gcm'] as const) {
    it(`calls, with its own cipher where the routers' is ${cipher}, and is left alone while nothing happens`, () => {
      const scene = new Scene(cipher);
      scene.call();
      assert.deepEqual(scene.states, [true]);
      assert.equal(scene.current?.cipher, 'chacha20-poly1305');
      const sent = scene.sent.length;
      scene.clock.advance(179_000);
      assert.deepEqual([scene.sent.length, scene.keepalives], [sent, 0], 'a phone asleep stays asleep');
      scene.clock.advance(2_000);
      assert.deepEqual(scene.states, [true, false]);
      assert.equal(scene.tunnel.clients()[0]?.connected, false);
      scene.clock.advance(600_000);
      assert.equal(scene.sent.length, sent);
    });
  }

  it('gets a keep-alive 10 s after data that nothing answered, and only then', () => {
    const scene = new Scene();
    scene.call();
    scene.clock.advance(5_000);
    scene.count('received', DATA_MESSAGE);
    scene.clock.advance(9_900);
    assert.equal(scene.keepalives, 0);
    scene.clock.advance(2_100);
    assert.equal(scene.keepalives, 1);
    scene.clock.advance(60_000);
    assert.equal(scene.keepalives, 1);
    scene.count('received', EMPTY_MESSAGE);
    scene.clock.advance(60_000);
    assert.equal(scene.keepalives, 1, 'a keep-alive is not answered with one');
  });

  it('is called when it has been silent for 15 s after data', () => {
    const scene = new Scene();
    scene.call();
    scene.clock.advance(2_000);
    scene.count('sent', DATA_MESSAGE);
    scene.clock.advance(14_900);
    assert.equal(scene.initiations(), 0);
    scene.clock.advance(2_000);
    assert.equal(scene.initiations(), 1);
    scene.answer();
    assert.deepEqual(scene.states, [true, true]);
    assert.equal(scene.keepalives, 1, 'the initiator confirms');
    assert.equal(scene.sent.at(-1)?.port, HOME.port);
  });

  it('is called for data without a session, at where it was heard; given up after 90 s', () => {
    const scene = new Scene();
    scene.tunnel.clientWanted(CLIENT);
    assert.equal(scene.sent.length, 0, 'it has never been heard');
    scene.call();
    scene.clock.advance(181_000);
    assert.deepEqual(scene.states, [true, false]);
    scene.tunnel.clientWanted(CLIENT);
    assert.equal(scene.initiations(), 1);
    scene.clock.advance(100_000);
    const tries = scene.initiations();
    assert.ok(tries > 15 && tries < 30, `${tries} tries`);
    scene.clock.advance(600_000);
    assert.equal(scene.initiations(), tries, 'given up');
    scene.tunnel.clientWanted(CLIENT);
    assert.equal(scene.initiations(), tries + 1);
    scene.answer();
    assert.deepEqual(scene.states, [true, false, true]);
  });

  it('is rekeyed by who began the session, when there is data after 120 s', () => {
    const scene = new Scene();
    scene.call();
    scene.clock.advance(130_000);
    scene.count('received', DATA_MESSAGE);
    scene.count('sent', DATA_MESSAGE);
    scene.clock.advance(1_500);
    assert.equal(scene.initiations(), 0, 'the client began it: the client renews it');
    scene.clock.advance(60_000);
    scene.tunnel.clientWanted(CLIENT);
    scene.answer();
    const before = scene.initiations();
    scene.clock.advance(119_000);
    scene.count('sent', DATA_MESSAGE);
    scene.count('received', DATA_MESSAGE);
    scene.clock.advance(900);
    assert.equal(scene.initiations(), before);
    scene.clock.advance(1_000);
    scene.count('sent', DATA_MESSAGE);
    scene.count('received', DATA_MESSAGE);
    scene.clock.advance(1_500);
    assert.equal(scene.initiations(), before + 1);
    scene.answer();
    assert.equal(scene.states.at(-1), true);
  });

  it('cannot be undone by its own recorded call', () => {
    const scene = new Scene();
    scene.call();
    scene.clock.advance(1_000);
    scene.tunnel.handshakeReceived(scene.called, { address: Uint8Array.of(203, 0, 113, 1), port: 1 });
    assert.equal(scene.tunnel.counters().handshake_drop_replayed, 1);
    assert.equal(scene.tunnel.clients()[0]?.endpoint?.port, HOME.port);
  });

  it('leaves no timer behind', () => {
    const scene = new Scene();
    scene.call();
    scene.tunnel.stop('done');
    assert.deepEqual(scene.clock.waiting, []);
  });
});
