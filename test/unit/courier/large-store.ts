/** `large-store.js DIRECTORY`: a store whose index is full; prints what its tables take, and whether the order of use survives. */
import { randomBytes } from 'node:crypto';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PageStore } from '../../../src/courier/store/page-store.js';
import { PAGE_BYTES } from '../../../src/courier/stream/token.js';
import { systemClock } from '../../../src/net/system-clock.js';

const ENTRIES = 500_000;
const RECORD_BYTES = 48;
const directory = process.argv[2] ?? '';
const options = {
  pageBytes: PAGE_BYTES,
  memoryBytes: PAGE_BYTES,
  diskBytes: ENTRIES * (PAGE_BYTES + RECORD_BYTES),
  directory,
  clock: systemClock,
};

/** As a store would have written it: the later an entry is, the longer ago it was used. */
function fill(): void {
  const head = Buffer.alloc(4096);
  head.write('VINEPAGE', 'latin1');
  head.writeUInt32BE(1, 8);
  head.writeUInt32BE(PAGE_BYTES, 12);
  randomBytes(16).copy(head, 16);
  const records = randomBytes(ENTRIES * RECORD_BYTES);
  for (let entry = 0; entry < ENTRIES; entry++) {
    records.writeBigUInt64BE(BigInt(ENTRIES - entry), entry * RECORD_BYTES + 32);
    records.writeBigUInt64BE(0n, entry * RECORD_BYTES + 40);
  }
  writeFileSync(join(directory, 'index'), Buffer.concat([head, records]));
  last = Buffer.from(records.subarray(-RECORD_BYTES, -16));
}

/** Bytes of all arrays that are in use. Node.js is run with --expose-gc. */
async function tables(): Promise<number> {
  // What is garbage is given back beside the program.
  for (let round = 0; round < 5; round++) {
    globalThis.gc?.();
    await new Promise((done) => setTimeout(done, 20));
  }
  return process.memoryUsage().arrayBuffers;
}

let last = Buffer.alloc(0);
fill();
const before = await tables();
const first = await PageStore.open(options);
const bytes = (await tables()) - before;
const loaded = first.view().pagesOnDisk;
await first.close();
const second = await PageStore.open(options);
const wasThere = second.has(last);
// Each new one takes the place of the one used longest ago.
second.put(randomBytes(32), Buffer.alloc(PAGE_BYTES));
const oldest = wasThere && !second.has(last) && second.view().pages === ENTRIES;
await second.close();
const isWhole = statSync(join(directory, 'index')).size === 4096 + ENTRIES * RECORD_BYTES;
process.stdout.write(
  JSON.stringify({ bytesAnEntry: Math.round(bytes / ENTRIES), loaded, oldest: oldest && isWhole }),
);
