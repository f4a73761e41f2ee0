/** NBD as clients and servers should not speak it, and what couriers say of disks. Nothing throws, and nothing is beyond the disk. */
import assert from 'node:assert/strict';
import * as message from '../../../src/courier/disk/message.js';
import { ClientHandshake } from '../../../src/courier/disk/nbd/client-handshake.js';
import { Replies } from '../../../src/courier/disk/nbd/replies.js';
import { BLOCK_BYTES, RequestReader, simpleReply } from '../../../src/courier/disk/nbd/requests.js';
import { ServerHandshake } from '../../../src/courier/disk/nbd/server-handshake.js';
import { CMD, DEFAULT_SIZES, type ExportFacts } from '../../../src/courier/disk/nbd/spec.js';
import {
  FLUSH,
  RecordReader,
  rangeRecords,
  recordHead,
  writeRecord,
} from '../../../src/courier/disk/record.js';
import { CODECS } from '../../../src/courier/wire/message.js';
import { mutated } from '../mutate.js';
import type { Random } from '../random.js';
import type { Target } from '../target.js';

const SIZE = 1 << 20;
const FACTS: ExportFacts = { sizeBytes: SIZE, flags: 0x16d, ...DEFAULT_SIZES };

function* pieces(bytes: Uint8Array, random: Random): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + random.below(random.chance(30) ? 20 : bytes.length);
    yield Buffer.from(bytes.subarray(at, at + length));
    at += length;
  }
}

function be(value: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigInt64BE(BigInt(value));
  return buffer.subarray(8 - bytes);
}

function option(random: Random, type: number): Buffer {
  const name = Buffer.from(random.pick(['', 'vm', 'other']));
  const data =
    type === 1
      ? name
      : type < 6
        ? Buffer.alloc(0)
        : Buffer.concat([be(name.length, 4), name, be(1, 2), be(3, 2)]);
  return Buffer.concat([Buffer.from('IHAVEOPT'), be(type, 4), be(data.length, 4), data]);
}

function request(random: Random): Buffer {
  const type = random.below(9);
  const length = type === CMD.flush ? 0 : random.below(300);
  const offset = type === CMD.flush ? 0 : random.chance(80) ? random.below(SIZE) : random.oddWord();
  const data = type === CMD.write ? random.bytes(length) : Buffer.alloc(0);
  const head = [be(0x25609513, 4), be(random.below(4), 2), be(type, 2), be(random.word(), 8)];
  return Buffer.concat([...head, be(offset, 8), be(length, 4), data]);
}

/** What a client says, from its flags on. */
function serve(random: Random): string {
  const types = Array.from({ length: random.below(3) }, () => random.pick([2, 3, 5, 6, 8, 10]));
  const good = Buffer.concat([
    be(random.below(4), 4),
    ...types.map((type) => option(random, type)),
    option(random, random.pick([1, 7])),
    ...Array.from({ length: random.below(8) }, () => request(random)),
  ]);
  const handshake = new ServerHandshake(['', 'vm']);
  let reader: RequestReader | undefined;
  let outcome = 'nothing';
  const act = (actions: ReturnType<ServerHandshake['push']>): void => {
    for (const action of actions) {
      outcome = action.is;
      if (action.is === 'choose') act(handshake.chosen(random.chance(90) ? FACTS : 'not now'));
      if (action.is === 'transmit') reader = new RequestReader(FACTS, handshake.rest);
    }
  };
  for (const piece of pieces(random.chance(40) ? good : mutated(good, random), random)) {
    if (reader === undefined) act(handshake.push(piece));
    else reader.push(piece);
    for (let event = reader?.next(); event !== undefined; event = reader?.next()) {
      outcome = event.is;
      if (event.is === 'data') {
        assert.ok(event.bytes.length <= BLOCK_BYTES && event.offset + event.bytes.length <= SIZE);
        assert.ok((event.offset % BLOCK_BYTES) + event.bytes.length <= BLOCK_BYTES);
      } else if (event.is === 'request') {
        assert.ok(event.request.offset + event.request.length <= SIZE);
      }
    }
    // It never keeps more than a block, an option, and the piece that came.
    assert.ok(handshake.rest.length <= BLOCK_BYTES + 16 * 1024 + 8192);
  }
  return outcome;
}

export const nbdClients: Target = {
  name: 'nbd-clients',
  outcomes: ['say', 'transmit', 'close', 'request', 'data', 'refused', 'disconnect', 'broken'],
  open: () => serve,
};

function replyTo(option: number, type: number, data: Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.from('0003e889045565a9', 'hex'),
    be(option, 4),
    be(type, 4),
    be(data.length, 4),
    data,
  ]);
}

/** What a server says. */
function ask(random: Random): string {
  const greeting = Buffer.concat([Buffer.from('NBDMAGICIHAVEOPT'), be(random.chance(90) ? 3 : 1, 2)]);
  const facts = Buffer.concat([be(0, 2), be(SIZE, 8), be(0x16d, 2)]);
  const sizes = Buffer.concat([be(3, 2), be(random.pick([1, 512, 3]), 4), be(4096, 4), be(1 << 25, 4)]);
  const good = Buffer.concat([
    greeting,
    ...(random.chance(90) ? [replyTo(7, 3, facts)] : []),
    ...(random.chance(50) ? [replyTo(7, 3, sizes)] : []),
    replyTo(7, random.pick([1, 1, 1, 2 ** 31 + 1, 2 ** 31 + 6]), Buffer.alloc(0)),
    random.chance(30) ? Buffer.concat([be(SIZE, 8), be(0x16d, 2), Buffer.alloc(124)]) : Buffer.alloc(0),
  ]);
  const handshake = new ClientHandshake('vm');
  let replies: Replies | undefined;
  let outcome = 'nothing';
  const answers = Array.from({ length: random.below(5) }, (_, index) => {
    const isRead = index % 2 === 0;
    return simpleReply(be(index + 1, 8), random.chance(80) ? 0 : 5, isRead ? random.bytes(100) : undefined);
  });
  const all = Buffer.concat([good, ...answers]);
  for (const piece of pieces(random.chance(50) ? all : mutated(all, random), random)) {
    if (replies !== undefined) replies.push(piece);
    else
      for (const action of handshake.push(piece)) {
        outcome = action.is;
        if (action.is !== 'ready') continue;
        assert.ok(action.facts.sizeBytes <= Number.MAX_SAFE_INTEGER);
        replies = new Replies(handshake.rest);
        for (let index = 0; index < 4; index++)
          replies.request(index % 2 === 0 ? { type: CMD.read, length: 100 } : { type: CMD.flush });
      }
    for (let reply = replies?.next(); reply !== undefined; reply = replies?.next()) {
      if (typeof reply === 'string') return 'no reply';
      if (reply.data !== undefined) assert.equal(reply.data.length, 100);
      outcome = reply.data === undefined ? 'reply' : 'data';
    }
  }
  return outcome;
}

export const nbdServers: Target = {
  name: 'nbd-servers',
  outcomes: ['say', 'ready', 'close', 'reply', 'data', 'no reply'],
  open: () => ask,
};

function records(random: Random): string {
  const some = Array.from({ length: 1 + random.below(5) }, () => {
    const offset = random.below(SIZE - 5000);
    if (random.chance(20)) return [FLUSH];
    if (random.chance(50)) return [writeRecord(offset, Buffer.from(random.bytes(1 + random.below(5000))))];
    return [
      ...rangeRecords(
        random.pick(['zeroes', 'trim', 'read'] as const),
        offset,
        1 + random.below(5000),
        false,
      ),
    ];
  }).flat();
  const good = Buffer.concat(some.flatMap((record) => [recordHead(record), record.data ?? Buffer.alloc(0)]));
  const reader = new RecordReader(SIZE);
  let count = 0;
  for (const piece of pieces(random.chance(30) ? good : mutated(good, random), random)) {
    const read = reader.push(piece);
    if (typeof read === 'string') return 'refused';
    for (const { kind, offset, length, data } of read) {
      assert.ok(offset + length <= SIZE);
      assert.equal(data?.length, kind === 'write' ? length : undefined);
      count++;
    }
  }
  return count > 0 ? 'records' : 'nothing';
}

export const diskRecords: Target = {
  name: 'disk-records',
  outcomes: ['records', 'refused', 'nothing'],
  open: () => records,
};

function said(random: Random): string {
  const open = {
    ...{ session: 'ab'.repeat(16), destination: 'vm', owner: 'blue', store: 'cd'.repeat(16) },
    ...{ isOld: random.chance(50), stallSeconds: 1 + random.below(1000) },
  };
  const opened = {
    store: 'cd'.repeat(16),
    sizeBytes: SIZE,
    minimumBytes: 1,
    taken: 5,
    done: random.below(5),
  };
  const content = Buffer.from(random.bytes(random.below(50)));
  const answer = {
    number: random.below(1000),
    error: 0,
    codec: random.pick(CODECS),
    bytes: content.length,
    content,
  };
  const kinds = [
    [message.encodeDiskOpen(open), message.decodeDiskOpen],
    [message.encodeDiskOpened(opened), message.decodeDiskOpened],
    [message.encodeAnswer(answer), message.decodeAnswer],
    [message.encodeDone(random.below(1000)), message.decodeDone],
  ] as const;
  const kind = random.below(kinds.length);
  const [frame, decode] = kinds[kind] ?? kinds[0];
  const payload = Buffer.from(mutated(frame.subarray(5), random));
  // The frame's length is checked before.
  const least = kind === 2 ? 17 : kind === 3 ? 8 : 2;
  if (payload.length < least) return 'too short';
  return typeof decode(payload) === 'string' ? 'refused' : `read ${kind}`;
}

export const diskMessages: Target = {
  name: 'disk-messages',
  outcomes: ['read 0', 'read 1', 'read 2', 'read 3', 'refused'],
  open: () => said,
};
