import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Counters } from '../../../src/tunnel/counters.js';
import type { DatagramAddress, TunnelPorts } from '../../../src/tunnel/ports.js';
import { SessionIndexes } from '../../../src/tunnel/session-index.js';
import { PeerSessions } from '../../../src/tunnel/sessions.js';
import { DEFAULT_TIMES } from '../../../src/tunnel/times.js';
import { createIdentity, createRemoteIdentity } from '../../../src/wireguard/handshake.js';
import { TimestampSource } from '../../../src/wireguard/tai64n.js';
import { SimClock } from '../../support/sim-clock.js';

/** Sessions with a peer that never answers; `ways` may be changed. */
function setUp() {
  const clock = new SimClock();
  const ways: DatagramAddress[] = [{ address: Uint8Array.of(192, 0, 2, 2), port: 7700 }];
  const calls: number[] = [];
  const ports: TunnelPorts = {
    clock,
    random: (length) => new Uint8Array(length).map(() => Math.floor(Math.random() * 256)),
    installSession: () => assert.fail('no session can be'),
    setCurrentSession: () => assert.fail('no session can be'),
    removeSession: () => undefined,
    setPeerEndpoint: () => undefined,
    removePeer: () => undefined,
    sealAndSend: () => false,
    sendDatagram: () => {
      calls.push(clock.nowMs());
      return true;
    },
  };
  const identity = createIdentity('chacha20-poly1305', new Uint8Array(32).fill(1));
  const other = createIdentity('chacha20-poly1305', new Uint8Array(32).fill(2));
  const remote = createRemoteIdentity(identity, other.publicKey) ?? assert.fail();
  const context = {
    identity,
    ports,
    times: DEFAULT_TIMES,
    indexes: new SessionIndexes<PeerSessions>((length) => ports.random(length)),
    timestamps: new TimestampSource(() => clock.wallMs()),
    chance: () => 0,
    counters: new Counters(),
  };
  const nothing = (): void => undefined;
  const listener = { sessionReady: nothing, rekeyDue: nothing, sessionLost: nothing, unanswered: nothing };
  const paths = { candidates: () => ways, called: nothing, adopt: nothing };
  return { clock, ways, calls, sessions: new PeerSessions(1, remote, paths, context, listener) };
}

it('a call goes on when all ways to the peer are gone for a while and one comes back', () => {
  const { clock, ways, calls, sessions } = setUp();
  sessions.connect('now');
  const [way] = ways.splice(0);
  clock.advance(60_000);
  assert.equal(calls.length, 1, 'there was nowhere to call');
  if (way !== undefined) ways.push(way);
  clock.advance(DEFAULT_TIMES.rekeyTimeoutMs + 1);
  assert.ok(calls.length > 1, 'it is called no more');
});
