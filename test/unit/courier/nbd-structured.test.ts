/** NBD's structured replies and block status, byte by byte as doc/proto.md of NetworkBlockDevice/nbd has them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteQueue } from '../../../src/courier/disk/nbd/byte-queue.js';
import { RequestReader } from '../../../src/courier/disk/nbd/requests.js';
import { type HandshakeAction, ServerHandshake } from '../../../src/courier/disk/nbd/server-handshake.js';
import {
  CMD,
  DF,
  ERROR,
  FAST_ZERO,
  FLAG,
  NO_HOLE,
  REQ_ONE,
  STATE,
} from '../../../src/courier/disk/nbd/spec.js';
import {
  dataHead,
  doneReply,
  errorReply,
  statusReply,
} from '../../../src/courier/disk/nbd/structured-replies.js';
import { ascii, FACTS, hex, IHAVEOPT, REPLY, requestHead } from './nbd-bytes.js';

/** NBD_OPT_LIST_META_CONTEXT or SET: be32 length, name, be32 count, queries. */
function metaOption(option: string, name: string, queries: readonly string[]): string {
  const be32 = (value: number): string => value.toString(16).padStart(8, '0');
  const text = (value: string): string => `${be32(value.length)}${ascii(value)}`;
  const data = `${text(name)}${be32(queries.length)}${queries.map(text).join('')}`;
  return `${IHAVEOPT}${option}${be32(data.length / 2)}${data}`;
}

/** What a server that can structure says, and what is agreed. */
function negotiate(options: string): { said: readonly string[]; agreed: ServerHandshake['agreed'] } {
  const handshake = new ServerHandshake(['', 'vm'], true);
  const said: string[] = [];
  const act = (actions: readonly HandshakeAction[]): void => {
    for (const action of actions) {
      if (action.is === 'say') said.push(action.bytes.toString('hex'));
      if (action.is === 'choose') act(handshake.chosen(FACTS));
    }
  };
  act(handshake.push(hex(`00000003 ${options}`)));
  return { said, agreed: handshake.agreed };
}

test('server: structured replies and base:allocation are agreed on', () => {
  const structured = `${IHAVEOPT} 00000008 00000000`;
  const goVm = `${IHAVEOPT} 00000007 00000008 00000002 ${ascii('vm')} 0000`;
  const allocation = ascii('base:allocation');
  const set = metaOption('0000000a', 'vm', ['qemu:dirty-bitmap:x', 'base:allocation']);
  const { said, agreed } = negotiate(`${structured}${set}${goVm}`);
  assert.deepEqual(said.slice(0, 3), [
    `${REPLY}000000080000000100000000`,
    // NBD_REP_META_CONTEXT, context 1
    `${REPLY}0000000a000000040000001300000001${allocation}`,
    `${REPLY}0000000a0000000100000000`,
  ]);
  assert.deepEqual(agreed, { isStructured: true, hasAllocation: true });
  // Another export's contexts are not this one's; what was set is gone when something else is.
  const other = metaOption('0000000a', '', ['base:allocation']);
  assert.equal(negotiate(`${structured}${other}${goVm}`).agreed.hasAllocation, false);
  const none = metaOption('0000000a', 'vm', []);
  assert.equal(negotiate(`${structured}${set}${none}${goVm}`).agreed.hasAllocation, false);
  assert.deepEqual(negotiate(goVm).agreed, { isStructured: false, hasAllocation: false });
  // Lists: all without a query, and by their beginning.
  for (const queries of [[], ['base:'], ['base:allocation']])
    assert.deepEqual(negotiate(`${structured}${metaOption('00000009', 'vm', queries)}`).said.slice(1), [
      `${REPLY}00000009000000040000001300000000${allocation}`,
      `${REPLY}000000090000000100000000`,
    ]);
  assert.deepEqual(negotiate(`${structured}${metaOption('00000009', 'vm', ['x:'])}`).said.slice(1), [
    `${REPLY}000000090000000100000000`,
  ]);
});

test('server: contexts that do not fit are refused', () => {
  const structured = `${IHAVEOPT} 00000008 00000000`;
  const typeOf = (said: string | undefined): string => said?.slice(24, 32) ?? '';
  assert.equal(typeOf(negotiate(set('vm')).said[0]), '80000003', 'structured replies come first');
  assert.equal(typeOf(negotiate(`${structured}${set('x')}`).said[1]), '80000006', 'no such export');
  assert.equal(typeOf(negotiate(`${IHAVEOPT} 00000008 00000001 00`).said[0]), '80000003', 'data');
  for (const data of [
    '',
    '00000000',
    '00000000 00000001',
    '00000001',
    'ffffffff',
    '00000000 00000000 00',
    '00000000 ffffffff',
  ]) {
    const length = (hex(data).length >>> 0).toString(16).padStart(8, '0');
    const { said } = negotiate(`${structured}${IHAVEOPT} 0000000a ${length} ${data}`);
    assert.equal(typeOf(said[1]), '80000003', data);
  }
  function set(name: string): string {
    return metaOption('0000000a', name, ['base:allocation']);
  }
});

test('requests: block status, DF and fast zeroes where they were agreed on, and nowhere else', () => {
  const facts = { ...FACTS, flags: FACTS.flags | FLAG.sendDf | FLAG.sendFastZero };
  const requests = Buffer.concat([
    requestHead(REQ_ONE, CMD.blockStatus, 4096n, 8192),
    requestHead(0, CMD.blockStatus, 0n, 0),
    requestHead(0, CMD.blockStatus, 0xf_0000n, 0x1_0001),
    requestHead(DF, CMD.read, 0n, 512),
    requestHead(FAST_ZERO | NO_HOLE, CMD.writeZeroes, 0n, 512),
  ]);
  const outcomes = (reader: RequestReader): readonly string[] => {
    reader.push(requests);
    const told: string[] = [];
    for (let event = reader.next(); event !== undefined; event = reader.next())
      told.push(
        event.is === 'request' ? event.request.kind : event.is === 'refused' ? String(event.error) : event.is,
      );
    return told;
  };
  const agreed = { isStructured: true, hasAllocation: true };
  const reader = new RequestReader(facts, new ByteQueue(), { agreed });
  assert.deepEqual(outcomes(reader), ['status', '22', '22', 'read', 'zeroes']);
  assert.deepEqual(outcomes(new RequestReader(FACTS)), ['22', '22', '22', '22', '22']);
});

test('structured replies, byte by byte', () => {
  const cookie = hex('0102030405060708');
  assert.equal(
    dataHead(cookie, 0x1000, 512).toString('hex'),
    '668e33ef0001000101020304050607080000020800000000000010 00'.replace(' ', ''),
  );
  assert.equal(doneReply(cookie).toString('hex'), '668e33ef00010000010203040506070800000000');
  assert.equal(
    errorReply(cookie, ERROR.io).toString('hex'),
    '668e33ef00018001010203040506070800000006000000050000',
  );
  assert.equal(
    statusReply(cookie, [
      { length: 4096, state: STATE.data },
      { length: 512, state: STATE.hole | STATE.zero },
    ]).toString('hex'),
    '668e33ef0001000501020304050607080000001400000001' + '0000100000000000' + '0000020000000003',
  );
});

test('requests: data in a place of the reader’s choice, in blocks of its size', () => {
  const places: Buffer[] = [];
  const place = (): Buffer => {
    const next = Buffer.alloc(1024);
    places.push(next);
    return next;
  };
  const reader = new RequestReader(FACTS, new ByteQueue(), { blockBytes: 1024, place });
  const data = Buffer.from(Array.from({ length: 1500 }, (_, index) => index % 251));
  const all = Buffer.concat([requestHead(0, CMD.write, 1000n, data.length), data]);
  const got: Buffer[] = [];
  for (let at = 0; at < all.length; at += 100) {
    reader.push(all.subarray(at, at + 100));
    for (let event = reader.next(); event !== undefined; event = reader.next())
      if (event.is === 'data') {
        assert.equal(event.bytes.buffer, places[got.length]?.buffer);
        got.push(event.bytes);
      }
  }
  assert.deepEqual(
    got.map(({ length }) => length),
    [24, 1024, 452],
  );
  assert.deepEqual(Buffer.concat(got), data);
});
