import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Digester, KEY_BYTES } from '../../../src/courier/store/digest.js';
import { PageStore } from '../../../src/courier/store/page-store.js';
import { PAGE_BYTES } from '../../../src/courier/stream/token.js';
import { systemClock } from '../../../src/net/system-clock.js';
import { pageOf } from './streams.js';

const digester = new Digester('', PAGE_BYTES);
const RECORD = PAGE_BYTES + 48;

function directoryOf(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'courier-store-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Room for so many pages. */
function storeOf(directory: string | undefined, inMemory: number, onDisk: number): Promise<PageStore> {
  return PageStore.open({
    pageBytes: PAGE_BYTES,
    memoryBytes: inMemory * PAGE_BYTES,
    diskBytes: onDisk * RECORD,
    directory,
    clock: systemClock,
  });
}

function put(store: PageStore, ...numbers: readonly number[]): void {
  for (const number of numbers) store.put(digester.of(pageOf(number)), pageOf(number));
}

/** The disk is written behind the caller's back. */
async function untilOnDisk(store: PageStore, pages: number): Promise<void> {
  while (store.view().pagesOnDisk < pages) await new Promise((done) => setImmediate(done));
}

/** Those of `numbers` that are there, and right. */
async function kept(store: PageStore, ...numbers: readonly number[]): Promise<number[]> {
  const found: number[] = [];
  for (const number of numbers) {
    const page = await store.fetch(digester.of(pageOf(number)), 0, digester);
    if (page === undefined) continue;
    assert.deepEqual(page, pageOf(number));
    found.push(number);
  }
  return found;
}

test('in memory alone: what was used longest ago goes first', async () => {
  const store = await storeOf(undefined, 3, 0);
  put(store, 1, 2, 3);
  assert.deepEqual(await kept(store, 1), [1]);
  put(store, 4);
  assert.deepEqual(await kept(store, 1, 2, 3, 4), [1, 3, 4]);
  assert.equal(store.view().pages, 3);
  assert.equal(store.view().mostPages, 3);
  await store.close();
});

test('what leaves the memory is on disk, what leaves the disk is gone, and all of it survives a restart', async (t) => {
  const directory = directoryOf(t);
  const first = await storeOf(directory, 4, 10);
  for (let number = 0; number < 12; number++) {
    put(first, number);
    await untilOnDisk(first, Math.min(number + 1, 10));
  }
  const numbers = Array.from({ length: 12 }, (_, number) => number);
  assert.deepEqual(await kept(first, ...numbers), numbers.slice(2));
  assert.equal(first.counters.get('store_pages_replaced'), 2);
  await kept(first, 2);
  await first.close();
  const second = await storeOf(directory, 4, 10);
  assert.equal(second.name, first.name);
  assert.deepEqual([second.view().pages, second.view().pagesInMemory], [10, 0]);
  put(second, 20);
  // 2 was used last before the restart: the order of use has survived, too.
  assert.deepEqual(await kept(second, 2, 3), [2]);
  assert.deepEqual(await kept(second, ...numbers.slice(4), 20), [...numbers.slice(4), 20]);
  await second.close();
});

test('a page that was changed on disk counts as absent, once, and can be put again', async (t) => {
  const directory = directoryOf(t);
  const first = await storeOf(directory, 10, 10);
  put(first, 1, 2, 3);
  await first.close();
  const file = await open(join(directory, 'pages'), 'r+');
  await file.write(Buffer.of(0xff), 0, 1, PAGE_BYTES + 100);
  await file.close();
  const second = await storeOf(directory, 10, 10);
  assert.deepEqual(await kept(second, 1, 2, 3), [1, 3]);
  assert.equal(second.counters.get('store_pages_bad'), 1);
  assert.equal(second.view().pages, 2);
  put(second, 2);
  assert.deepEqual(await kept(second, 1, 2, 3), [1, 2, 3]);
  await second.close();
});

test('files that were cut, or are no store’s: what is left is used', async (t) => {
  const directory = directoryOf(t);
  const first = await storeOf(directory, 10, 10);
  put(first, 1, 2, 3);
  await first.close();
  truncateSync(join(directory, 'pages'), 2 * PAGE_BYTES + 7);
  const second = await storeOf(directory, 10, 10);
  assert.deepEqual(await kept(second, 1, 2, 3), [1, 2]);
  await second.close();
  truncateSync(join(directory, 'index'), 4096 + 48 + 20);
  const third = await storeOf(directory, 10, 10);
  assert.deepEqual(await kept(third, 1, 2, 3), [1]);
  await third.close();
  writeFileSync(join(directory, 'index'), 'something else');
  const fourth = await storeOf(directory, 10, 10);
  assert.deepEqual(await kept(fourth, 1, 2, 3), []);
  assert.notEqual(fourth.name, first.name, 'others must not believe that it has what it had');
  put(fourth, 1);
  assert.deepEqual(await kept(fourth, 1), [1]);
  await fourth.close();
});

test('a store that was killed has what was written, and believes nothing that was not', async (t) => {
  const directory = directoryOf(t);
  const first = await storeOf(directory, 10, 10);
  put(first, 1, 2, 3);
  await untilOnDisk(first, 3);
  // Not closed. The lock says that it is in use by this process, which may take it again.
  const second = await storeOf(directory, 10, 10);
  assert.deepEqual(await kept(second, 1, 2, 3), [1, 2, 3]);
  await second.close();
  await first.close();
});

test('a smaller disk than before: what is behind its end is forgotten', async (t) => {
  const directory = directoryOf(t);
  const first = await storeOf(directory, 2, 10);
  for (const number of [1, 2, 3, 4, 5, 6]) {
    put(first, number);
    await untilOnDisk(first, number);
  }
  await first.close();
  const second = await storeOf(directory, 2, 4);
  assert.equal(second.view().pages, 4);
  assert.ok(statSync(join(directory, 'pages')).size <= 4 * PAGE_BYTES);
  await second.close();
});

test('another process that uses the directory is named', async (t) => {
  const directory = directoryOf(t);
  const store = await storeOf(directory, 2, 4);
  writeFileSync(join(directory, 'lock'), '1\n');
  await assert.rejects(storeOf(directory, 2, 4), /lock: in use by process 1$/);
  await store.close();
});

test('two owners do not meet', async () => {
  const store = await storeOf(undefined, 4, 0);
  const [one, other] = [new Digester('one', PAGE_BYTES), new Digester('other', PAGE_BYTES)];
  store.put(one.of(pageOf(1)), pageOf(1));
  assert.deepEqual(await store.fetch(one.of(pageOf(1)), 0, one), pageOf(1));
  assert.equal(store.has(other.of(pageOf(1))), false);
  assert.equal(store.has(digester.of(pageOf(1))), false);
  assert.deepEqual(one.of(pageOf(2)), one.of(pageOf(2)));
  await store.close();
});

test('what other stores have is remembered, and survives a restart', async (t) => {
  const directory = directoryOf(t);
  const key = digester.of(pageOf(1));
  const first = await storeOf(directory, 4, 4);
  const [a, b] = [first.peer('aa'.repeat(16)), first.peer('bb'.repeat(16))];
  put(first, 1, 2);
  assert.equal(first.peerHas(b, key), false);
  first.setPeerHas(b, true, key);
  assert.deepEqual([first.peerHas(a, key), first.peerHas(b, key)], [false, true]);
  await first.close();
  const second = await storeOf(directory, 4, 4);
  const again = second.peer('bb'.repeat(16));
  assert.equal(second.peerHas(again, key.subarray(0, KEY_BYTES)), true);
  assert.equal(second.peerHas(again, digester.of(pageOf(2))), false);
  for (let number = 0; number < 40; number++) second.peer(number.toString(16).padStart(32, '0'));
  assert.equal(second.peerHas(second.peer('cc'.repeat(16)), key), false, 'a new one has nothing');
  await second.close();
});

test('a full disk: the store goes on in memory, and says why', (t) => {
  const directory = directoryOf(t);
  const script = fileURLToPath(new URL('full-disk.js', import.meta.url));
  const inside = `mount -t tmpfs -o size=64k none ${directory} && exec ${process.execPath} ${script} ${directory}`;
  const ran = spawnSync('unshare', ['-m', 'sh', '-c', inside], { encoding: 'utf8' });
  if (/unshare failed|Operation not permitted|permission denied/.test(ran.stderr)) {
    t.skip('no privilege to mount a small file system');
    return;
  }
  assert.equal(ran.status, 0, ran.stderr);
  assert.ok(!existsSync(join(directory, 'pages')));
  const said = JSON.parse(ran.stdout) as { problem: string; kept: number; errors: number };
  assert.match(said.problem, /ENOSPC/);
  assert.equal(said.kept, 40);
  assert.ok(said.errors >= 1);
});
