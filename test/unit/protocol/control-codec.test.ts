import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { describe, it } from 'node:test';
import protobuf from 'protobufjs';
import { Ip } from '../../../src/net/ip.js';
import type { Mac } from '../../../src/net/mac.js';
import { MAX_ID, MAX_UNACKED_BYTES } from '../../../src/protocol/constants.js';
import { ControlCodec } from '../../../src/protocol/control-codec.js';
import { type ControlMessage, isTableMessage } from '../../../src/protocol/control-message.js';
import {
  AROUND_BYTES,
  moveBytes,
  nodeBytes,
  recordBytes,
  resultBytes,
  staleBytes,
} from '../../../src/protocol/size.js';
import { split } from '../../../src/protocol/split.js';
import type { MoveClaim, TableMessage } from '../../../src/protocol/table-message.js';
import type { NodeRecord } from '../../../src/tables/model.js';
import { MAX_STAMP } from '../../../src/tables/record.js';
import { record, SAMPLES } from './control-samples.js';

const started = performance.now();
const codec = new ControlCodec();
const startupMs = performance.now() - started;

const HEAD = { id: 3, acks: [1, 2, MAX_ID], epoch: 1_763_632_000_000, ackEpoch: 9, oldest: 2 };

function decoded(payload: Uint8Array) {
  const result = codec.decode(payload);
  assert.ok(typeof result === 'object', `dropped: ${String(result)}`);
  return result;
}

/** The schema as another program would use it: reflection over the file, no code of the product. */
function schema(): protobuf.Type {
  return protobuf.parse(readFileSync('proto/vine.proto', 'utf8')).root.lookupType('vine.Envelope');
}

describe('the control codec', () => {
  it('is ready quickly', (test) => {
    test.diagnostic(`${startupMs.toFixed(1)} ms`);
    // 13 ms on a quiet machine; the limit is for a mistake, not for a busy one.
    assert.ok(startupMs < 1_000, `${startupMs} ms`);
  });

  for (const [index, body] of SAMPLES.entries()) {
    it(`gives back a ${body.type} (sample ${index})`, () => {
      const result = decoded(codec.encode({ ...HEAD, body }));
      assert.deepEqual(result, { envelope: { ...HEAD, body }, unknownFields: 0 });
    });
  }

  it('writes claims by a way of its own, byte for byte as protobufjs does', () => {
    const claims = SAMPLES.filter((body) => body.type === 'claim');
    for (const number of [0, 1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32, 2 ** 35, MAX_ID]) {
      const acks = [[], [number], Array.from({ length: 32 }, () => number)];
      for (const [index, body] of claims.entries()) {
        for (const list of acks) {
          const envelope = { id: number, acks: list, epoch: number, ackEpoch: number, oldest: number, body };
          assert.deepEqual(codec.encode(envelope), codec.encodeBySchema(envelope), `${index} ${number}`);
        }
      }
    }
    assert.ok(claims.length > 1);
  });

  it('reads claims by a way of its own, whatever they hold, as protobufjs and the ranges do', () => {
    const both = (payload: Uint8Array): boolean => {
      const head = codec.decodeHead(payload);
      if (typeof head === 'string') return false;
      const read = codec.decodeBody(payload, head);
      assert.deepEqual(read, codec.decodeBodyBySchema(payload, head), Buffer.from(payload).toString('hex'));
      return typeof read !== 'string';
    };
    let [read, refused] = [0, 0];
    const count = (payload: Uint8Array): void => void (both(payload) ? read++ : refused++);
    for (const body of SAMPLES.filter(({ type }) => type === 'claim')) {
      const payload = codec.encode({ ...HEAD, body });
      for (let at = 20; at < payload.length; at++) {
        for (const value of [0, 1, 2, 3, 4, 5, 6, 7, 8, 0x12, 0x1a, 0x22, 0x7f, 0x80, 0xff]) {
          count(payload.with(at, value));
        }
        for (let bit = 0; bit < 8; bit++) count(payload.with(at, (payload[at] ?? 0) ^ (1 << bit)));
      }
    }
    assert.ok(read > 1_000 && refused > 1_000, `${read} read, ${refused} refused`);
  });

  it('writes claims that are too long for that way too', () => {
    const records = Array.from({ length: 60 }, (_, index) => record(index));
    const { vnet, mac } = record(0);
    const move: MoveClaim = { vnet, mac, records, trigger: 'rarp', sinceDetectionUs: 1 };
    const body: ControlMessage = { type: 'claim', claimId: 7, moves: [move] };
    assert.deepEqual(decoded(codec.encode({ ...HEAD, body })).envelope.body, body);
  });

  it('gives back an envelope of acknowledgements only', () => {
    const envelope = { ...HEAD, id: 0, body: undefined };
    assert.deepEqual(decoded(codec.encode(envelope)).envelope, envelope);
  });

  it('writes fixed bytes', () => {
    const ping = codec.encode({
      id: 1,
      acks: [2],
      epoch: 3,
      ackEpoch: 4,
      oldest: 1,
      body: { type: 'ping', token: 5 },
    });
    assert.equal(
      Buffer.from(ping).toString('hex'),
      '20' + '0801' + '120102' + '1803' + '2004' + '2801' + '8a01020805',
    );
    const redirect = SAMPLES.find(({ type }) => type === 'redirect');
    const bytes = codec.encode({ id: 1, acks: [], epoch: 3, ackEpoch: 4, oldest: 1, body: redirect });
    const body = '0801' + '12040a010009' + '1a0476722d62' + '2003';
    assert.equal(Buffer.from(bytes).toString('hex'), `200801180320042801ea0110${body}`);
  });

  it('writes what the schema says, as reflection over the file reads it', () => {
    const type = schema();
    for (const body of SAMPLES) {
      const message = type.decode(codec.encode({ ...HEAD, body }).subarray(1));
      const object = type.toObject(message, { longs: Number, enums: String, bytes: Array, defaults: true });
      assert.ok(body.type in object, `no ${body.type}`);
      if (body.type === 'claim' && body.claimId === 8) {
        const [move] = object.claim.moves;
        assert.equal(move.trigger, 'MOVE_TRIGGER_RARP');
        assert.deepEqual(move.mac, [0x52, 0x54, 0, 0, 0, 9]);
        assert.deepEqual(move.records[0].ip, [10, 1, 0, 9]);
        assert.equal(move.records[1].ip.length, 16);
        assert.equal(move.sinceDetectionUs, 412);
      }
      if (body.type === 'records' && body.records.length > 0)
        assert.equal(object.records.records[1].state, 'NODE_STATE_WITHDRAWN');
    }
  });

  it('ignores and counts unknown fields and bodies', () => {
    const known = codec.encode({ ...HEAD, body: { type: 'ping', token: 5 } });
    const newer = Uint8Array.from([...known, 0xa0, 0x3e, 0x01]);
    assert.deepEqual(decoded(newer), {
      envelope: { ...HEAD, body: { type: 'ping', token: 5 } },
      unknownFields: 1,
    });
    const unknownBody = Uint8Array.from([0x20, 0x08, 0x07, 0x18, 0x01, 0xa2, 0x3e, 0x02, 0x08, 0x01]);
    const result = decoded(unknownBody);
    assert.equal(result.envelope.body, undefined);
    assert.equal(result.envelope.id, 7);
    assert.equal(result.unknownFields, 1);
  });

  it('rounds a fractional time since detection, and lets none be beyond a day', () => {
    const claim = SAMPLES.find(
      (message): message is ControlMessage & { type: 'claim' } => message.type === 'claim',
    );
    assert.ok(claim);
    for (const [given, sent] of [
      [411.6, 412],
      [-3, 0],
      [1e15, 86_400_000_000],
    ] as const) {
      const moves = claim.moves.map((move) => ({ ...move, sinceDetectionUs: given }));
      const payload = codec.encode({ ...HEAD, body: { ...claim, moves } });
      const { body }: { readonly body: ControlMessage | undefined } = decoded(payload).envelope;
      assert.ok(body?.type === 'claim');
      assert.equal(body.moves[0]?.sinceDetectionUs, sent);
    }
  });
});

describe('split', () => {
  const bytesOf = (body: TableMessage): number => codec.encode({ ...HEAD, acks: [], body }).length;
  const many = Array.from({ length: 500 }, (_, index) => record(index));

  function check(message: TableMessage): TableMessage[] {
    const parts = split(message);
    for (const part of parts) {
      assert.equal(part.type, message.type);
      assert.deepEqual(decoded(codec.encode({ ...HEAD, body: part })).envelope.body, part);
      assert.ok(bytesOf(part) <= MAX_UNACKED_BYTES, `${bytesOf(part)} bytes`);
    }
    const least = Math.ceil(bytesOf(message) / MAX_UNACKED_BYTES);
    assert.ok(parts.length <= 1.2 * least + 1, `${parts.length} parts where ${least} might do`);
    return parts;
  }

  it('leaves a message alone that fits', () => {
    for (const message of SAMPLES) {
      if (isTableMessage(message)) assert.deepEqual(split(message), [message]);
    }
  });

  it('leaves the move of a node with four addresses alone, however long its fields are', () => {
    const largest: NodeRecord = {
      ...record(0),
      vnet: 65_535,
      ip: Ip.of('fdff:ffff:ffff:ffff:ffff:ffff:ffff:fffe'),
      router: 'r'.repeat(63),
      seq: MAX_STAMP,
      stamp: MAX_STAMP,
      frozen: true,
    };
    const { vnet, mac, router: against } = largest;
    const records = [largest, largest, largest, largest];
    const objection = { objection: true, against, trigger: 'arp' } as const;
    const move: MoveClaim = { vnet, mac, records, sinceDetectionUs: 86_400_000_000, ...objection };
    assert.equal(check({ type: 'claim', claimId: MAX_ID, moves: [move] }).length, 1);
  });

  it('leaves four of the largest elements together, which fit', () => {
    const router = 'r'.repeat(63);
    const [seq, stamp] = [0xffff_ffff, MAX_STAMP];
    const mac = 0xfeff_ffff_ffff as Mac;
    const moves = Array.from({ length: 4 }, (_, i): MoveClaim => {
      const one: NodeRecord = {
        ...record(i),
        vnet: 65_535,
        ip: Ip.of(`fd00::${i}`),
        router,
        seq,
        stamp,
        frozen: true,
        mac,
      };
      return {
        vnet: 65_535,
        mac,
        records: [one],
        trigger: 'rarp',
        sinceDetectionUs: 2 ** 32 - 1,
        objection: true,
        against: router,
      };
    });
    const message: TableMessage = { type: 'claim', claimId: 0x7fff_ffff, moves };
    assert.deepEqual(check(message), [message]);
    const records = moves.flatMap((move) => move.records);
    assert.equal(check({ type: 'records', records }).length, 1);
  });

  it('knows how many bytes an element takes, and hardly overrates it', () => {
    // Every length of every number, both families, the shortest and the longest names.
    for (let bits = 0; bits <= 53; bits++) {
      const large = 2 ** bits - 1;
      for (const router of ['r', 'r'.repeat(63)]) {
        const one: NodeRecord = {
          ...record(bits),
          vnet: Math.min(large, 65_535),
          router,
          seq: large,
          stamp: large,
          ...(bits % 2 === 0 ? { frozen: true as const } : {}),
        };
        const { vnet, ip, mac, seq } = one;
        const sinceDetectionUs = Math.min(large, 2 ** 32 - 1) - 0.5;
        const move: MoveClaim = {
          vnet,
          mac,
          records: [one],
          trigger: 'rarp',
          sinceDetectionUs,
          objection: true,
          against: router,
        };
        const result = { vnet, ip, verdict: 'refused', reason: 'stale', seq, router } as const;
        const holds = (bytes: number, body: TableMessage): void => {
          const head = {
            id: 2 ** 53 - 1,
            acks: [],
            epoch: 2 ** 53 - 1,
            ackEpoch: 2 ** 53 - 1,
            oldest: 2 ** 53 - 1,
          };
          const spare = AROUND_BYTES + bytes - codec.encode({ ...head, body }).length;
          assert.ok(spare >= 0 && spare <= 24, `${body.type}, ${bits} bits: ${spare} bytes to spare`);
        };
        holds(recordBytes(one), { type: 'records', records: [one] });
        holds(moveBytes(move), { type: 'claim', claimId: 2 ** 53 - 1, moves: [move] });
        holds(resultBytes(result), { type: 'claimResult', claimId: 2 ** 53 - 1, results: [result] });
        holds(staleBytes(one), { type: 'stale', records: [one] });
        holds(nodeBytes(one), { type: 'nodes', queryId: 2 ** 53 - 1, nodes: [one] });
      }
    }
  });

  it('cuts records, and loses none', () => {
    const parts = check({ type: 'records', records: many });
    assert.deepEqual(
      parts.flatMap((part) => (part.type === 'records' ? part.records : [])),
      many,
    );
  });

  it('cuts answers and results', () => {
    for (const part of check({ type: 'has', queryId: 7, records: many })) {
      assert.ok(part.type === 'has' && part.queryId === 7);
    }
    check({ type: 'nodes', queryId: 7, nodes: many.map(({ ip, mac }) => ({ ip, mac })) });
    check({ type: 'stale', records: many.map(({ vnet, ip, seq, router }) => ({ vnet, ip, seq, router })) });
    const verdict = { verdict: 'accepted', reason: '' } as const;
    const results = many.map(({ vnet, ip, seq }) => ({ vnet, ip, seq, ...verdict }));
    check({ type: 'claimResult', claimId: 7, results });
  });

  it('leaves a question about 32 addresses together, and cuts one about more', () => {
    const about = (count: number): TableMessage => ({
      type: 'whoHas',
      queryId: 2 ** 52,
      vnet: 65_535,
      mac: undefined,
      ips: Array.from({ length: count }, (_, i) => Ip.of(`fd00::${i + 1}`)),
    });
    assert.equal(check(about(32)).length, 1);
    const parts = check(about(70)).flatMap((part) => (part.type === 'whoHas' ? [part.ips] : []));
    assert.deepEqual(
      parts.map(({ length }) => length),
      [32, 32, 6],
    );
  });

  it('asks one address as it always did, byte by byte', () => {
    const body = { type: 'whoHas', queryId: 6, vnet: 1, mac: undefined, ips: [Ip.of('10.1.0.9')] } as const;
    const bytes = codec.encode({ id: 1, acks: [], epoch: 3, ackEpoch: 4, oldest: 1, body });
    const inside = '0806' + '1001' + '22040a010009';
    assert.equal(Buffer.from(bytes).toString('hex'), `200801180320042801ba010a${inside}`);
  });

  it('cuts a claim between moves, and a move of very many addresses within', () => {
    const move = { vnet: 1, mac: record(1).mac, trigger: 'rarp', sinceDetectionUs: 5 } as const;
    const moves = many.map((entry) => ({ ...move, records: [entry] }));
    const parts = check({ type: 'claim', claimId: 8, moves: [...moves, { ...move, records: many }] });
    const claimed = parts.flatMap((part) =>
      part.type === 'claim' ? part.moves.flatMap(({ records }) => records) : [],
    );
    assert.deepEqual(claimed, [...many, ...many]);
    assert.ok(parts.every((part) => part.type === 'claim' && part.claimId === 8));
  });
});
