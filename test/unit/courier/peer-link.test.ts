import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { PeerLink, SILENT_MS } from '../../../src/courier/job/peer-link.js';
import { frameOf } from '../../../src/courier/wire/frame.js';
import type { Side } from '../../../src/courier/wire/handshake.js';
import { SimClock } from '../../support/sim-clock.js';
import { TOKEN, until } from './couriers.js';

async function connected(t: TestContext): Promise<[caller: Socket, listener: Socket]> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  const caller = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1');
  const listener = await new Promise<Socket>((done) => server.once('connection', done));
  server.close();
  t.after(() => {
    caller.destroy();
    listener.destroy();
  });
  return [caller, listener];
}

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
  const { helloFrame, helloOf } = await import('../../../src/courier/wire/handshake.js');
  other.write(
    Buffer.concat([helloFrame(helloOf(['none'], Buffer.alloc(32))), frameOf('proof', Buffer.alloc(32))]),
  );
  await until('it is closed', () => caller.closed.length > 0);
  assert.deepEqual([caller.closed, caller.ready], [['the other courier has another token'], false]);
});

test('anything before the proof ends the connection', async (t) => {
  const [one, other] = await connected(t);
  const listener = new End(other, 'listener');
  one.write(frameOf('finish', Buffer.alloc(40)));
  await until('it is closed', () => listener.closed.length > 0);
  assert.deepEqual(listener.closed, ['finish frame instead of a hello']);
});
