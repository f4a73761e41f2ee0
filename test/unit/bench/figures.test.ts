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
  rtt1sMeanMs: 0.2,
  rtt1sP99Ms: 0.31,
  rttFloodMaxMs: 5,
  cpuPerGb: 2,
  rssMb: 95,
  idlePercent: 0.5,
  rttBusyMaxMs: 4.9,
  rssRoutesMb: 165,
  updatesPerSecond: 1000,
};
const SLOW: Figures = {
  ...{ ...FAST, tcp1Mbit: 1000, tcp4Mbit: 800, udp4mKpps: 50 },
  ...{ rttMeanMs: 0.1, rttP99Ms: 0.21, rtt1sMeanMs: 0.2, rtt1sP99Ms: 0.3 },
};

const row = (name: string, kind: Row['kind'], median: Figures): Row => {
  return { name, kind, detail: '', version: '', runs: [median], median };
};

const verdictsOf = (rows: readonly Row[]): Record<string, string> =>
  Object.fromEntries(judge(rows).map(({ figure, verdict }) => [figure, verdict]));

test('README and docs/performance.md quote exactly what bench/results holds', () => {
  for (const { file, path, text } of quoted())
    assert.equal(readFileSync(path, 'utf8'), text, `${file}: run scripts/bench figures`);
});

test('each figure is judged by its own limit, ratios by the best of the same run that it is compared with', () => {
  const rows = [
    row('kernel', 'kernel', { ...FAST, tcp1Mbit: 9e9, udp4mKpps: 187 }),
    row('vxlan', 'kernel', { ...FAST, tcp1Mbit: 11_000, tcp4Mbit: 12_000 }),
    row('fastd', 'peer', SLOW),
    row('wireguard-go@trixie', 'peer', { ...SLOW, tcp1Mbit: 1001, udp4mKpps: 70 }),
  ];
  const ours = verdictsOf([...rows, row('vine', 'ours', FAST), row('vine-aes', 'ours', FAST)]);
  assert.equal(ours['TCP, 1 stream, ChaCha20-Poly1305 over UDP'], 'holds');
  assert.equal(ours['TCP, 1 stream, AES-256-GCM over UDP'], 'FAILS');
  assert.equal(ours['TCP, 4 streams, AES-256-GCM over UDP'], 'holds');
  assert.equal(ours['TCP, 1 stream, AES-256-GCM over UDP, of kernel VXLAN'], 'holds');
  assert.equal(ours['TCP, 4 streams, AES-256-GCM over UDP, of kernel VXLAN'], 'FAILS');
  assert.equal(ours['TCP, 1 stream, over TCP'], 'not measured');
  assert.equal(ours['64-byte UDP received, 4 MB buffer, of kernel forwarding'], 'holds');
  assert.equal(ours['64-byte UDP received, 4 MB buffer, of fastd'], 'holds');
  assert.equal(ours['ping, idle, every 5 ms, mean'], 'FAILS');
  assert.equal(ours['ping, idle, every 5 ms, p99'], 'holds');
  assert.equal(ours['ping, idle, every 1 s, mean'], 'holds');
  assert.equal(ours['ping, idle, every 1 s, p99'], 'FAILS');
  assert.equal(ours['ping under a TCP flood and 1,000 table updates/s, max'], 'holds');
  assert.equal(ours['memory, 100,000 host routes'], 'holds');
});

test('a limit that is met exactly: "below" fails, "at most" and "at least" hold', () => {
  const exact = { ...FAST, tcp1Mbit: 2500, rttMeanMs: 1, rssMb: 100, rssRoutesMb: 170.1, rttBusyMaxMs: 5 };
  const ours = verdictsOf([
    row('fastd', 'peer', { ...SLOW, rttMeanMs: 1 }),
    row('tinc', 'peer', { ...SLOW, rttMeanMs: 2 }),
    row('vine', 'ours', exact),
  ]);
  assert.equal(ours['TCP, 1 stream, ChaCha20-Poly1305 over UDP'], 'holds');
  assert.equal(ours['ping, idle, every 5 ms, mean'], 'holds');
  assert.equal(ours['memory of a router, no routes'], 'FAILS');
  assert.equal(ours['memory, 100,000 host routes'], 'FAILS');
  assert.equal(ours['ping under a TCP flood and 1,000 table updates/s, max'], 'FAILS');
});

test('too few undisturbed repetitions of ours, or of one that it is compared with, hold nothing', () => {
  const figure = 'TCP, 1 stream, ChaCha20-Poly1305 over UDP';
  const vine = row('vine', 'ours', FAST);
  const peers = [row('fastd', 'peer', SLOW), row('tinc', 'peer', { ...SLOW, tcp1Mbit: 900 })];
  const few = (one: Row): Row => ({ ...one, tooFew: ['tcp1Mbit'] });
  assert.equal(verdictsOf([...peers, vine])[figure], 'holds');
  assert.equal(verdictsOf([...peers, few(vine)])[figure], 'not measured');
  assert.equal(verdictsOf([...peers.map(few), vine])[figure], 'not measured');
  assert.equal(verdictsOf([few(row('vxlan', 'kernel', SLOW)), ...peers, vine])[figure], 'holds');
  const other = 'TCP, 4 streams, ChaCha20-Poly1305 over UDP';
  assert.equal(verdictsOf([...peers, few(vine)])[other], 'holds');
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
