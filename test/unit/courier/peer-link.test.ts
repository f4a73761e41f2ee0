import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { HANDSHAKE_MS, PeerLink, SILENT_MS } from '../../../src/courier/job/peer-link.js';
import { frameOf } from '../../../src/courier/wire/frame.js';
import { helloFrame, helloOf, type Side } from '../../../src/courier/wire/handshake.js';
import { SimClock } from '../../support/sim-clock.js';
import { connected, TOKEN, until } from './couriers.js';

class End {
  ready = false;
  readonly frames: string[] = [];
  /** The reasons of its closing: one, when it is over. */
  readonly closed: (string | undefined)[] = [];
  readonly clock = new SimClock();
  readonly link: PeerLink;

  constructor(socket: Socket, side: Side, token = TOKEN) {
    this.link = new PeerLink(
      { socket, side, token, clock: this.clock },
      {
        ready: () => {
          this.ready = true;
        },
        frame: ({ name }) => this.frames.push(name),
        closed: (reason) => this.closed.push(reason),
      },
    );
  }
}

test('two ends prove their token, and say what they have to say', async (t) => {
  const [one, other] = await connected(t);
  const [caller, listener] = [new End(one, 'caller'), new End(other, 'listener')];
  await until('both are ready', () => caller.ready && listener.ready);
  caller.link.send(frameOf('back-end'));
  await until('it has come', () => listener.frames.length > 0);
  caller.link.fail('enough');
  await until('the other is told', () => listener.closed.length > 0);
  assert.deepEqual([caller.closed, listener.closed], [['enough'], ['the other courier: enough']]);
});

test('a WAN that is cut: whoever hears nothing for ten seconds gives up, not before', async (t) => {
  const [one, other] = await connected(t);
  const [caller, listener] = [new End(one, 'caller'), new End(other, 'listener')];
  await until('both are ready', () => caller.ready && listener.ready);
  one.pause();
  other.pause();
  caller.clock.advance(SILENT_MS - 1);
  assert.deepEqual(caller.closed, []);
  caller.clock.advance(2_000);
  assert.deepEqual(caller.closed, ['nothing was heard of the other courier for 11 s']);
});

test('an end that only lives is heard', async (t) => {
  const [one, other] = await connected(t);
  const [caller, listener] = [new End(one, 'caller'), new End(other, 'listener')];
  await until('both are ready', () => caller.ready && listener.ready);
  for (let second = 0; second < 30; second++) {
    const before = caller.link.receivedBytes;
    listener.clock.advance(1_000);
    await until('the sign of life has come', () => caller.link.receivedBytes > before);
    const heard = listener.link.receivedBytes;
    caller.clock.advance(1_000);
    await until('the other one, too', () => listener.link.receivedBytes > heard);
  }
  assert.deepEqual([caller.closed, caller.frames], [[], []]);
});

test('another token: the listener closes without a word of its own', async (t) => {
  const [one, other] = await connected(t);
  const [caller, listener] = [new End(one, 'caller', 'x'.repeat(32)), new End(other, 'listener')];
  await until('both are closed', () => caller.closed.length > 0 && listener.closed.length > 0);
  assert.deepEqual(listener.closed, ['the other courier has another token']);
  assert.deepEqual([caller.ready, listener.ready], [false, false]);
});

test('a listener that does not know the token is not believed', async (t) => {
  const [one, other] = await connected(t);
  const caller = new End(one, 'caller');
  // It answers with a hello, and with any proof.
  other.write(
    Buffer.concat([helloFrame(helloOf(['none'], Buffer.alloc(32))), frameOf('proof', Buffer.alloc(32))]),
  );
  await until('it is closed', () => caller.closed.length > 0);
  assert.deepEqual([caller.closed, caller.ready], [['the other courier has another token'], false]);
});

test('one that says a byte now and then does not hold its place longer than a silent one', async (t) => {
  const [one, other] = await connected(t);
  const listener = new End(other, 'listener');
  const hello = helloFrame(helloOf(['none'], Buffer.alloc(32)));
  for (let second = 0; second < HANDSHAKE_MS / 1_000; second++) {
    one.write(hello.subarray(second, second + 1));
    await until('it has come', () => listener.link.receivedBytes === second + 1);
    listener.clock.advance(1_000);
  }
  assert.deepEqual(listener.closed, []);
  listener.clock.advance(1_000);
  assert.deepEqual(listener.closed, ['the other courier has not proven that it knows the token']);
});

test('anything before the proof ends the connection', async (t) => {
  const [one, other] = await connected(t);
  const listener = new End(other, 'listener');
  one.write(frameOf('finish', Buffer.alloc(40)));
  await until('it is closed', () => listener.closed.length > 0);
  assert.deepEqual(listener.closed, ['finish frame instead of a hello']);
});
