/** A WireGuard client as the tunnel sees it: the paper's timers on a simulated clock, both roles in the handshake. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Ip } from '../../src/net/ip.js';
import { ownClients } from '../../src/tables/clients.js';
import type { GndtConfig } from '../../src/tables/model.js';
import type { LastHeard } from '../../src/tunnel/last-heard.js';
import type { TunnelEvent } from '../../src/tunnel/peer-state.js';
import type { DatagramAddress, PeerCounts } from '../../src/tunnel/ports.js';
import { Tunnel, type TunnelOptions } from '../../src/tunnel/tunnel.js';
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
import { isLater, TimestampSource } from '../../src/wireguard/tai64n.js';
import { SimClock } from '../support/sim-clock.js';
import { Random } from './tunnel-world.js';

const EMPTY_MESSAGE = 32;
const DATA_MESSAGE = 112;
const HOME = { address: Uint8Array.of(198, 51, 100, 7), port: 51_820 };
const HOME6 = { address: Ip.of('2001:db8::7').toBytes(), port: 51_820 };
const ELSEWHERE = { address: Uint8Array.of(203, 0, 113, 1), port: 1 };
const CLIENT = 1;

/** One router with one client: the client's handshakes are real, its packets are only counted. */
class Scene {
  readonly random = new Random(1);
  readonly states: boolean[] = [];
  readonly tunnel: Tunnel;
  readonly events: TunnelEvent[] = [];
  /** What the router is to remember of the client. */
  last: LastHeard | undefined;
  /** Where the packet engine sends. */
  endpoint: DatagramAddress | undefined;
  /** Handshake messages that the router has sent, and how many keep-alives. */
  readonly sent: { readonly bytes: Uint8Array; readonly port: number; readonly to: DatagramAddress }[] = [];
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
  readonly gndt: GndtConfig;
  private readonly router;
  private readonly me;
  private readonly remote;
  private readonly timestamps = new TimestampSource(() => this.clock.wallMs());
  private greatestTimestamp: Uint8Array = new Uint8Array(12);

  /** @param options of a router that has run before: what it remembers, and the client that it had */
  constructor(
    cipher: GndtConfig['cipher'] = 'chacha20-poly1305',
    options: Partial<TunnelOptions> = {},
    readonly clock = new SimClock(),
    before?: Scene,
  ) {
    if (before !== undefined) this.greatestTimestamp = before.greatestTimestamp;
    const [routerKey, clientKey] = [this.random.bytes(32), this.random.bytes(32)];
    this.router = createIdentity(cipher === 'auto' ? 'chacha20-poly1305' : cipher, routerKey.slice());
    this.me = createIdentity('chacha20-poly1305', clientKey.slice());
    this.remote = createRemoteIdentity(this.me, this.router.publicKey) ?? assert.fail();
    const gndt: GndtConfig = {
      vnets: [],
      routers: [{ id: 'vr-a', publicKey: this.router.publicKey, endpoints: [], relay: false }],
      networks: [],
      cipher,
      nodes: [{ vnet: 1, ip: Ip.of('10.1.0.201'), publicKey: this.me.publicKey, via: 'vr-a' }],
    };
    this.gndt = gndt;
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
        setPeerEndpoint: (_peer, to) => {
          this.endpoint = to;
        },
        peerEndpoint: () => this.endpoint,
        removePeer: () => {
          this.endpoint = undefined;
        },
        peerStats: () => this.counts,
        sealAndSend: (_peer, payload) => {
          assert.equal(payload.length, 0, 'a client understands no control message');
          this.keepalives++;
          this.count('sent', EMPTY_MESSAGE);
          return true;
        },
        sendDatagram: (to, bytes) => this.sent.push({ bytes, port: to.port, to }) > 0,
      },
      listeners: {
        message: () => assert.fail(),
        up: () => assert.fail(),
        down: () => assert.fail(),
        client: (_client, isConnected) => this.states.push(isConnected),
        event: (event) => this.events.push(event),
        heard: (last) => {
          this.last = last;
        },
      },
      ...options,
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

  /** The router is killed and started again, with what it remembers. */
  restart(options: Partial<TunnelOptions> = {}): Scene {
    const { last } = this;
    return new Scene(this.gndt.cipher, { lastHeard: () => last, ...options }, this.clock, this);
  }

  /** The client calls, and confirms with a keep-alive. */
  call(from: DatagramAddress = HOME): void {
    const input = { ephemeral: this.random.bytes(32), localIndex: 7, timestamp: this.timestamps.next() };
    const made = createInitiation(this.me, this.remote, input);
    assert.ok(typeof made === 'object');
    this.called = made.bytes;
    this.tunnel.handshakeReceived(made.bytes, from);
    this.finish(made.state, from);
  }

  private finish(state: InitiatorState, from: DatagramAddress): void {
    const response = decodeMessage(this.sent.at(-1)?.bytes ?? new Uint8Array(0));
    assert.ok(typeof response === 'object' && response.type === MessageType.response);
    const keys = openResponse(this.me, this.remote, state, response);
    assert.ok(typeof keys === 'object');
    this.count('received', EMPTY_MESSAGE);
    this.heardFrom(from);
    this.tunnel.sessionConfirmed(CLIENT, keys.remoteIndex);
  }

  /** As the packet engine follows authentic messages. */
  heardFrom(from: DatagramAddress): void {
    const isSameKind = (this.endpoint?.stream === undefined) === (from.stream === undefined);
    if (this.endpoint === undefined || isSameKind) this.endpoint = from;
  }

  /** The client answers the router's last initiation. */
  answer(from: DatagramAddress = HOME): void {
    const initiation = decodeMessage(this.sent.at(-1)?.bytes ?? new Uint8Array(0));
    assert.ok(typeof initiation === 'object' && initiation.type === MessageType.initiation);
    const opened = openInitiation(this.me, initiation, () => ({ remote: this.remote }));
    assert.ok(typeof opened === 'object');
    assert.ok(isLater(opened.timestamp, this.greatestTimestamp), 'the client takes it for a replay');
    this.greatestTimestamp = opened.timestamp;
    const made = createResponse(opened.state, this.remote, {
      ephemeral: this.random.bytes(32),
      localIndex: 8,
    });
    assert.ok(typeof made === 'object');
    this.tunnel.handshakeReceived(made.bytes, from);
  }
}

/** With a client that has a session. */
function connected(from: DatagramAddress = HOME): Scene {
  const scene = new Scene();
  scene.call(from);
  return scene;
}

describe('a WireGuard client', () => {
  for (const cipher of ['auto', 'chacha20-poly1305', 'aes-256-gcm'] as const) {
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
    scene.tunnel.handshakeReceived(scene.called, ELSEWHERE);
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

describe('a WireGuard client of a router that has started again', () => {
  for (const [family, from] of [
    ['IPv4', HOME],
    ['IPv6', HOME6],
  ] as const)
    it(`is called at once where it was heard last, by ${family}`, () => {
      const before = connected(from);
      const { address, port, hasSession } = before.last ?? assert.fail('nothing is remembered');
      assert.deepEqual([[...address], port, hasSession], [[...from.address], from.port, true]);
      before.clock.advance(3_000);
      const scene = before.restart();
      assert.deepEqual(
        scene.sent.map(({ to }) => [[...to.address], to.port]),
        [[[...from.address], from.port]],
      );
      assert.equal(scene.tunnel.clients()[0]?.calls, 1);
      scene.clock.advance(20);
      scene.answer(from);
      assert.deepEqual([scene.states, scene.keepalives], [[true], 1], 'the first message confirms it');
      assert.deepEqual(scene.events, [
        { event: 'clients_called', clients: 1 },
        { event: 'clients_answered', answered: 1, unanswered: 0, tookMs: 20 },
      ]);
      const { client_calls, client_calls_answered, client_calls_unanswered } = scene.tunnel.counters();
      assert.deepEqual([client_calls, client_calls_answered, client_calls_unanswered], [1, 1, undefined]);
      const [state] = scene.tunnel.clients();
      assert.deepEqual([state?.connected, state?.calls], [true, 0]);
    });

  it('is called where it went last, which its packets show', () => {
    const before = connected();
    before.heardFrom(ELSEWHERE);
    before.clock.advance(1_000);
    assert.equal(before.last?.port, ELSEWHERE.port);
    assert.deepEqual(before.restart().sent[0]?.to, { ...ELSEWHERE });
  });

  it('and is off is called for 90 s, and then only for data; after the next start not at all', () => {
    const before = connected();
    const scene = before.restart();
    scene.clock.advance(89_000);
    assert.equal(scene.last?.hasSession, undefined, 'a second start would still call it');
    scene.clock.advance(10_000);
    const tries = scene.initiations();
    assert.ok(tries > 15 && tries < 30, `${tries} calls`);
    assert.deepEqual(scene.events[1], {
      event: 'clients_answered',
      answered: 0,
      unanswered: 1,
      tookMs: (scene.events[1] as { readonly tookMs: number }).tookMs,
    });
    assert.equal(scene.last?.hasSession, false);
    scene.clock.advance(3_600_000);
    assert.equal(scene.initiations(), tries);
    scene.tunnel.clientWanted(CLIENT);
    assert.equal(scene.initiations(), tries + 1);
    scene.tunnel.stop('done');
    const again = scene.restart();
    again.clock.advance(1_000);
    assert.equal(again.initiations(), 0);
    again.tunnel.clientWanted(CLIENT);
    assert.equal(again.initiations(), 1, 'where it was is known');
  });

  it('had none any more when the router ended: it is left alone', () => {
    const before = connected();
    before.clock.advance(181_000);
    assert.equal(before.last?.hasSession, false);
    const scene = before.restart();
    scene.clock.advance(100_000);
    assert.deepEqual([scene.sent.length, scene.events], [0, []]);
  });

  it('came by TCP or a relay: it is not called where nobody listens', () => {
    for (const more of [{ stream: 3 }, { relay: 2, address: new Uint8Array(0) }]) {
      const before = connected({ ...HOME, ...more });
      assert.equal(before.last, undefined);
    }
    const before = connected();
    before.clock.advance(1_000);
    before.call({ ...ELSEWHERE, stream: 3 });
    assert.equal(before.endpoint?.stream, 3);
    assert.deepEqual([before.last?.port, before.last?.hasSession], [HOME.port, false]);
  });

  it('calls first: nobody calls it any more', () => {
    const before = connected();
    const scene = before.restart();
    assert.equal(scene.initiations(), 1);
    scene.call();
    assert.deepEqual([scene.states, scene.events.length], [[true], 2], 'it has called first');
    scene.clock.advance(100_000);
    assert.equal(scene.initiations(), 1);
  });

  it('takes no call for a replay when the clock was set back', () => {
    const before = connected();
    before.clock.advance(181_000);
    before.tunnel.clientWanted(CLIENT);
    before.answer();
    const { stampUs } = before.last ?? assert.fail();
    before.clock.stepWall(-3_600_000);
    const deaf = before.restart();
    assert.throws(() => deaf.answer(), /takes it for a replay/);
    before.restart({ timestampsAfterUs: stampUs }).answer();
  });

  it('calls first after one start: the timestamps of before are not forgotten at the next', () => {
    const first = connected();
    first.clock.advance(181_000);
    first.tunnel.clientWanted(CLIENT);
    first.answer();
    const { stampUs } = first.last ?? assert.fail();
    assert.ok(stampUs > 0);
    const { last } = first;
    const second = new Scene(
      'chacha20-poly1305',
      { lastHeard: () => last && { ...last, hasSession: false } },
      first.clock,
      first,
    );
    second.call();
    assert.deepEqual([second.initiations(), second.last?.stampUs], [0, stampUs]);
  });

  it('is not led astray by its own recorded call, which the router does not remember', () => {
    const before = connected();
    const scene = before.restart();
    scene.answer();
    scene.clock.advance(1_000);
    scene.tunnel.handshakeReceived(before.called, ELSEWHERE);
    assert.equal(scene.sent.at(-1)?.to, ELSEWHERE, 'it is answered');
    assert.deepEqual(scene.endpoint?.port, HOME.port);
    scene.clock.advance(5_000);
    assert.equal(scene.last?.port, HOME.port);
    assert.deepEqual(scene.states, [true]);
  });

  it('is called anew when a reload gives it another address', () => {
    const scene = connected();
    const remembering = scene.restart();
    remembering.answer();
    const nodes = scene.gndt.nodes.map((node) => ({ ...node, ip: Ip.of('10.1.0.202') }));
    const plan = remembering.tunnel.planPeers(
      [],
      ownClients({ ...scene.gndt, nodes }, 'vr-a', () => CLIENT),
    );
    assert.ok(typeof plan === 'object');
    remembering.tunnel.reconfigure(plan, new Uint8Array(32), () => 0, 0);
    remembering.answer();
    assert.deepEqual(remembering.states, [true, true]);
  });

  it('is no client any more: a reload ends its call', () => {
    const scene = connected().restart();
    const plan = scene.tunnel.planPeers([], []);
    assert.ok(typeof plan === 'object');
    scene.tunnel.reconfigure(plan, new Uint8Array(32), () => 0, 0);
    const { length } = scene.sent;
    scene.clock.advance(100_000);
    assert.equal(scene.sent.length, length);
    assert.deepEqual(scene.events.at(-1), {
      event: 'clients_answered',
      answered: 0,
      unanswered: 0,
      tookMs: 0,
    });
  });

  it('is one of a thousand: two are called every 8 ms', () => {
    const random = new Random(2);
    const nodes = Array.from({ length: 1_000 }, (_, i) => ({
      vnet: 1,
      ip: Ip.v4(0x0a01_0000 + i),
      publicKey: createIdentity('chacha20-poly1305', random.bytes(32)).publicKey,
      via: 'vr-a',
    }));
    const { gndt } = new Scene();
    let number = CLIENT;
    const scene = new Scene('chacha20-poly1305', {
      clients: ownClients({ ...gndt, nodes }, 'vr-a', () => number++),
      lastHeard: (publicKey) => ({ publicKey, ...HOME, hasSession: true, stampUs: 0 }),
      // So that only first calls are counted.
      times: { firstRetriesMs: [10_000] },
    });
    assert.deepEqual(scene.events, [{ event: 'clients_called', clients: 1_000 }]);
    for (let calls = 2; calls <= 1_000; calls += 2) {
      assert.equal(scene.initiations(), calls);
      scene.clock.advance(8);
    }
    scene.tunnel.stop('done');
    assert.deepEqual(scene.clock.waiting, []);
  });
});
