/** NBD clients of a volume: structured replies, block status, and all else as they should not speak it. Journals that were spoilt. */
import assert from 'node:assert/strict';
import { RequestReader } from '../../../src/courier/disk/nbd/requests.js';
import { ServerHandshake } from '../../../src/courier/disk/nbd/server-handshake.js';
import { CMD, DEFAULT_SIZES, type ExportFacts } from '../../../src/courier/disk/nbd/spec.js';
import * as records from '../../../src/courier/volume/files/records.js';
import { decodeRecords } from '../../../src/courier/volume/files/records.js';
import { SectorMap } from '../../../src/courier/volume/files/sector-map.js';
import { mutated } from '../mutate.js';
import type { Random } from '../random.js';
import type { Target } from '../target.js';

const SIZE = 1 << 20;
const BLOCK = 4096;
const FACTS: ExportFacts = { sizeBytes: SIZE, flags: 0x9ed, ...DEFAULT_SIZES, minimumBytes: 512 };

function be(value: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigInt64BE(BigInt(value));
  return buffer.subarray(8 - bytes);
}

function text(value: string): Buffer {
  return Buffer.concat([be(value.length, 4), Buffer.from(value)]);
}

function dataOf(random: Random, type: number): Buffer {
  if (type === 6 || type === 7) return Buffer.concat([text(random.pick(['', 'vm', 'other'])), be(0, 2)]);
  if (type < 9) return Buffer.alloc(0);
  const queries = Array.from({ length: random.below(3) }, () =>
    text(random.pick(['base:allocation', 'base:', 'x:y'])),
  );
  return Buffer.concat([text(random.pick(['', 'vm'])), be(queries.length, 4), ...queries]);
}

function option(random: Random, type: number): Buffer {
  const data = dataOf(random, type);
  return Buffer.concat([Buffer.from('IHAVEOPT'), be(type, 4), be(data.length, 4), data]);
}

function request(random: Random): Buffer {
  const type = random.below(9);
  const sectors = random.below(20);
  const length = type === CMD.flush ? 0 : random.chance(90) ? 512 * sectors : random.below(9000);
  const offset =
    type === CMD.flush ? 0 : random.chance(80) ? 512 * random.below(SIZE / 512) : random.oddWord();
  const flags = random.chance(70) ? random.pick([0, 0, 1, 2, 4, 8, 16]) : random.below(64);
  const data = type === CMD.write ? Buffer.alloc(length, 7) : Buffer.alloc(0);
  const head = [be(0x25609513, 4), be(flags, 2), be(type, 2), be(random.word(), 8)];
  return Buffer.concat([...head, be(offset, 8), be(length, 4), data]);
}

/** What a client says, from its flags on. */
function serve(random: Random): string {
  const types = Array.from({ length: random.below(3) }, () => random.pick([3, 6, 9, 10]));
  const good = Buffer.concat([
    be(3, 4),
    ...(random.chance(80) ? [option(random, 8), option(random, 10)] : []),
    ...types.map((type) => option(random, type)),
    option(random, 7),
    ...Array.from({ length: random.below(8) }, () => request(random)),
  ]);
  const said = random.chance(50) ? good : mutated(good, random);
  const handshake = new ServerHandshake(['', 'vm'], true);
  let reader: RequestReader | undefined;
  let outcome = 'nothing';
  const act = (actions: ReturnType<ServerHandshake['push']>): void => {
    for (const action of actions) {
      if (action.is !== 'say') outcome = action.is;
      if (action.is === 'choose') act(handshake.chosen(FACTS));
      if (action.is !== 'transmit') continue;
      const { agreed, rest } = handshake;
      assert.ok(agreed.isStructured || !agreed.hasAllocation);
      reader = new RequestReader(FACTS, rest, {
        agreed,
        blockBytes: BLOCK,
        place: () => Buffer.alloc(BLOCK),
      });
    }
  };
  for (let at = 0; at < said.length; ) {
    const piece = Buffer.from(said.subarray(at, at + 1 + random.below(3000)));
    at += piece.length;
    if (reader === undefined) act(handshake.push(piece));
    else reader.push(piece);
    for (let event = reader?.next(); event !== undefined; event = reader?.next()) {
      outcome = event.is;
      if (event.is === 'data') assert.ok((event.offset % BLOCK) + event.bytes.length <= BLOCK);
      if (event.is !== 'request') continue;
      const { kind, offset, length } = event.request;
      outcome = kind;
      assert.ok(offset % 512 === 0 && length % 512 === 0 && offset + length <= SIZE);
      if (kind === 'status') assert.ok(length > 0 && handshake.agreed.hasAllocation);
    }
    // Then the connection is closed, and nothing more comes.
    if (['close', 'disconnect', 'broken'].includes(outcome)) return outcome;
    assert.ok(handshake.rest.length <= BLOCK + 16 * 1024 + 3000);
  }
  return outcome;
}

export const volumeClients: Target = {
  name: 'volume-clients',
  outcomes: ['transmit', 'close', 'read', 'flush', 'trim', 'zeroes', 'status', 'data', 'refused', 'broken'],
  open: () => serve,
};

function journal(random: Random): string {
  const digest = random.chance(50)
    ? Buffer.from(random.bytes(records.DIGEST_BYTES)).toString('latin1')
    : undefined;
  const map = random.chance(50) ? SectorMap.of(random.bytes(64)) : undefined;
  const facts = {
    under: random.pick(['zero', 'base', 'awaited', 'lost'] as const),
    map,
    isOpen: false,
    digest,
  };
  const some = [
    records.encodeState(random.below(1000), { ...facts, version: random.below(1 << 30), writes: 3 }, true),
    records.encodeOpen(random.below(1000), 1 + random.below(5)),
    records.encodeKeep('key', { a: [random.word()] }),
    records.encodeKeep('key', undefined),
    records.encodeSectors('fill', random.below(1000), 0, 1 + random.below(512)),
    records.encodeSectors('clear', random.below(1000), 511, 512),
    records.encodeFlushed(random.below(1000)),
    records.CLOSED,
  ];
  const good = Buffer.concat(Array.from({ length: 1 + random.below(4) }, () => random.pick(some)));
  const read = decodeRecords(random.chance(40) ? good : Buffer.from(mutated(good, random)));
  if (read === undefined) return 'refused';
  for (const record of read)
    if (record.is === 'state')
      assert.ok(record.chunk >= 0 && record.facts.version >= 0 && (record.facts.map?.valid ?? 0) <= 512);
    else if (record.is === 'fill' || record.is === 'clear')
      assert.ok(record.from < record.to && record.to <= 512);
  return read.length > 0 ? `read ${read[0]?.is}` : 'nothing';
}

export const volumeJournals: Target = {
  name: 'volume-journals',
  outcomes: ['refused', 'read state', 'read open', 'read keep', 'read forget', 'read fill', 'read closed'],
  open: () => journal,
};
