/** NBD, byte by byte as doc/proto.md of NetworkBlockDevice/nbd has it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteQueue } from '../../../src/courier/disk/nbd/byte-queue.js';
import { type ClientAction, ClientHandshake } from '../../../src/courier/disk/nbd/client-handshake.js';
import { Replies } from '../../../src/courier/disk/nbd/replies.js';
import {
  BLOCK_BYTES,
  type RequestEvent,
  RequestReader,
  simpleReply,
} from '../../../src/courier/disk/nbd/requests.js';
import { type HandshakeAction, ServerHandshake } from '../../../src/courier/disk/nbd/server-handshake.js';
import { CMD, ERROR, type ExportFacts, FUA, NO_HOLE } from '../../../src/courier/disk/nbd/spec.js';
import { ascii, FACTS, hex, IHAVEOPT, REPLY, requestHead } from './nbd-bytes.js';

/** What a server does with these bytes, whole or one by one: the same. The answer to every question is `answer`. */
function serve(bytes: Buffer, answer: ExportFacts | string = FACTS, names = ['', 'vm']): readonly string[] {
  const outcomes = [bytes.length || 1, 1].map((step) => {
    const handshake = new ServerHandshake(names);
    const said: string[] = [];
    const act = (actions: readonly HandshakeAction[]): void => {
      for (const action of actions) {
        if (action.is === 'say') said.push(action.bytes.toString('hex'));
        else said.push(action.is === 'close' ? `close: ${action.why}` : action.is);
        if (action.is === 'choose') act(handshake.chosen(answer));
      }
    };
    for (let at = 0; at < bytes.length; at += step) act(handshake.push(bytes.subarray(at, at + step)));
    return said;
  });
  assert.deepEqual(outcomes[0], outcomes[1]);
  return outcomes[0] ?? [];
}

test('server: the greeting, and NBD_OPT_GO with its information', () => {
  assert.equal(ServerHandshake.greeting().toString('hex'), `4e42444d41474943${IHAVEOPT}0003`);
  const go = hex(`00000003 ${IHAVEOPT} 00000007 0000000a 00000002 ${ascii('vm')} 0001 0003`);
  assert.deepEqual(serve(go), [
    'choose',
    // NBD_REP_INFO, NBD_INFO_EXPORT: 1 MiB, flags 0x006d
    `${REPLY}00000007000000030000000c00000000000000100000006d`,
    // NBD_INFO_BLOCK_SIZE: 1, 65536, 32 MiB
    `${REPLY}00000007000000030000000e0003000000010001000002000000`,
    `${REPLY}000000070000000100000000`,
    'transmit',
  ]);
});

test('server: NBD_OPT_INFO tells the same, and the haggling goes on', () => {
  const info = `${IHAVEOPT} 00000006 00000006 00000000 0000`;
  const abort = `${IHAVEOPT} 00000002 00000000`;
  const said = serve(hex(`00000001 ${info} ${abort}`));
  assert.deepEqual(said.slice(-2), [`${REPLY}000000020000000100000000`, 'close: ']);
  assert.equal(said.length, 6);
});

test('server: NBD_OPT_EXPORT_NAME, with the zeroes and without', () => {
  const name = `${IHAVEOPT} 00000001 00000000`;
  const facts = '0000000000100000006d';
  assert.deepEqual(serve(hex(`00000001 ${name}`)), ['choose', `${facts}${'00'.repeat(124)}`, 'transmit']);
  assert.deepEqual(serve(hex(`00000003 ${name}`)), ['choose', facts, 'transmit']);
  assert.deepEqual(serve(hex(`00000003 ${IHAVEOPT} 00000001 00000001 78`)), [
    'close: there is no such export',
  ]);
  assert.deepEqual(serve(hex(`00000003 ${name}`), 'not now'), ['choose', 'close: not now']);
});

test('server: NBD_OPT_LIST, and what it does not know', () => {
  const list = `${IHAVEOPT} 00000003 00000000`;
  assert.deepEqual(serve(hex(`00000003 ${list}`)), [
    `${REPLY}00000003000000020000000400000000`,
    `${REPLY}00000003000000020000000600000002${ascii('vm')}`,
    `${REPLY}000000030000000100000000`,
  ]);
  const refusal = (option: string, type: string, text: string): string =>
    `${REPLY}${option}${type}${Buffer.byteLength(text).toString(16).padStart(8, '0')}${ascii(text)}`;
  // STARTTLS, STRUCTURED_REPLY, SET_META_CONTEXT, one that nobody has: NBD_REP_ERR_UNSUP, and their data is passed over.
  for (const option of ['00000005', '00000008', '0000000a', '77777777'])
    assert.deepEqual(serve(hex(`00000003 ${IHAVEOPT} ${option} 00000003 010203 ${list}`)).slice(0, 2), [
      refusal(option, '80000001', 'unknown here'),
      `${REPLY}00000003000000020000000400000000`,
    ]);
  // NBD_REP_ERR_INVALID: data where none may be; a name longer than its option; requests that are not there.
  assert.deepEqual(serve(hex(`00000003 ${IHAVEOPT} 00000003 00000001 00`)), [
    refusal('00000003', '80000003', 'data'),
  ]);
  for (const data of ['00000001 0000', '00000000 0001', '00000000 0000 00', 'ffffffff 0000', '0000'])
    assert.deepEqual(
      serve(
        Buffer.concat([
          hex(`00000003 ${IHAVEOPT} 00000007`),
          hex((hex(data).length >>> 0).toString(16).padStart(8, '0')),
          hex(data),
        ]),
      ),
      [refusal('00000007', '80000003', 'lengths do not fit')],
    );
  // NBD_REP_ERR_UNKNOWN: another export, and one that cannot be reached now.
  const other = hex(`00000003 ${IHAVEOPT} 00000007 00000007 00000001 78 0000`);
  assert.deepEqual(serve(other), [refusal('00000007', '80000006', 'there is no such export')]);
  const vm = hex(`00000003 ${IHAVEOPT} 00000007 00000008 00000002 ${ascii('vm')} 0000`);
  assert.deepEqual(serve(vm, 'no WAN'), ['choose', refusal('00000007', '80000006', 'no WAN')]);
});

test('server: what is too long, too much, or no option at all', () => {
  // 20,000 bytes of data are passed over, and the next option is read.
  const long = Buffer.concat([
    hex(`00000003 ${IHAVEOPT} 00000007 00004e20`),
    Buffer.alloc(20_000),
    hex(`${IHAVEOPT} 00000002 00000000`),
  ]);
  const said = serve(long);
  assert.equal(said[0], `${REPLY}000000078000000900000008${ascii('too long')}`);
  assert.equal(said.at(-1), 'close: ');
  assert.deepEqual(serve(hex('00000004')), ['close: unknown client flags 4']);
  assert.deepEqual(serve(hex(`00000003 4948415645000000 00000007 00000000`)), [
    'close: no option where one should be',
  ]);
  const many = hex(`00000003 ${`${IHAVEOPT} 00000003 00000000`.repeat(65)}`);
  assert.equal(serve(many).at(-1), 'close: too many options');
});

test('server: what is behind the handshake is not lost', () => {
  const handshake = new ServerHandshake(['']);
  const request = hex('25609513 0000 0003 0000000000000001 0000000000000000 00000000');
  const actions = handshake.push(
    Buffer.concat([hex(`00000003 ${IHAVEOPT} 00000007 00000006 00000000 0000`), request]),
  );
  assert.deepEqual(
    actions.map(({ is }) => is),
    ['choose'],
  );
  assert.equal(handshake.chosen(FACTS).at(-1)?.is, 'transmit');
  const event = new RequestReader(FACTS, handshake.rest).next();
  assert.ok(event?.is === 'request' && event.request.kind === 'flush');
});

function read(bytes: Buffer, facts = FACTS): RequestEvent[] {
  const reader = new RequestReader(facts, new ByteQueue());
  const events: RequestEvent[] = [];
  for (const byte of bytes) {
    reader.push(Buffer.of(byte));
    for (let event = reader.next(); event !== undefined; event = reader.next()) events.push(event);
  }
  return events;
}

test('requests: each command as the specification has it', () => {
  const bytes = Buffer.concat([
    hex('25609513 0000 0000 0102030405060708 0000000000001000 00000200'),
    hex('25609513 0001 0001 0102030405060709 0000000000000003 00000002 abcd'),
    hex('25609513 0000 0003 010203040506070a 0000000000000000 00000000'),
    hex('25609513 0000 0004 010203040506070b 0000000000010000 00010000'),
    hex('25609513 0003 0006 010203040506070c 0000000000020000 00020000'),
    hex('25609513 0000 0002 010203040506070d 0000000000000000 00000000'),
    hex('25609513 0000 0003 010203040506070e 0000000000000000 00000000'),
  ]);
  const said = read(bytes).map((event) => {
    if (event.is === 'data') return `data ${event.offset} ${event.bytes.toString('hex')} ${event.isLast}`;
    if (event.is !== 'request') return event.is;
    const { kind, cookie, offset, length, fua, noHole } = event.request;
    return `${kind} ${cookie.toString('hex', 7)} ${offset} ${length}${fua ? ' fua' : ''}${noHole ? ' no hole' : ''}`;
  });
  assert.deepEqual(said, [
    'read 08 4096 512',
    'write 09 3 2 fua',
    'data 3 abcd true',
    'flush 0a 0 0',
    'trim 0b 65536 65536',
    'zeroes 0c 131072 131072 fua no hole',
    // Nothing is read behind NBD_CMD_DISC.
    'disconnect',
  ]);
});

test('requests: a write’s data comes in blocks that end where the disk’s do', () => {
  const data = Buffer.alloc(3 * BLOCK_BYTES, 7);
  const events = read(Buffer.concat([requestHead(0, CMD.write, 1000n, data.length), data]));
  assert.deepEqual(
    events.flatMap((event) =>
      event.is === 'data' ? [[event.offset, event.bytes.length, event.isLast]] : [],
    ),
    [
      [1000, BLOCK_BYTES - 1000, false],
      [BLOCK_BYTES, BLOCK_BYTES, false],
      [2 * BLOCK_BYTES, BLOCK_BYTES, false],
      [3 * BLOCK_BYTES, 1000, true],
    ],
  );
});

test('requests: what is out of range or unknown is refused as the specification says, and the next one is read', () => {
  const end = BigInt(FACTS.sizeBytes);
  const small = { ...FACTS, mostPayloadBytes: 65_536 };
  const aligned = { ...FACTS, minimumBytes: 512 };
  const cases: [number, number, bigint, number, number, ExportFacts?][] = [
    [0, CMD.read, end, 1, ERROR.invalid],
    [0, CMD.read, end - 1n, 2, ERROR.invalid],
    [0, CMD.write, end - 1n, 2, ERROR.noSpace],
    [0, CMD.write, 2n ** 64n - 1n, 2, ERROR.noSpace],
    [0, CMD.trim, end - 1n, 2, ERROR.invalid],
    [0, CMD.writeZeroes, end - 1n, 2, ERROR.noSpace],
    [0, CMD.writeZeroes, 0n, 0xffff_ffff, ERROR.noSpace],
    [0, CMD.read, 0n, 65_537, ERROR.invalid, small],
    [0, CMD.write, 0n, 65_537, ERROR.invalid, small],
    [0, CMD.write, 1n, 512, ERROR.invalid, aligned],
    [0, CMD.read, 0n, 511, ERROR.invalid, aligned],
    [0, CMD.flush, 1n, 0, ERROR.invalid],
    [0, CMD.flush, 0n, 1, ERROR.invalid],
    // NBD_CMD_CACHE, NBD_CMD_BLOCK_STATUS, NBD_CMD_RESIZE, none.
    ...[5, 7, 8, 99].map((type): [number, number, bigint, number, number] => [0, type, 0n, 1, ERROR.invalid]),
    // NBD_CMD_FLAG_DF, NBD_CMD_FLAG_FAST_ZERO, and flags at commands that do not have them.
    [4, CMD.read, 0n, 1, ERROR.invalid],
    [16, CMD.writeZeroes, 0n, 1, ERROR.invalid],
    [NO_HOLE, CMD.write, 0n, 1, ERROR.invalid],
    [NO_HOLE | FUA, CMD.trim, 0n, 1, ERROR.invalid],
  ];
  for (const [flags, type, offset, length, error, facts] of cases) {
    const data = type === CMD.write && length < 100_000 ? Buffer.alloc(length) : Buffer.alloc(0);
    const events = read(
      Buffer.concat([requestHead(flags, type, offset, length), data, requestHead(0, CMD.flush, 0n, 0)]),
      facts,
    );
    const what = `flags ${flags} type ${type} ${offset}+${length}`;
    assert.deepEqual(events[0], { is: 'refused', cookie: Buffer.from('cookie!!'), error }, what);
    assert.equal(events[1]?.is, 'request', what);
    assert.equal(events.length, 2, what);
  }
  assert.equal(read(hex('25609514'.padEnd(56, '0')))[0]?.is, 'broken');
});

test('replies: a simple reply, with data and without', () => {
  assert.equal(simpleReply(hex('0102030405060708'), 28).toString('hex'), '674466980000001c0102030405060708');
  assert.equal(
    simpleReply(hex('0102030405060708'), 0, hex('abcd')).toString('hex'),
    '67446698000000000102030405060708abcd',
  );
});

/** The server's bytes come in pieces of one byte. */
function shake(bytes: Buffer, name = 'vm'): { said: string[]; last: ClientAction | undefined; rest: number } {
  const handshake = new ClientHandshake(name);
  const actions: ClientAction[] = [];
  for (const byte of bytes) actions.push(...handshake.push(Buffer.of(byte)));
  const said = actions.flatMap((action) => (action.is === 'say' ? [action.bytes.toString('hex')] : []));
  return { said, last: actions.at(-1), rest: handshake.rest.length };
}

const GREETING = `4e42444d41474943 ${IHAVEOPT} 0003`;
const GO_SAID = `00000003${IHAVEOPT}000000070000000a00000002${ascii('vm')}00010003`;

test('client: NBD_OPT_GO with block sizes; information that it does not know is passed over', () => {
  const { said, last, rest } = shake(
    hex(`${GREETING}
      ${REPLY} 00000007 00000003 00000004 0001 ${ascii('vm')}
      ${REPLY} 00000007 00000003 0000000c 0000 0000000000100000 006d
      ${REPLY} 00000007 00000003 0000000e 0003 00000200 00001000 02000000
      ${REPLY} 00000007 00000001 00000000 6744`),
  );
  assert.deepEqual(said, [GO_SAID]);
  const sizes = { minimumBytes: 512, preferredBytes: 4096, mostPayloadBytes: 33_554_432 };
  assert.deepEqual(last, { is: 'ready', facts: { sizeBytes: 1_048_576, flags: 0x6d, ...sizes } });
  assert.equal(rest, 2);
});

test('client: a server without NBD_OPT_GO is asked by the export’s name', () => {
  const { said, last } = shake(
    hex(`4e42444d41474943 ${IHAVEOPT} 0001
      ${REPLY} 00000007 80000001 00000000 0000000000100000 006d ${'00'.repeat(124)}`),
  );
  assert.deepEqual(said, [`00000001${GO_SAID.slice(8)}`, `${IHAVEOPT}0000000100000002${ascii('vm')}`]);
  assert.ok(last?.is === 'ready' && last.facts.sizeBytes === 1_048_576 && last.facts.minimumBytes === 1);
});

test('client: whatever is wrong has a reason', () => {
  const why = (text: string): string | undefined => {
    const { last } = shake(hex(text));
    return last?.is === 'close' ? last.why : undefined;
  };
  const after = (text: string): string | undefined => why(`${GREETING} ${text}`);
  assert.equal(why('00'.repeat(18)), 'it does not speak NBD');
  assert.match(why('4e42444d41474943 0000420281861253 0003') ?? '', /old NBD/);
  assert.match(why(`4e42444d41474943 ${IHAVEOPT} 0000`) ?? '', /old NBD/);
  assert.equal(after(`${REPLY} 00000006 00000001 00000000`), 'no reply where one should be');
  assert.equal(after(`${'11'.repeat(20)}`), 'no reply where one should be');
  assert.equal(after(`${REPLY} 00000007 00000003 7fffffff`), 'endless replies');
  assert.equal(after(`${REPLY} 00000007 00000001 00000000`), 'an export without a size');
  assert.equal(after(`${REPLY} 00000007 00000063 00000000`), 'reply of unknown type 99');
  assert.equal(
    after(`${REPLY} 00000007 80000006 00000004 ${ascii('gone')}`),
    'it refuses the export "vm": gone',
  );
  assert.equal(
    after(`${REPLY} 00000007 00000003 0000000c 0000 ffffffffffffffff 006d`),
    'an export of a size that is none',
  );
  assert.equal(
    after(`${REPLY} 00000007 00000003 0000000e 0003 00000003 00001000 02000000`),
    'block sizes that are none',
  );
  const unknown = `${REPLY} 00000007 00000003 00000002 0063`;
  assert.equal(after(unknown.repeat(65)), 'endless replies');
});

test('client: requests and their replies, in any order', () => {
  const replies = new Replies();
  const written = replies.request({ type: CMD.write, offset: 65_536, data: hex('abcd') });
  assert.equal(written.bytes.toString('hex'), '25609513000000010000000000000001000000000001000000000002abcd');
  const zeroes = replies.request({ type: CMD.writeZeroes, flags: NO_HOLE, offset: 1, length: 2 });
  assert.equal(zeroes.bytes.toString('hex'), '25609513000200060000000000000002000000000000000100000002');
  const first = replies.request({ type: CMD.read, offset: 0, length: 3 });
  const second = replies.request({ type: CMD.read, offset: 0, length: 3 });
  const came = Buffer.concat([
    simpleReply(hex('0000000000000004'), 0, hex('010203')),
    simpleReply(hex('0000000000000001'), 28),
    simpleReply(hex('0000000000000003'), 5),
    simpleReply(hex('0000000000000002'), 0),
  ]);
  const got: unknown[] = [];
  for (const byte of came) {
    replies.push(Buffer.of(byte));
    for (let reply = replies.next(); reply !== undefined; reply = replies.next())
      got.push(typeof reply === 'string' ? reply : [reply.number, reply.error, reply.data?.toString('hex')]);
  }
  assert.deepEqual(got, [
    [second.number, 0, '010203'],
    [written.number, 28, undefined],
    [first.number, 5, undefined],
    [zeroes.number, 0, undefined],
  ]);
  assert.equal(replies.pending, 0);
  replies.push(simpleReply(hex('0000000000000004'), 0));
  assert.equal(replies.next(), 'a reply that nobody waits for');
  const others = new Replies();
  others.push(Buffer.alloc(16));
  assert.equal(others.next(), 'no reply');
});

test('a queue of bytes gives what was put in, in other pieces', () => {
  const bytes = Buffer.from(Array.from({ length: 300 }, (_, index) => index & 0xff));
  for (let step = 1; step < 20; step++) {
    const queue = new ByteQueue();
    for (let at = 0; at < bytes.length; at += 7) queue.push(bytes.subarray(at, at + 7));
    const taken: Buffer[] = [];
    for (let piece = queue.take(step); piece !== undefined; piece = queue.take(step)) taken.push(piece);
    assert.equal(queue.drop(1000), bytes.length % step);
    assert.equal(queue.length, 0);
    assert.ok(Buffer.concat(taken).equals(bytes.subarray(0, bytes.length - (bytes.length % step))));
  }
});
