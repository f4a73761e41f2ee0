import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { StreamParser } from '../../../src/courier/stream/parser.js';
import { PAGE_BYTES, type Token, type TokenKind } from '../../../src/courier/stream/token.js';
import { mutated } from '../../fuzz/mutate.js';
import { randomOf } from '../../fuzz/target.js';
import * as made from './streams.js';

const NUMBERS = [1, 2, 3, 1, 2, 9];
const WHOLE = made.migration(NUMBERS);

function joined(tokens: readonly Token[]): Buffer {
  return Buffer.concat(tokens.map(({ bytes }) => bytes));
}

function kinds(tokens: readonly Token[]): TokenKind[] {
  return tokens.map(({ kind }) => kind);
}

/** All tokens of a stream that comes in pieces that end at `cuts`. */
function parsed(bytes: Uint8Array, cuts: readonly number[] = []): { tokens: Token[]; parser: StreamParser } {
  const parser = new StreamParser();
  const tokens: Token[] = [];
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    tokens.push(...parser.push(bytes.subarray(from, to)));
    from = to;
  }
  tokens.push(...parser.release());
  return { tokens, parser };
}

test('a whole migration: every item is known up to the devices', () => {
  const { tokens, parser } = parsed(WHOLE);
  assert.deepEqual(kinds(tokens), [
    'magic',
    'configuration',
    ...['section-start', 'blocks', 'part-end', 'footer'],
    ...['section-part', 'page-header', 'page', 'page-header', 'page', 'page-header', 'page'],
    ...['fill-page', 'fill-page', 'part-end', 'footer'],
    ...['section-end', 'xbzrle-page', 'page-header', 'page', 'page-header', 'page', 'page-header', 'page'],
    ...['multifd-flush', 'part-end', 'footer', 'verbatim'],
  ]);
  assert.deepEqual(joined(tokens), WHOLE);
  const pages = tokens.filter(({ kind }) => kind === 'page').map(({ bytes }) => Buffer.from(bytes));
  assert.deepEqual(pages, NUMBERS.map(made.pageOf));
  assert.equal(parser.speaker, 'qemu');
  assert.equal(parser.machine, 'pc-i440fx-7.2');
  assert.equal(parser.passedBecause, 'device state');
  assert.equal(parser.phase, 'stopped');
  assert.equal(parser.counts.get('page'), NUMBERS.length);
});

test('a stream cut in two anywhere gives the same tokens', () => {
  const small = made.migration([5]);
  const { tokens: expected } = parsed(small);
  for (let cut = 0; cut <= small.length; cut++) {
    const { tokens } = parsed(small, [cut]);
    // What is passed on is given as it comes.
    const [known, wanted] = [tokens, expected].map((all) => all.filter(({ kind }) => kind !== 'verbatim'));
    assert.deepEqual(known, wanted, `cut at ${cut}`);
    assert.deepEqual(joined(tokens), small, `cut at ${cut}`);
  }
});

test('property: any pieces, with anything held released at any moment, are the same bytes', () => {
  const cuts = fc.array(fc.tuple(fc.nat(WHOLE.length), fc.boolean()), { maxLength: 40 });
  fc.assert(
    fc.property(cuts, (given) => {
      const parser = new StreamParser();
      const tokens: Token[] = [];
      let from = 0;
      for (const [to, release] of [...given].sort(([a], [b]) => a - b)) {
        tokens.push(...parser.push(WHOLE.subarray(from, to)));
        if (release) tokens.push(...parser.release());
        if (release) assert.equal(parser.heldBytes, 0);
        from = to;
      }
      tokens.push(...parser.push(WHOLE.subarray(from)));
      assert.deepEqual(joined(tokens), WHOLE);
      assert.equal(parser.counts.get('page'), NUMBERS.length, 'releasing does not lose the place');
      for (const { kind, bytes } of tokens) if (kind === 'page') assert.equal(bytes.length, PAGE_BYTES);
    }),
    { numRuns: 300 },
  );
});

test('byte by byte, everything released at once: nothing waits, and the place is kept', () => {
  const parser = new StreamParser();
  for (const byte of WHOLE) {
    const given = [...parser.push(Uint8Array.of(byte)), ...parser.release()];
    assert.deepEqual(joined(given), Buffer.of(byte));
  }
  assert.equal(parser.phase, 'stopped');
  assert.equal(parser.counts.get('page'), NUMBERS.length);
});

test('a long item byte by byte costs as much as it has bytes', () => {
  const long = Buffer.concat([Buffer.from([8]), made.be16(9), made.be16(65_535), Buffer.alloc(65_535)]);
  const parser = new StreamParser();
  parser.push(Buffer.concat([made.HEAD, made.configuration()]));
  const before = process.cpuUsage();
  for (let round = 0; round < 5; round++)
    for (let at = 0; at < long.length; at++) parser.push(long.subarray(at, at + 1));
  const { user, system } = process.cpuUsage(before);
  assert.equal(parser.counts.get('command'), 5);
  assert.equal(parser.passedBecause, undefined);
  // Whoever copies all that is held with each byte copies 10 GB here.
  assert.ok(user + system < 1_500_000, `${(user + system) / 1e6} s of processor time`);
});

test('1,000 truncated and mutated streams, in pieces: the same bytes', () => {
  const short = made.migration([1]);
  let passed = 0;
  for (let number = 0; number < 1_000; number++) {
    const random = randomOf(20, number);
    const bytes = random.chance(30) ? short.subarray(0, random.below(short.length)) : mutated(short, random);
    const cut = random.below(bytes.length + 1);
    const { tokens, parser } = parsed(bytes, [cut]);
    assert.deepEqual(joined(tokens), Buffer.from(bytes), `case ${number}`);
    if (parser.passedBecause !== undefined && parser.passedBecause !== 'device state') passed++;
  }
  assert.ok(passed > 100, `${passed} were broken`);
});

function passing(...pieces: readonly Buffer[]): StreamParser {
  const bytes = Buffer.concat(pieces);
  const { tokens, parser } = parsed(bytes);
  assert.deepEqual(joined(tokens), bytes);
  return parser;
}

test('TLS, multifd channels and strangers are told', () => {
  const tls = passing(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00]));
  assert.deepEqual([tls.speaker, tls.passedBecause, tls.phase], ['tls', 'TLS', 'passing']);
  const multifd = passing(made.be32(0x11223344), made.be32(2), Buffer.alloc(56));
  assert.deepEqual([multifd.speaker, multifd.passedBecause], ['multifd', 'multifd version 2']);
  const stranger = passing(Buffer.from('GET / HTTP/1.1\r\n'));
  assert.deepEqual([stranger.speaker, stranger.passedBecause], ['unknown', 'no QEMU migration stream']);
  const version = passing(Buffer.from('QEVM\0\0\0\x04'));
  assert.equal(version.passedBecause, 'stream version 4');
});

test('a channel of multifd: its pages are pages, wherever it is cut', () => {
  const bytes = Buffer.concat([
    ...[made.MULTIFD_HELLO, made.packet([1, 2].map(made.pageOf)), made.packet([made.pageOf(3)])],
    // A packet that only says where the channels meet has the length of the one before.
    ...[
      made.packet([], { 2: 1, 5: PAGE_BYTES }),
      made.packet([], { 2: 1, 3: 0 }),
      made.packet([made.pageOf(1)]),
    ],
  ]);
  for (const cuts of [[], [1], [63], [64], [500], [64 + 320 + 1024 + 100], [9_000, 9_001, 15_000]]) {
    const { tokens, parser } = parsed(bytes, cuts);
    assert.equal(parser.speaker, 'multifd');
    assert.equal(parser.passedBecause, undefined);
    assert.deepEqual(joined(tokens), bytes);
    const pages = tokens.filter(({ kind }) => kind === 'page');
    assert.deepEqual(
      pages.map(({ bytes: page }) => Buffer.from(page)),
      [1, 2, 3, 1].map(made.pageOf),
    );
    assert.deepEqual([parser.counts.get('multifd-hello'), parser.counts.get('multifd-packet')], [1, 5]);
  }
});

test('of multifd, what is not known is passed on from there', () => {
  const reason = (change: Readonly<Record<number, number>>): string | undefined =>
    passing(made.MULTIFD_HELLO, made.packet([made.pageOf(1)]), made.packet([made.pageOf(2)], change))
      .passedBecause;
  assert.equal(reason({}), undefined);
  assert.equal(reason({ 0: 7 }), 'no packet of multifd');
  assert.equal(reason({ 1: 2 }), 'no packet of multifd');
  assert.equal(reason({ 2: 2 << 1 }), 'a packet of multifd with flags 0x4');
  assert.equal(reason({ 3: 100_000 }), 'a packet of multifd with too many pages');
  assert.equal(reason({ 3: 32 }), 'pages of another size');
  assert.equal(reason({ 4: 129 }), 'a packet of multifd with too many pages');
  assert.equal(reason({ 5: 16_384 }), 'pages of another size');
});

test('what is not known is passed on from there', () => {
  const before = [made.HEAD, made.configuration()];
  const reason = (...pieces: readonly Buffer[]): string | undefined =>
    passing(...before, ...pieces).passedBecause;
  assert.equal(reason(made.start(1, 'dirty-bitmap', 1)), 'section dirty-bitmap, version 1');
  assert.equal(reason(made.start(1, 'ram', 5)), 'section ram, version 5');
  assert.equal(reason(made.part(3)), 'a part of section 3');
  assert.equal(reason(Buffer.from([0x42])), 'section of type 66');
  assert.equal(
    reason(made.subsection('configuration/new\n', Buffer.alloc(4))),
    'subsection configuration/new?',
  );
  assert.equal(reason(made.start(1, 'ram'), made.be64(0x80)), 'memory record with flags 0x80');
  assert.equal(reason(made.start(1, 'ram'), made.be64(0x0a)), 'memory record with flags 0xa');
  assert.equal(
    reason(made.start(1, 'ram'), made.be64(0x1004), made.counted('pc.ram'), made.be64(0x2000)),
    'the sizes of the memory blocks are not their sum',
  );
  assert.equal(reason(made.start(1, 'ram'), made.xbzrle(0, Buffer.alloc(5000))), 'XBZRLE page');
  assert.equal(reason(made.start(1, 'ram'), made.compressed(0, Buffer.alloc(9000))), 'compressed page');
});

test('the configuration decides over the layout: page size, blocks with addresses', () => {
  const bits = made.subsection('configuration/target-page-bits', made.be32(14));
  const big = passing(
    ...[made.HEAD, made.configuration('virt-7.2'), bits, made.start(2, 'ram')],
    ...[made.page(0x4000, Buffer.alloc(16384, 1), 'mach-virt.ram'), made.eos, made.footer(2), made.part(2)],
  );
  assert.deepEqual([big.counts.get('page-header'), big.counts.get('section-part')], [1, 1]);
  assert.equal(big.counts.get('page'), undefined, 'pages of another size are not matched');
  const names = Buffer.concat([made.be32(1), made.counted('x-ignore-shared')]);
  const shared = passing(
    ...[made.HEAD, made.configuration(), made.subsection('configuration/capabilities', names)],
    ...[made.start(2, 'ram'), made.blocks({ a: 4096, b: 4096 }, true), made.eos, made.footer(2)],
  );
  assert.deepEqual([shared.counts.get('blocks'), shared.counts.get('footer')], [1, 1]);
  assert.equal(shared.passedBecause, undefined);
});

test('commands, and the package of a postcopy start, are gone through', () => {
  const command = (number: number, argument: Buffer): Buffer =>
    Buffer.concat([Buffer.from([8]), made.be16(number), made.be16(argument.length), argument]);
  const parser = passing(
    ...[made.HEAD, made.configuration(), command(1, Buffer.alloc(0)), command(2, made.be32(7))],
    ...[made.start(2, 'ram'), made.blocks({ 'pc.ram': 8192 }), made.eos, made.footer(2)],
    ...[command(6, made.be32(100)), Buffer.alloc(100, 3), made.part(2)],
    ...[made.page(0, made.pageOf(1), 'pc.ram'), made.eos, made.footer(2)],
  );
  assert.deepEqual([parser.counts.get('command'), parser.counts.get('page')], [3, 1]);
  assert.equal(parser.passedBecause, undefined);
});
