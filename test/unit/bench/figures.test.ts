/** What the documents quote is what the kept runs say, and the verdicts are those of the figures. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { BEGIN, END, withFigures } from '../../../bench/lib/figures.js';
import type { Figures } from '../../../bench/lib/measured.js';
import { quoted } from '../../../bench/lib/quoted.js';
import type { Row } from '../../../bench/lib/report.js';
import { judge } from '../../../bench/lib/targets.js';

const FAST: Figures = {
  tcp1Mbit: 4000,
  tcp4Mbit: 4000,
  udpKpps: 100,
  udp4mKpps: 150,
  rttMeanMs: 0.15,
  rttP99Ms: 0.2,
  rttFloodMaxMs: 5,
  cpuPerGb: 2,
  rssMb: 110,
  idlePercent: 0.5,
  rttBusyMaxMs: 9,
  rssRoutesMb: 190,
  updatesPerSecond: 1000,
};
const SLOW: Figures = { ...FAST, tcp1Mbit: 1000, tcp4Mbit: 800, udp4mKpps: 50, rttMeanMs: 0.1 };

const row = (name: string, kind: Row['kind'], median: Figures): Row => {
  return { name, kind, detail: '', version: '', runs: [median], median };
};

const verdictsOf = (rows: readonly Row[]): Record<string, string> =>
  Object.fromEntries(judge(rows).map(({ figure, verdict }) => [figure, verdict]));

test('README and docs/performance.md quote exactly what bench/results holds', () => {
  for (const { file, path, text } of quoted())
    assert.equal(readFileSync(path, 'utf8'), text, `${file}: run scripts/bench figures`);
});

test('each figure is judged by its own limit, ratios by the best peer of the same run', () => {
  const rows = [row('kernel', 'kernel', { ...FAST, tcp1Mbit: 9e9 }), row('fastd', 'peer', SLOW)];
  const ours = verdictsOf([...rows, row('vine', 'ours', FAST), row('vine-aes', 'ours', FAST)]);
  assert.equal(ours['TCP, 1 stream, ChaCha20-Poly1305 over UDP'], 'holds');
  assert.equal(ours['TCP, 1 stream, AES-256-GCM over UDP'], 'FAILS');
  assert.equal(ours['TCP, 4 streams, AES-256-GCM over UDP'], 'holds');
  assert.equal(ours['TCP, 1 stream, over TCP'], 'not measured');
  assert.equal(ours['64-byte UDP received, 4 MB buffer'], 'holds');
  assert.equal(ours['ping, idle, mean'], 'holds');
  assert.equal(ours['ping, idle, p99'], 'holds');
  assert.equal(ours['ping under a TCP flood and 1,000 table updates/s, max'], 'holds');
  assert.equal(ours['memory, 100,000 host routes'], 'holds');
});

test('a limit that is met exactly: "below" fails, "at most" and "at least" hold', () => {
  const exact = { ...FAST, rttMeanMs: 1.5, rssMb: 120, rssRoutesMb: 250.1, rttBusyMaxMs: 10 };
  const ours = verdictsOf([
    row('fastd', 'peer', { ...SLOW, rttMeanMs: 1 }),
    row('tinc', 'peer', { ...SLOW, rttMeanMs: 2 }),
    row('vine', 'ours', exact),
  ]);
  assert.equal(ours['TCP, 1 stream, ChaCha20-Poly1305 over UDP'], 'holds');
  assert.equal(ours['ping, idle, mean'], 'holds');
  assert.equal(ours['memory of a router, no routes'], 'FAILS');
  assert.equal(ours['memory, 100,000 host routes'], 'FAILS');
  assert.equal(ours['ping under a TCP flood and 1,000 table updates/s, max'], 'FAILS');
});

test('a load of fewer table updates than asked for leaves the ping under it unjudged', () => {
  const ours = verdictsOf([row('vine', 'ours', { ...FAST, updatesPerSecond: 500 })]);
  assert.equal(ours['ping under a TCP flood and 1,000 table updates/s, max'], 'not measured');
});

test('figures go between their markers, and nowhere else', () => {
  assert.equal(withFigures(`a\n${BEGIN}\nold\n${END}\nb`, 'new'), `a\n${BEGIN}\nnew\n${END}\nb`);
  assert.throws(() => withFigures('no markers', 'new'));
  assert.throws(() => withFigures(`${BEGIN} ${BEGIN} ${END}`, 'new'));
});
