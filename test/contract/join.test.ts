/** `vinectl join` against routers over real sockets: silent, lying, refusing, unnamed ones; the next of the token is asked. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import { after, test } from 'node:test';
import { type Joined, join } from '../../src/cli/joining/join.js';
import {
  createJoinAnswer,
  JOIN_CIPHER,
  type JoinQuestion,
  openJoinRequest,
} from '../../src/membership/join-exchange.js';
import { encodeToken } from '../../src/membership/token.js';
import { createIdentity } from '../../src/wireguard/handshake.js';
import { endpointOf, grantBytes, NETWORK_KEY, routerKey, secret } from '../support/tokens.js';

const root = mkdtempSync(path(tmpdir(), 'vine-join-'));
const sockets: Socket[] = [];
after(() => {
  for (const socket of sockets) socket.close();
  rmSync(root, { recursive: true });
});

const nowS = (): number => Math.floor(Date.now() / 1000);

interface Bootstrap {
  readonly endpoint: string;
  /** Requests that it could read. */
  readonly asked: () => number;
}

type Answer = (question: JoinQuestion) => Uint8Array | undefined;

const verdict =
  (isAdmitted: boolean, reason = '', unixS = nowS()): Answer =>
  (question) =>
    createJoinAnswer(question, { isAdmitted, unixS, reason }, new Uint8Array(randomBytes(32)));

/** On loopback. @param number names its key: `routerKey(number)` */
async function bootstrap(number: number, answer: Answer): Promise<Bootstrap> {
  const identity = createIdentity(JOIN_CIPHER, secret(number));
  const socket = createSocket('udp4');
  sockets.push(socket);
  let asked = 0;
  socket.on('message', (bytes, { address, port }) => {
    const question = openJoinRequest(identity, new Uint8Array(bytes));
    if (typeof question === 'string') return;
    asked++;
    const said = answer(question);
    if (said !== undefined) socket.send(said, port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return { endpoint: `udp://127.0.0.1:${socket.address().port}`, asked: () => asked };
}

/** `number` → where the token says that this router is. */
function token(routers: readonly (readonly [number: number, endpoint: string])[]): string {
  const terms = { expiresS: nowS() + 3600, bootstraps: routers.map(([number]) => routerKey(number)) };
  return encodeToken({
    grantBytes: grantBytes(3, { terms }),
    oneTimeSeed: secret(3),
    networkKey: NETWORK_KEY,
    cipher: 'chacha20-poly1305',
    bootstraps: routers.map(([number, endpoint]) => ({
      router: `vr-${number}`,
      publicKey: routerKey(number),
      endpoints: [endpointOf(endpoint)],
    })),
  });
}

let count = 0;
function place(): string {
  return path(root, String(count++));
}

function tried(line: string, directory: string): Promise<Joined> {
  return join({
    token: line,
    directory,
    stateDir: path(directory, 'state'),
    endpoints: [],
    listen: ['udp://0.0.0.0:7700'],
    lans: ['lo'],
    nowMs: Date.now(),
    tell: () => {},
  });
}

async function refused(line: string, why: RegExp): Promise<void> {
  const directory = place();
  await assert.rejects(tried(line, directory), ({ message }: Error) => {
    assert.match(message, why);
    return true;
  });
  assert.deepEqual(readdirSync(directory), ['router.key'], 'something is half done');
}

test('a router that is silent, one that is nowhere, one whose name does not resolve: the next is asked', async () => {
  const silent = await bootstrap(101, () => undefined);
  const good = await bootstrap(103, verdict(true));
  const directory = place();
  const joined = await tried(
    token([
      [101, silent.endpoint],
      [102, 'udp://no-such-router.invalid:7700'],
      [103, good.endpoint],
    ]),
    directory,
  );
  assert.equal(joined.admittedBy, 'vr-103');
  assert.ok(silent.asked() > 1, 'it was asked once');
  assert.equal(good.asked(), 1);
  assert.ok(existsSync(path(directory, 'router.json')));
});

test('none of them answers: each is named with what was found, and the token is as good as before', async () => {
  const silent = await bootstrap(101, () => undefined);
  await refused(
    token([
      [101, silent.endpoint],
      [102, 'udp://no-such-router.invalid:7700'],
    ]),
    /vr-101 does not answer \(udp:\/\/127.*no answer in 4 s\)\n.*vr-102 does not answer \(no-such-router\.invalid does not resolve: .*\n.*as good as before: join again/s,
  );
});

test('one that refuses against the truth keeps nobody out, while another one admits', async () => {
  const liar = await bootstrap(101, verdict(false, 'go away'));
  const good = await bootstrap(102, verdict(true));
  const joined = await tried(
    token([
      [101, liar.endpoint],
      [102, good.endpoint],
    ]),
    place(),
  );
  assert.equal(joined.admittedBy, 'vr-102');
  assert.equal(liar.asked(), 1);
});

test('two that refuse: both reasons, and a word about the clocks', async () => {
  const expired = await bootstrap(101, verdict(false, 'the token expired', nowS() + 7_200));
  const used = await bootstrap(102, verdict(false, 'the token was used by another router already'));
  await refused(
    token([
      [101, expired.endpoint],
      [102, used.endpoint],
    ]),
    /vr-101 refuses: the token expired \(the clocks differ: this machine's is 7\d\d\d s behind\)\n.*vr-102 refuses: the token was used by another router already$/s,
  );
});

test('an answer of somebody else at that address, a damaged one, and one to another question count for nothing', async () => {
  const strangerKey = await bootstrap(109, verdict(true));
  let first: Uint8Array | undefined;
  const damaged = await bootstrap(102, (question) => {
    const said = verdict(true)(question);
    const byte = said?.length === undefined ? 0 : said.length - 1;
    return said?.map((value, i) => (i === byte ? value ^ 1 : value));
  });
  const repeating = await bootstrap(103, (question) => {
    first ??= verdict(true)(question);
    return first;
  });
  // Once in order, so that there is something to repeat to another machine.
  await tried(token([[103, repeating.endpoint]]), place());
  await refused(
    token([
      [101, strangerKey.endpoint],
      [102, damaged.endpoint],
      [103, repeating.endpoint],
    ]),
    /vr-101 does not answer.*vr-102 does not answer.*vr-103 does not answer/s,
  );
  assert.equal(strangerKey.asked(), 0, 'it could read what was for another');
  assert.ok(damaged.asked() > 0);
});
