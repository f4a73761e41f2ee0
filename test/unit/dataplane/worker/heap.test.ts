import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { compactHeap } from '../../../../src/dataplane/worker/heap.js';

const module = new URL('../../../../src/dataplane/worker/heap.js', import.meta.url).pathname;

/** Old objects of which one in six is left. A collection alone gives back a fiftieth of their pages. */
const program = `
  const { getHeapSpaceStatistics } = await import('node:v8');
  const { compactHeap } = await import('${module}');
  const oldBytes = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space').physical_space_size;
  let all = Array.from({ length: 300_000 }, (_, n) => ({ n, text: [n, n, n] }));
  gc();
  const full = oldBytes();
  const kept = all.filter(({ n }) => n % 6 === 0);
  all = undefined;
  compactHeap();
  const left = oldBytes();
  console.log(JSON.stringify({ full, left, sum: kept.reduce((sum, { n, text }) => sum + n - text[1], 0) }));
`;

test('what is left is moved together, and pages go back', () => {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--expose-gc', '--input-type=module', '--eval', program],
    { encoding: 'utf8' },
  );
  assert.equal(stderr, '');
  const { full, left, sum } = JSON.parse(stdout) as { full: number; left: number; sum: number };
  assert.equal(sum, 0);
  assert.ok(left < full * 0.7, `${left} of ${full}`);
});

test('without --expose-gc nothing happens', { skip: globalThis.gc !== undefined }, () => {
  assert.doesNotThrow(compactHeap);
});
