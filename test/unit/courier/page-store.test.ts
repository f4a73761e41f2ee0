import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Digester, KEY_BYTES } from '../../../src/courier/store/digest.js';
import { PageStore } from '../../../src/courier/store/page-store.js';
import { PAGE_BYTES } from '../../../src/courier/stream/token.js';
import { systemClock } from '../../../src/net/system-clock.js';
import { until } from './couriers.js';
import { pageOf } from './streams.js';

const digester = new Digester('', PAGE_BYTES);
const RECORD = PAGE_BYTES + 48;

function directoryOf(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'courier-store-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const locksIn = (directory: string): string[] =>
  readdirSync(directory).filter((name) => name.startsWith('lock.'));
/** What this process has open there, and sockets that anybody has. */
function heldIn(directory: string): string[] {
  const files = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // that of the folder itself
    }
  });
  const sockets = readFileSync('/proc/net/unix', 'utf8').split('\n');
  return [...files, ...sockets].filter((name) => name.includes(directory));
}
/** Another store's. */
const nameOf = (number: number): string => (number + 1).toString(16).padStart(32, '0');

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
  await until(`${pages} pages are on disk`, () => store.view().pagesOnDisk >= pages);
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
  const killed = spawnSync(process.execPath, [script('killed-store.js'), directory], { encoding: 'utf8' });
  assert.equal(killed.signal, 'SIGKILL', killed.stderr);
  assert.equal(locksIn(directory).length, 1, 'its lock is left behind, and locks nothing');
  const second = await storeOf(directory, 10, 10);
  assert.equal(locksIn(directory).length, 1, 'only this one’s');
  assert.deepEqual(await kept(second, 1, 2, 3), [1, 2, 3]);
  await second.close();
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

test('one has a directory at a time, whatever a file in it says of processes', async (t) => {
  const directory = directoryOf(t);
  const first = await storeOf(directory, 2, 4);
  writeFileSync(join(directory, 'lock'), '1\n');
  await assert.rejects(storeOf(directory, 2, 4), new Error(`${directory}: in use by another process`));
  assert.equal(locksIn(directory).length, 1);
  const both = await Promise.allSettled([storeOf(directory, 2, 4), storeOf(directory, 2, 4)]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  await first.close();
  assert.deepEqual(locksIn(directory), []);
  const second = await storeOf(directory, 2, 4);
  await second.close();
});

test('several that come at once: never are two let in', async (t) => {
  const directory = directoryOf(t);
  for (let round = 0; round < 10; round++) {
    const opened = await Promise.allSettled(Array.from({ length: 4 }, () => storeOf(directory, 2, 4)));
    const stores = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    assert.ok(stores.length <= 1, `${stores.length} have it`);
    for (const store of stores) await store.close();
  }
  assert.deepEqual(locksIn(directory), []);
});

test('an open that fails leaves neither a lock nor an open file', async (t) => {
  const directory = directoryOf(t);
  mkdirSync(join(directory, 'index'));
  await assert.rejects(storeOf(directory, 2, 4), /EISDIR/);
  assert.deepEqual(locksIn(directory), []);
  assert.deepEqual(heldIn(directory), []);
  rmdirSync(join(directory, 'index'));
  const store = await storeOf(directory, 2, 4);
  assert.equal(heldIn(directory).length, 3, 'two files and the lock');
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
  for (let number = 0; number < 40; number++) second.peer(nameOf(number));
  assert.equal(second.peerHas(second.peer('cc'.repeat(16)), key), false, 'a new one has nothing');
  await second.close();
});

test('the 33rd store takes the place of the one asked for longest ago, and of no other', async (t) => {
  const directory = directoryOf(t);
  const store = await storeOf(directory, 4, 4);
  put(store, 1);
  const key = digester.of(pageOf(1));
  const peers = Array.from({ length: 32 }, (_, number) => store.peer(nameOf(number)));
  for (const peer of peers) store.setPeerHas(peer, true, key);
  const has = (number: number): boolean => store.peerHas(store.peer(nameOf(number)), key);
  assert.ok(has(0), 'the first is asked for again');
  store.setPeerHas(store.peer(nameOf(32)), true, key);
  const [, second] = peers;
  assert.ok(second !== undefined && !store.peerHas(second, key), 'the second had to go');
  store.setPeerHas(second, true, key);
  store.peer(nameOf(33));
  assert.ok(has(32), 'the 34th does not take the place of the 33rd');
  store.setPeerHas(store.peer(nameOf(32)), false, key);
  store.setPeerHas(second, true, key);
  assert.ok(!has(32), 'what is said of one that had to go is said of nobody');
  for (const number of [0, 3, 31]) assert.ok(has(number), `${number} stays`);
  assert.ok(!has(33) && !has(2));
  await store.close();
  const again = await storeOf(directory, 4, 4);
  assert.ok(again.peerHas(again.peer(nameOf(0)), key), 'and over a restart');
  await again.close();
});

test('memory is what the tables take, whatever is on disk', { timeout: 120_000 }, (t) => {
  const directory = directoryOf(t);
  // Half a million entries, in a process that has no memory for an object each.
  const flags = ['--expose-gc', '--max-old-space-size=40', script('large-store.js'), directory];
  const ran = spawnSync(process.execPath, flags, { encoding: 'utf8' });
  assert.equal(ran.status, 0, ran.stderr);
  const said = JSON.parse(ran.stdout) as { bytesAnEntry: number; loaded: number; oldest: boolean };
  t.diagnostic(`${said.bytesAnEntry} bytes an entry`);
  assert.equal(said.loaded, 500_000);
  assert.ok(said.oldest, 'the order of use survives');
  assert.ok(said.bytesAnEntry > 20 && said.bytesAnEntry < 64, `${said.bytesAnEntry} bytes an entry`);
});

test('a full disk: the store goes on in memory, and says why', (t) => {
  const directory = directoryOf(t);
  const program = `${process.execPath} ${script('full-disk.js')}`;
  const inside = `mount -t tmpfs -o size=64k none ${directory} && exec ${program} ${directory}`;
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
