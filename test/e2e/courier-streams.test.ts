/** Streams of real QEMUs, as each version writes them: the parser knows all of them up to the devices, and loses no byte. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { StreamParser } from '../../src/courier/stream/parser.js';
import { PAGE_BYTES } from '../../src/courier/stream/token.js';
import { randomOf } from '../fuzz/target.js';
import { guestImage, guestMemory, kernelFile, missingForGuests, readyLine } from '../lab/qemu/image.js';
import { laterQemu, missingLaterQemu } from '../lab/qemu/later.js';
import { Qmp } from '../lab/qemu/qmp.js';
import { waitFor } from '../lab/wait.js';

const LIMIT_MS = 90_000;

/** A guest without a network, which only runs. */
class Machine {
  readonly directory = mkdtempSync(join(tmpdir(), 'courier-qemu-'));
  readonly #process: ChildProcess;
  qmp!: Qmp;

  constructor(emulator: readonly string[]) {
    const [program = '', ...first] = emulator;
    const words =
      'console=ttyS0 edd=off quiet panic=-1 lab.ip=10.9.9.9/24 lab.ip6=fd09::9/64 lab.default= lab.routes= lab.echo=7';
    const machine = [
      '-machine',
      'pc,accel=tcg',
      '-m',
      guestMemory,
      '-nodefaults',
      '-no-user-config',
      '-display',
      'none',
    ];
    const console = ['-serial', `file:${this.#console}`, '-qmp', `unix:${this.#control},server=on,wait=off`];
    const kernel = ['-kernel', kernelFile, '-initrd', guestImage(), '-append', words];
    this.#process = spawn(program, [...first, ...machine, ...console, ...kernel], { stdio: 'ignore' });
  }

  get #console(): string {
    return join(this.directory, 'console.log');
  }

  get #control(): string {
    return join(this.directory, 'qmp.sock');
  }

  async booted(): Promise<void> {
    this.qmp = await waitFor(
      'QEMU answers',
      () => existsSync(this.#control) && Qmp.open(this.#control),
      LIMIT_MS,
    );
    const isReady = () =>
      existsSync(this.#console) && readFileSync(this.#console, 'utf8').includes(readyLine);
    await waitFor('the guest has booted', isReady, LIMIT_MS);
  }

  async migrate(uri: string, capabilities: readonly string[] = []): Promise<void> {
    const states = capabilities.map((capability) => ({ capability, state: true }));
    if (states.length > 0) await this.qmp.execute('migrate-set-capabilities', { capabilities: states });
    await this.qmp.execute('migrate', { uri });
    await waitFor(
      'the migration is complete',
      async () => {
        const { status, ...rest } = await this.qmp.execute<{ status?: string }>('query-migrate');
        if (status === 'failed') throw new Error(JSON.stringify(rest));
        return status === 'completed';
      },
      LIMIT_MS,
    );
    const off = states.map(({ capability }) => ({ capability, state: false }));
    if (off.length > 0) await this.qmp.execute('migrate-set-capabilities', { capabilities: off });
    await this.qmp.execute('cont');
  }

  async stop(): Promise<void> {
    this.qmp?.close();
    if (this.#process.exitCode === null) {
      this.#process.kill('SIGKILL');
      await once(this.#process, 'exit');
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** In pieces of any length. The bytes must come out as they are. */
function parsed(bytes: Buffer, number: number): { parser: StreamParser; pages: Set<string> } {
  const random = randomOf(72, number);
  const parser = new StreamParser();
  const pages = new Set<string>();
  let out = 0;
  for (let at = 0; at < bytes.length; ) {
    const piece = bytes.subarray(at, at + 1 + random.below(100_000));
    at += piece.length;
    for (const token of parser.push(piece)) {
      assert.ok(bytes.subarray(out, out + token.bytes.length).equals(token.bytes), `other bytes at ${out}`);
      out += token.bytes.length;
      if (token.kind !== 'page') continue;
      assert.equal(token.bytes.length, PAGE_BYTES);
      pages.add(Buffer.from(token.bytes).toString('latin1'));
    }
  }
  assert.equal(out + parser.heldBytes, bytes.length);
  return { parser, pages };
}

/** Everything that comes to a Unix socket, by connection. */
async function captured(machine: Machine, capabilities: readonly string[]): Promise<Buffer[]> {
  const path = join(machine.directory, 'capture.sock');
  const channels: Buffer[][] = [];
  let open = 0;
  const server = createServer((socket) => {
    const pieces: Buffer[] = [];
    channels.push(pieces);
    open++;
    socket.on('data', (piece: Buffer) => pieces.push(piece));
    socket.on('error', () => undefined);
    socket.on('close', () => open--);
  });
  server.listen(path);
  await machine.migrate(`unix:${path}`, capabilities);
  await waitFor('all channels are closed', () => open === 0 && channels.length > 0, LIMIT_MS);
  server.close();
  return channels.map((pieces) => Buffer.concat(pieces));
}

async function streams(t: TestContext, emulator: readonly string[]): Promise<void> {
  const machine = new Machine(emulator);
  t.after(() => machine.stop());
  await machine.booted();

  const file = join(machine.directory, 'stream');
  await machine.migrate(`exec:cat >${file}`);
  await waitFor('the file is whole', () => readFileSync(file).includes('"vmsd_name"'), LIMIT_MS);
  const bytes = readFileSync(file);
  const { parser, pages } = parsed(bytes, 1);
  t.diagnostic(`${bytes.length} bytes of ${parser.machine}: ${JSON.stringify([...parser.counts])}`);
  assert.equal(parser.speaker, 'qemu');
  assert.match(parser.machine ?? '', /^pc-i440fx-/);
  assert.equal(parser.passedBecause, 'device state');
  assert.equal(parser.phase, 'stopped');
  const count = (kind: Parameters<typeof parser.counts.get>[0]): number => parser.counts.get(kind) ?? 0;
  assert.ok(count('page') > 5_000 && count('fill-page') > 1_000);
  assert.ok(count('page') * PAGE_BYTES > 0.9 * bytes.length, 'the stream consists of pages that are known');
  assert.deepEqual([count('section-start'), count('section-end'), count('blocks')], [1, 1, 1]);
  t.diagnostic(`${count('page')} pages, ${pages.size} of them different`);

  const [xbzrle = Buffer.alloc(0)] = await captured(machine, ['xbzrle']);
  const known = parsed(xbzrle, 2).parser;
  t.diagnostic(`with xbzrle: ${JSON.stringify([...known.counts])}`);
  assert.equal(known.passedBecause, 'device state');

  const channels = await captured(machine, ['multifd']);
  const all = channels.map((channel, number) => parsed(channel, 3 + number));
  const speakers = all.map(({ parser: one }) => one);
  t.diagnostic(`multifd: ${speakers.map((one) => `${one.speaker} (${one.passedBecause})`).join(', ')}`);
  assert.deepEqual(speakers.map(({ speaker }) => speaker).sort(), ['multifd', 'multifd', 'qemu']);
  const main = speakers.find(({ speaker }) => speaker === 'qemu');
  assert.equal(main?.passedBecause, 'device state');
  const beside = speakers.filter(({ speaker }) => speaker === 'multifd');
  assert.ok(beside.every(({ passedBecause }) => passedBecause === undefined));
  const sent = beside.reduce((sum, one) => sum + (one.counts.get('page') ?? 0), 0);
  t.diagnostic(`multifd: ${beside.map((one) => JSON.stringify([...one.counts])).join(', ')}`);
  // They are the guest's: most of them are those of the stream before, of which it has changed some since.
  assert.ok(sent > 5_000, `${sent} pages`);
  const old = all.flatMap(({ pages: some }) => [...some]).filter((page) => pages.has(page));
  assert.ok(old.length > 3_000, `${old.length} pages that the guest had before`);
}

test('QEMU 7.2', { skip: missingForGuests() ?? false }, (t) => streams(t, ['qemu-system-x86_64']));
test('QEMU 10', { skip: missingForGuests() ?? missingLaterQemu() ?? false }, (t) => streams(t, laterQemu()));
