import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expose, type MetricFamily } from '../../../src/router/view/exposition.js';

const family = (more: Partial<MetricFamily>): MetricFamily => ({
  name: 'vine_x',
  type: 'gauge',
  help: 'What it is',
  labels: [],
  rows: () => [[[], 1]],
  ...more,
});

test('the text format: help, type, labels in their order, values', async () => {
  const text = await expose(
    [
      family({}),
      family({
        name: 'vine_y_total',
        type: 'counter',
        labels: ['peer', 'direction'],
        rows: () => [
          [['vr-a', 'sent'], 12.5],
          [['vr-a', 'received'], 1e21],
        ],
      }),
      family({ name: 'vine_none', labels: ['a'], rows: () => [] }),
    ],
    async () => {},
  );
  assert.equal(
    text,
    `# HELP vine_x What it is
# TYPE vine_x gauge
vine_x 1
# HELP vine_y_total What it is
# TYPE vine_y_total counter
vine_y_total{peer="vr-a",direction="sent"} 12.5
vine_y_total{peer="vr-a",direction="received"} 1e+21
# HELP vine_none What it is
# TYPE vine_none gauge
`,
  );
});

test('what would end a line or a label early is escaped', async () => {
  const rows = (): MetricFamily['rows'] => () => [[['a"b\\c\nd'], 1]];
  const text = await expose([family({ help: 'a\\b\nc', labels: ['l'], rows: rows() })], async () => {});
  assert.equal(text, '# HELP vine_x a\\\\b\\nc\n# TYPE vine_x gauge\nvine_x{l="a\\"b\\\\c\\nd"} 1\n');
});

test('others get a turn after every 200 rows', async () => {
  let turns = 0;
  const many = family({ labels: ['n'], rows: () => Array.from({ length: 1_000 }, (_, n) => [[`${n}`], n]) });
  await expose([many, many], async () => {
    turns++;
  });
  assert.equal(turns, 10);
});
