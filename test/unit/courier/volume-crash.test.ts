/** Random histories of a volume against a copy in memory, with killed processes, machines that lose their power, and spoilt journals. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Chunk } from '../../../src/courier/volume/files/chunk.js';
import { decodeHead, SECTOR_BYTES, scan } from '../../../src/courier/volume/files/layout.js';
import { replay } from '../../../src/courier/volume/files/replay.js';
import type { FileVolume } from '../../../src/courier/volume/files/volume.js';
import { mutated } from '../../fuzz/mutate.js';
import { Random } from '../../fuzz/random.js';
import { pause } from '../../lab/wait.js';
import {
  assertReads,
  CHUNK,
  directoryOf,
  framesOf,
  killed,
  open,
  pattern,
  StandingClock,
} from './volumes.js';

const SIZE = 3 * CHUNK + 64 * 1024;
const SECTORS = SIZE / SECTOR_BYTES;
const [BOOT, NEXT_BOOT] = ['11'.repeat(16), '22'.repeat(16)];

/** A volume, and what it must read as. */
class Shadow {
  readonly clock = new StandingClock();
  volume!: FileVolume;
  content: Buffer;
  /** Of each sector: what it may be after the machine has lost its power. */
  possible: Buffer[][];
  /** The data's file as of the last flush. */
  durable = Buffer.alloc(0);
  /** Of the journal. */
  durableBytes = 0;
  #number = 0;

  constructor(
    private readonly directory: string,
    private readonly random: Random,
    private readonly base: Buffer | undefined,
  ) {
    this.content = Buffer.alloc(SIZE);
    this.content.set(base ?? Buffer.alloc(0));
    this.possible = this.#settled();
  }

  get path(): string {
    return join(this.directory, 'v');
  }

  async open(directory = this.path, boot = BOOT): Promise<FileVolume> {
    const basePath = join(this.directory, 'base.img');
    if (this.base !== undefined) writeFileSync(basePath, this.base);
    const more = { clock: this.clock, sizeBytes: SIZE, boot };
    this.volume = await open(directory, { ...more, base: this.base === undefined ? undefined : basePath });
    return this.volume;
  }

  async step(): Promise<void> {
    const { random, volume } = this;
    const kind = random.below(12);
    if (kind === 0) await this.flush();
    else if (kind === 1) await this.#put();
    else if (kind === 2) {
      this.clock.now += 20_000;
      await volume.seal();
      // A digest is of data that is durable.
      await this.flush();
    } else if (kind === 3) await volume.keep('key', random.word());
    else await this.write();
  }

  /** Or zeroes; what it reads as then is told at once. */
  write(): Promise<void> {
    const { random, volume } = this;
    const [offset, length] = this.#range();
    const isZero = random.chance(22);
    const data = isZero ? Buffer.alloc(length) : pattern(length, ++this.#number);
    const written = isZero ? volume.zero(offset, length) : volume.write(offset, data);
    this.#wrote(offset, data);
    return written;
  }

  async flush(): Promise<void> {
    await this.volume.flush();
    this.possible = this.#settled();
    this.durable = readFileSync(join(this.path, 'data'));
    this.durableBytes = statSync(join(this.path, 'journal')).size;
  }

  async #put(): Promise<void> {
    const index = this.random.below(4);
    const length = Math.min(CHUNK, SIZE - index * CHUNK);
    const data = this.random.chance(70) ? pattern(length, ++this.#number) : undefined;
    const here = this.volume.modified.get(index)?.version ?? 0;
    const version = Math.max(1, here + this.random.below(4) - 1);
    await this.volume.put(index, data, { version, writes: 1 });
    if (version <= here) return;
    this.#wrote(index * CHUNK, data ?? Buffer.alloc(length));
    // Until it is flushed its content of before is given up: a crash may leave nothing of it.
    await this.flush();
  }

  #wrote(offset: number, data: Buffer): void {
    this.content.set(data, offset);
    for (let at = 0; at < data.length; at += SECTOR_BYTES)
      this.possible[(offset + at) / SECTOR_BYTES]?.push(data.subarray(at, at + SECTOR_BYTES));
  }

  #range(): [number, number] {
    const { random } = this;
    const from = random.chance(30) ? random.below(4) * (CHUNK / SECTOR_BYTES) : random.below(SECTORS);
    const most = random.chance(30) ? SECTORS - from : Math.min(SECTORS - from, 40);
    return [from * SECTOR_BYTES, (1 + random.below(most)) * SECTOR_BYTES];
  }

  #settled(): Buffer[][] {
    return Array.from({ length: SECTORS }, (_, sector) => [
      Buffer.from(this.content.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES)),
    ]);
  }
}

function versionsOf(volume: FileVolume): Map<number, number> {
  return new Map([...volume.modified].map(([index, { version }]) => [index, version]));
}

for (const hasBase of [false, true])
  test(`200 random steps, killed after every tenth: nothing that was answered is lost (${hasBase ? 'a base' : 'no base'})`, async (t) => {
    const random = new Random(hasBase ? 11 : 12);
    const directory = directoryOf(t);
    const shadow = new Shadow(directory, random, hasBase ? pattern(2 * CHUNK, 99) : undefined);
    await shadow.open();
    for (let round = 0; round < 20; round++) {
      for (let step = 0; step < 10; step++) await shadow.step();
      await assertReads(shadow.volume, shadow.content, `round ${round}`);
      const before = versionsOf(shadow.volume);
      const last = shadow.volume;
      const copy = killed(shadow.path, join(directory, `copy-${round}`));
      await last.close();
      rmSync(shadow.path, { recursive: true });
      await shadow.open(killed(copy, shadow.path));
      await assertReads(shadow.volume, shadow.content, `after the death in round ${round}`);
      for (const [index, version] of versionsOf(shadow.volume))
        assert.ok(
          version >= (before.get(index) ?? 0),
          `chunk ${index}: ${before.get(index)}, then ${version}`,
        );
      assert.equal(shadow.volume.problem, null);
      rmSync(copy, { recursive: true });
    }
    await shadow.volume.close();
  });

test('hundreds of writes, zeroes, flushes and checksums at once: as if one came after the other, also after a death', async (t) => {
  const random = new Random(41);
  const directory = directoryOf(t);
  const shadow = new Shadow(directory, random, pattern(2 * CHUNK, 99));
  await shadow.open();
  for (let round = 0; round < 8; round++) {
    const work: Promise<unknown>[] = [];
    for (let count = 0; count < 150; count++) {
      if (random.chance(5)) work.push(shadow.volume.flush());
      shadow.clock.now += random.chance(20) ? 11_000 : 1;
      if (random.chance(10)) work.push(shadow.volume.seal());
      work.push(shadow.write());
      if (random.chance(30)) await Promise.race(work);
    }
    await Promise.all(work);
    await assertReads(shadow.volume, shadow.content, `round ${round}`);
    const last = shadow.volume;
    await shadow.open(killed(shadow.path, join(directory, `copy-${round}`)));
    await assertReads(shadow.volume, shadow.content, `after the death in round ${round}`);
    await shadow.volume.verify();
    assert.equal(shadow.volume.problem, null);
    await shadow.volume.close();
    await last.close();
    rmSync(shadow.path, { recursive: true });
    await shadow.open(killed(join(directory, `copy-${round}`), shadow.path));
  }
  await shadow.volume.close();
});

/** Of what was written since the last flush each sector may have reached the disk, or not; so may the journal's last frames. */
function lostPower(
  from: string,
  to: string,
  { durable: flushed, durableBytes }: Shadow,
  random: Random,
): void {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to);
  const [data, journal] = [readFileSync(join(from, 'data')), readFileSync(join(from, 'journal'))];
  for (let at = 0; at < data.length; at += SECTOR_BYTES)
    if (random.chance(50)) flushed.copy(data, at, at, at + SECTOR_BYTES);
  const { ends, durable } = framesOf(journal);
  const least = Math.max(durableBytes, ends[durable - 1] ?? 0);
  const cut = least + random.below(journal.length - least + 1);
  // What was torn in the middle may have its later sectors.
  const torn = random.chance(30) && cut + SECTOR_BYTES < journal.length ? journal : journal.subarray(0, cut);
  if (torn === journal) journal.fill(random.below(256), cut, Math.min(journal.length, cut + SECTOR_BYTES));
  writeFileSync(join(to, 'data'), data);
  writeFileSync(join(to, 'journal'), torn);
}

for (const hasBase of [false, true])
  test(`a machine that loses its power 25 times: what was flushed is there, and every other sector is one that was (${hasBase ? 'a base' : 'no base'})`, async (t) => {
    const random = new Random(hasBase ? 21 : 22);
    const directory = directoryOf(t);
    const shadow = new Shadow(directory, random, hasBase ? pattern(2 * CHUNK, 99) : undefined);
    await shadow.open();
    let changed = 0;
    for (let round = 0; round < 25; round++) {
      for (let step = random.below(6); step >= 0; step--) await shadow.step();
      await shadow.flush();
      for (let step = random.below(8); step >= 0; step--) await shadow.step();
      const [last, boot] = [shadow.volume, round % 2 === 0 ? NEXT_BOOT : BOOT];
      const lost = join(directory, 'lost');
      // What is durable besides the journal says a moment later.
      await pause(30);
      lostPower(shadow.path, lost, shadow, random);
      await last.close();
      rmSync(shadow.path, { recursive: true });
      const volume = await shadow.open(killed(lost, shadow.path), boot);
      assert.equal(volume.problem, null);
      const read = await volume.read(0, SIZE);
      for (let sector = 0; sector < SECTORS; sector++) {
        const is = read.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES);
        const isOne = shadow.possible[sector]?.some((possible) => possible.equals(is)) === true;
        const text = (bytes: Buffer): string =>
          `${bytes.readUInt32BE(0)}/${bytes.readUInt32BE(4) / SECTOR_BYTES}`;
        assert.ok(
          isOne,
          `round ${round}: sector ${sector} is ${text(is)}, which it was not since the flush: ${shadow.possible[sector]?.map(text).join(', ')}`,
        );
        if ((shadow.possible[sector]?.length ?? 0) > 1) changed++;
      }
      shadow.content = read;
      await shadow.flush();
    }
    assert.ok(changed > 500, `${changed} sectors`);
    await shadow.volume.close();
  });

/** What a journal says, as far as it can be compared. */
function told(journal: Buffer, boot = BOOT): string {
  const head = decodeHead(journal);
  if (typeof head === 'string') return `refused: ${head}`;
  const scanned = scan(journal, head.name);
  if (typeof scanned === 'string') return `refused: ${scanned}`;
  const state = replay(head, scanned.frames, boot);
  if (typeof state === 'string') return `refused: ${state}`;
  return JSON.stringify([[...state.chunks].map(textOf), [...state.records]]);
}

function textOf([index, chunk]: [number, Chunk]): unknown {
  const { under, map, isOpen, digest, writes } = chunk;
  const sectors = map === undefined ? 'all' : Buffer.from(map.bits).toString('hex');
  return [index, under, sectors, isOpen, digest ?? '', writes];
}

test('a journal that is cut or spoilt at any byte: refused, or only what was never flushed is missing', async (t) => {
  const directory = directoryOf(t);
  const shadow = new Shadow(directory, new Random(31), undefined);
  await shadow.open();
  const journalOf = (): Buffer => readFileSync(join(shadow.path, 'journal'));
  for (let step = 0; step < 8; step++) await shadow.step();
  await shadow.volume.write(0, pattern(2 * CHUNK, 1));
  await shadow.volume.keep('a', 'durable');
  const flushed = told(journalOf());
  for (const offset of [0, CHUNK, CHUNK + 4096]) await shadow.volume.zero(offset, 4096);
  const journal = journalOf();
  await shadow.volume.close();
  const { durable, ends } = framesOf(journal);
  assert.ok(durable > 3 && ends.length > durable, 'some frames are durable, some are not');
  const whole = told(journal);
  const allowed = new Set(ends.slice(durable - 1).map((upTo) => told(journal.subarray(0, upTo))));
  assert.ok(allowed.has(flushed) && allowed.has(whole) && allowed.size > 2);
  let [refused, fewer] = [0, 0];
  const look = (spoilt: Buffer, what: string): void => {
    const is = told(spoilt);
    if (is.startsWith('refused: ')) refused++;
    else {
      assert.ok(allowed.has(is), `${what}: ${is}`);
      if (is !== whole) fewer++;
    }
  };
  for (let at = 0; at < journal.length; at++) {
    const was = journal[at] ?? 0;
    journal[at] = was ^ (1 << (at % 8));
    look(journal, `bit at byte ${at}`);
    journal[at] = was;
    if (at % 5 === 0) look(journal.subarray(0, at), `cut at byte ${at}`);
  }
  assert.ok(refused > 1000, `${refused} refused`);
  assert.ok(fewer > 100, `${fewer} without the last`);
  // Two damages at once, of which one is of what tells of the other, can hide: then it is what it was at some time.
  for (const before of [1024, ...ends]) {
    const head = Buffer.from(journal.subarray(0, before));
    allowed.add(told(head.fill(0, SECTOR_BYTES, 2 * SECTOR_BYTES)));
  }
  const random = new Random(32);
  for (let round = 0; round < 1000; round++)
    look(Buffer.from(mutated(journal, random)), `mutated in round ${round}`);
});

test('a volume that has left keeps its versions, whoever is killed; one that may be written to has higher ones', async (t) => {
  const directory = directoryOf(t);
  const volume = await open(join(directory, 'v'));
  for (let time = 0; time < 3; time++) await volume.write(time * 512, pattern(512, time));
  await volume.flush();
  const version = volume.modified.get(0)?.version ?? 0;
  await volume.keep('move', { role: 'source', phase: 'given' });
  const left = await open(killed(join(directory, 'v'), join(directory, 'left')));
  assert.equal(left.modified.get(0)?.version, version);
  await left.keep('move', { role: 'destination', phase: 'receiving' });
  const back = await open(killed(join(directory, 'left'), join(directory, 'back')));
  assert.equal(back.modified.get(0)?.version, version);
  await back.keep('move', { role: 'destination', phase: 'done' });
  const used = await open(killed(join(directory, 'back'), join(directory, 'used')));
  assert.ok((used.modified.get(0)?.version ?? 0) > version);
  for (const one of [volume, left, back, used]) await one.close();
});
