/** `killed-store.js DIRECTORY`: a store that has three pages on disk when its process is killed. */
import { Digester } from '../../../src/courier/store/digest.js';
import { PageStore } from '../../../src/courier/store/page-store.js';
import { PAGE_BYTES } from '../../../src/courier/stream/token.js';
import { systemClock } from '../../../src/net/system-clock.js';
import { until } from './couriers.js';
import { pageOf } from './streams.js';

const digester = new Digester('', PAGE_BYTES);
const store = await PageStore.open({
  pageBytes: PAGE_BYTES,
  memoryBytes: 10 * PAGE_BYTES,
  diskBytes: 10 * (PAGE_BYTES + 48),
  directory: process.argv[2],
  clock: systemClock,
});
for (const number of [1, 2, 3]) store.put(digester.of(pageOf(number)), pageOf(number));
await until('they are on disk', () => store.view().pagesOnDisk === 3);
process.kill(process.pid, 'SIGKILL');
