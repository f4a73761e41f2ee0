/** The benchmarks in a short form: that they run, measure something and leave nothing behind. Figures are not judged. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Measured } from '../../bench/failover/report.js';
import type { ClockReport } from '../../bench/lib/clock.js';
import type { ThroughputReport } from '../../bench/lib/report.js';
import type { SeriesResult } from '../../bench/migration/series.js';
import type { SilentResult, silentSummary } from '../../bench/migration/silent.js';
import { projectRoot } from '../lab/daemon.js';
import { run } from '../lab/shell.js';
import { cannotRun } from './support.js';

const limitMs = 120_000;

interface MigrationReport {
  readonly clock: ClockReport;
  readonly moves: readonly SeriesResult[];
  readonly silent: SilentResult & { readonly summary: ReturnType<typeof silentSummary> };
}

async function bench<T>(name: string, args: readonly string[]): Promise<{ report: T; said: string }> {
  const directory = mkdtempSync(join(tmpdir(), 'vine-bench-test-'));
  try {
    const file = join(directory, 'figures.json');
    const command = [`${projectRoot}scripts/bench`, name, ...args, '--json', file];
    const { status, stdout, stderr } = await run(command, { timeoutMs: limitMs });
    assert.equal(status, 0, `${stdout}\n${stderr}`);
    return { report: JSON.parse(readFileSync(file, 'utf8')) as T, said: stdout };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const namespaces = (): string[] => {
  try {
    return readdirSync('/var/run/netns').filter((name) => name.startsWith('vb'));
  } catch {
    return [];
  }
};

test('throughput: ours beside kernel forwarding', { skip: cannotRun }, async (t) => {
  const before = namespaces();
  const args =
    '--peers none --ours vine --kernel kernel --seconds 1 --repeat 1 --slow-pings 3 --routes 2000'.split(' ');
  const { report, said } = await bench<ThroughputReport>('throughput', args);
  for (const line of said.trim().split('\n')) t.diagnostic(line);
  assert.deepEqual(
    report.rows.map(({ name }) => name),
    ['kernel', 'vine'],
  );
  const [, vine] = report.rows;
  // All that was measured: how much of it the clock left to be judged is the machine's affair.
  const [run] = vine?.runs ?? [];
  assert.ok((run?.tcp1Mbit ?? 0) > 1);
  assert.ok((run?.rssMb ?? 0) > 1);
  assert.ok((run?.cpuPerGb ?? 0) > 0);
  assert.ok((run?.rttBusyMaxMs ?? 0) > 0);
  assert.ok((run?.rssRoutesMb ?? 0) > (run?.rssMb ?? 0));
  assert.ok((run?.updatesPerSecond ?? 0) > 0);
  for (const { runs } of report.rows)
    for (const { rttP50Ms = 0, rtt1sP50Ms = 0, rttBesideP50Ms = 0, ...more } of runs) {
      assert.ok(rttP50Ms > 0 && more.rttP99Ms >= rttP50Ms);
      assert.ok(rtt1sP50Ms > 0 && (more.rtt1sP99Ms ?? 0) >= rtt1sP50Ms);
      assert.ok(rttBesideP50Ms > 0 && (more.rttBesideP99Ms ?? 0) >= rttBesideP50Ms);
    }
  assert.ok((report.clock?.watchedMs ?? 0) > 0 && (report.clock?.usualNs.length ?? 0) > 0);
  const judged = report.verdicts.filter(({ verdict }) => verdict !== 'not measured');
  assert.ok(judged.some(({ figure }) => figure.startsWith('memory, ')));
  const left = namespaces().filter((name) => !before.includes(name));
  assert.deepEqual(left, []);
});

test('look-ups and updates', { skip: cannotRun }, async (t) => {
  const { report, said } = await bench<{ figures: { lookupHostNs: number }[] }>('fib', ['--routes', '1000']);
  for (const line of said.trim().split('\n')) t.diagnostic(line);
  for (const { lookupHostNs } of report.figures) assert.ok(lookupHostNs > 0);
});

test('moves, and a watch on the processors’ clock', { skip: cannotRun }, async (t) => {
  const args = '--delays 0 --moves 2 --consecutive 0 --burst 0 --silent 2'.split(' ');
  const { report, said } = await bench<MigrationReport>('migration', args);
  for (const line of said.trim().split('\n')) t.diagnostic(line);
  assert.ok(report.clock.watchedMs > 0 && report.clock.lowMs < report.clock.watchedMs);
  assert.ok(report.clock.usualNs.some((ns) => ns > 0));
  const [{ moves, broken } = { moves: [], broken: [] }] = report.moves;
  assert.ok(moves.length >= 2);
  for (const { allMs, lowClockMs } of moves) assert.ok(allMs >= 0 && lowClockMs >= 0);
  assert.deepEqual(broken, []);
  assert.deepEqual(
    report.silent.moves.map(({ trigger }) => trigger),
    ['search', 'search'],
  );
  assert.ok(report.silent.summary.all.median > 0);
});

test('failover: one fault of each kind, and hand-overs', { skip: cannotRun }, async (t) => {
  const args = '--kills 4 --handovers 2 --flows 10'.split(' ');
  const { report, said } = await bench<Omit<Measured, 'faults'>>('failover', args);
  for (const line of said.trim().split('\n')) t.diagnostic(line);
  assert.deepEqual(report.problems, []);
  assert.deepEqual(report.switches.map(({ fault }) => fault).sort(), ['kill', 'lan', 'stop', 'wan']);
  for (const { outageMs, resets } of report.switches) {
    assert.ok(outageMs > 1);
    assert.equal(resets, 0);
  }
  assert.equal(report.handOvers.length, 2);
});
