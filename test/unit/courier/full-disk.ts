/** `full-disk.js DIRECTORY`: a store in a file system that is too small for it; prints what became of it. */
import { Digester } from '../../../src/courier/store/digest.js';
import { PageStore } from '../../../src/courier/store/page-store.js';
import { PAGE_BYTES } from '../../../src/courier/stream/token.js';
import { systemClock } from '../../../src/net/system-clock.js';
import { until } from './couriers.js';
import { pageOf } from './streams.js';

const digester = new Digester('', PAGE_BYTES);
const store = await PageStore.open({
  pageBytes: PAGE_BYTES,
  memoryBytes: 40 * PAGE_BYTES,
  diskBytes: 400 * PAGE_BYTES,
  directory: process.argv[2],
  clock: systemClock,
});
for (let number = 0; number < 60; number++) store.put(digester.of(pageOf(number)), pageOf(number));
await until('the disk refuses', () => store.view().diskProblem !== null);
let kept = 0;
for (let number = 20; number < 60; number++) {
  const page = await store.fetch(digester.of(pageOf(number)), 0, digester);
  if (page?.equals(pageOf(number))) kept++;
}
const { diskProblem: problem, counters } = store.view();
await store.close();
process.stdout.write(JSON.stringify({ problem, kept, errors: counters.store_disk_errors }));
