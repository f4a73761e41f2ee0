import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import type { Endpoint, GndtConfig } from '../../../src/tables/model.js';
import { formatAddress } from '../../../src/tunnel/endpoint.js';
import type { TunnelPorts } from '../../../src/tunnel/ports.js';
import { SessionIndexes } from '../../../src/tunnel/session-index.js';
import { DEFAULT_TIMES, responderRekeyMs } from '../../../src/tunnel/times.js';
import { Tunnel } from '../../../src/tunnel/tunnel.js';
import { createIdentity } from '../../../src/wireguard/handshake.js';
import { SimClock } from '../../support/sim-clock.js';

const KEY = new Uint8Array(32).fill(1);
const PEER_KEY = new Uint8Array(32).fill(2);

function publicKey(privateKey: Uint8Array): Uint8Array {
  return createIdentity('chacha20-poly1305', privateKey.slice()).publicKey;
}

function endpoint(transport: 'udp' | 'tcp', address: string): Endpoint {
  return { transport, address: Ip.of(address), port: 7700 };
}

/** A tunnel whose peer never answers. Records when it sends where. */
function setUp(endpoints: readonly Endpoint[], peerKey = publicKey(PEER_KEY)) {
  const clock = new SimClock();
  const sent: { readonly atMs: number; readonly to: string }[] = [];
  const events: string[] = [];
  const ports: TunnelPorts = {
    clock,
    random: (length) => new Uint8Array(length).map(() => Math.floor(Math.random() * 256)),
    installSession: () => assert.fail('no session can be'),
    setCurrentSession: () => assert.fail('no session can be'),
    removeSession: () => undefined,
    setPeerEndpoint: () => undefined,
    removePeer: () => undefined,
    sealAndSend: () => false,
    sendDatagram: (to) => {
      sent.push({ atMs: clock.nowMs(), to: formatAddress(to) });
      return true;
    },
  };
  const routers = [
    { id: 'vr-a', publicKey: publicKey(KEY), endpoints: [], relay: false },
    { id: 'vr-b', publicKey: peerKey, endpoints, relay: false },
  ];
  const gndt: GndtConfig = { vnets: [], routers, networks: [], cipher: 'chacha20-poly1305', nodes: [] };
  const tunnel = new Tunnel({
    gndt,
    self: 'vr-a',
    privateKey: KEY.slice(),
    description: { version: '0.1.0', capabilities: [], gndtDigest: new Uint8Array(32), innerMtuBytes: 1436 },
    ports,
    listeners: {
      message: () => undefined,
      up: () => undefined,
      down: () => undefined,
      event: ({ event }) => events.push(event),
    },
  });
  return { clock, sent, events, tunnel };
}

describe('calling a peer that does not answer', () => {
  it('starts quickly, slows down to 5 s, and never ends', () => {
    const { clock, sent, events, tunnel } = setUp([endpoint('udp', '192.0.2.2')]);
    tunnel.start();
    clock.advance(3_600_000);
    const gaps = sent.slice(1).map(({ atMs }, index) => atMs - (sent[index]?.atMs ?? 0));
    for (const [index, least] of [250, 500, 1_000, 2_000, 5_000, 5_000].entries()) {
      const gap = gaps[index] ?? 0;
      assert.ok(gap >= least && gap <= least + Math.min(333, least / 4), `gap ${index} is ${gap} ms`);
    }
    assert.ok(Math.max(...gaps) <= 5_333);
    assert.ok(sent.length > 3_600 / 5.4);
    assert.deepEqual(events, ['peer_unanswered']);
    assert.equal(tunnel.counters().handshake_initiations_sent, sent.length);
  });

  it('tries its endpoints in order', () => {
    const { clock, sent, tunnel } = setUp([
      endpoint('tcp', '192.0.2.9'),
      endpoint('udp', '192.0.2.2'),
      endpoint('udp', '2001:db8::2'),
    ]);
    tunnel.start();
    clock.advance(2_500);
    assert.deepEqual(
      sent.map(({ to }) => to),
      ['192.0.2.2:7700', '[2001:db8::2]:7700', '192.0.2.2:7700', '[2001:db8::2]:7700'],
    );
  });

  it('shows how it stands', () => {
    const { clock, tunnel } = setUp([endpoint('udp', '192.0.2.2')]);
    tunnel.start();
    const state = (): unknown[] =>
      tunnel.peers().map((peer) => [peer.id, peer.peer, peer.state, peer.reason]);
    assert.deepEqual(state(), [['vr-b', 1, 'connecting', 'no answer from 192.0.2.2:7700 to 1 calls']]);
    clock.advance(10_000);
    assert.deepEqual(state(), [['vr-b', 1, 'down', 'no answer from 192.0.2.2:7700 to 6 calls']]);
    tunnel.stop('done');
    assert.deepEqual(clock.waiting, []);
  });

  it('names what cannot be called', () => {
    const reasonWith = (endpoints: Endpoint[]): string | undefined => {
      const { sent, tunnel } = setUp(endpoints);
      tunnel.start();
      assert.equal(sent.length, 0);
      return tunnel.peers()[0]?.reason;
    };
    assert.equal(reasonWith([]), 'has no endpoint: waiting for it to call');
  });

  it('refuses at once a public key that can give no secret', () => {
    assert.throws(() => setUp([], new Uint8Array(32)), /public key of router vr-b is of low order/);
  });
});

describe('times', () => {
  it('let the responder step in late, but before the session runs out', () => {
    assert.equal(responderRekeyMs(DEFAULT_TIMES), 165_000);
    assert.ok(responderRekeyMs(DEFAULT_TIMES) > DEFAULT_TIMES.rekeyAfterMs);
  });
});

describe('session indexes', () => {
  it('are unique, though chance repeats itself', () => {
    const bytes = [
      [0, 0, 0, 1],
      [0, 0, 0, 1],
      [0xff, 0, 0, 2],
    ].map((index) => Uint8Array.from(index));
    const indexes = new SessionIndexes<string>(() => bytes.shift() ?? assert.fail('asked too often'));
    assert.deepEqual([indexes.allocate('x'), indexes.allocate('y')], [1, 0xff000002]);
    assert.deepEqual([indexes.ownerOf(1), indexes.ownerOf(2)], ['x', undefined]);
    indexes.free(1);
    assert.equal(indexes.ownerOf(1), undefined);
  });
});
