/** Dashboard and alerts are held against the code's metrics, the handbook, and Prometheus' own tool. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../../lab/daemon.js';
import { run } from '../../lab/shell.js';

const read = (path: string): string => readFileSync(join(projectRoot, path), 'utf8');
const directory = join(projectRoot, 'config/prometheus');
const dashboardText = read('config/grafana/vine-routers.json');
const alertText = read('config/prometheus/vine-alerts.yml');
const alertNames = [...alertText.matchAll(/^ +- alert: (\w+)$/gm)].map(([, name = '']) => name);

/** Names of all metrics that the code has. */
const known = [
  'metrics.ts',
  'metric-families.ts',
  'pair-families.ts',
  'network-families.ts',
  'traffic-families.ts',
].flatMap((file) =>
  [...read(`src/router/view/${file}`).matchAll(/'(vine_[a-z_]+)'/g)].map(([, name = '']) => name),
);
const promtool = [join(projectRoot, 'build/tools/promtool'), '/usr/bin/promtool'].find(existsSync) ?? '';
const noPromtool = promtool === '' ? 'needs promtool: scripts/setup --tests' : false;

/** Metrics named in a text, without what Prometheus appends to a histogram's name. */
function named(text: string): Set<string> {
  const names = text.match(/\bvine_[a-z_]+\b/g) ?? [];
  return new Set(names.map((name) => name.replace(/_bucket$/, '')));
}

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number };
  readonly targets?: readonly { readonly expr: string }[];
}
interface Dashboard {
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
}
const dashboard = JSON.parse(dashboardText) as Dashboard;

test('every metric that dashboard and alerts name is one that the code has', () => {
  assert.ok(known.length > 10, 'the code’s list was not found');
  for (const [where, text] of Object.entries({ dashboardText, alertText })) {
    const unknown = [...named(text)].filter((name) => !known.includes(name));
    assert.deepEqual(unknown, [], where);
  }
});

test('every metric that the code has is on the dashboard', () => {
  const shown = named(dashboardText);
  assert.deepEqual(
    known.filter((name) => !shown.has(name)),
    [],
  );
});

test('every alert is in the handbook, and the handbook has no others', () => {
  const inHandbook = [...read('docs/handbook.md').matchAll(/^### (Vine\w+)$/gm)].map(([, name = '']) => name);
  assert.ok(alertNames.length > 10);
  assert.deepEqual([...inHandbook].sort(), [...alertNames].sort());
});

test('every alert has a test in which it fires', () => {
  const tests = read('config/prometheus/vine-alerts.test.yml');
  const fired = [...tests.matchAll(/alertname: (\w+)\n +exp_alerts:\n +- exp_labels/g)].map(
    ([, name]) => name,
  );
  assert.deepEqual(new Set(fired), new Set(alertNames));
});

test('the dashboard’s panels have titles and do not lie on each other', () => {
  const taken = new Map<string, string>();
  for (const { title, type, gridPos } of dashboard.panels) {
    assert.ok(title.length > 0 && type.length > 0);
    assert.ok(gridPos.x + gridPos.w <= 24, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        const other = taken.get(`${x},${y}`);
        assert.equal(other, undefined, `${title} lies on ${other}`);
        taken.set(`${x},${y}`, title);
      }
    }
  }
});

test('promtool: the rules and the example configuration are good', { skip: noPromtool }, async () => {
  const rules = await run([promtool, 'check', 'rules', join(directory, 'vine-alerts.yml')]);
  assert.equal(rules.status, 0, rules.stderr);
  const config = await run([promtool, 'check', 'config', join(directory, 'prometheus.yml')]);
  assert.equal(config.status, 0, config.stderr);
});

test('promtool: alerts fire when they must, and only then', { skip: noPromtool }, async () => {
  const { status, stdout, stderr } = await run([
    promtool,
    'test',
    'rules',
    join(directory, 'vine-alerts.test.yml'),
  ]);
  assert.equal(status, 0, stdout + stderr);
});

/** Grafana's variables as values that Prometheus understands. */
function plainExpression(expr: string): string {
  return expr.replaceAll('$__rate_interval', '5m').replace(/\$(instance|peer)/g, '.*');
}

test('promtool: every expression of the dashboard is one', { skip: noPromtool }, async () => {
  const expressions = [
    ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ...dashboard.annotations.list.map(({ expr }) => expr),
  ];
  assert.ok(expressions.length > 30);
  const rules = expressions.map((expr, i) => ({ record: `expression_${i}`, expr: plainExpression(expr) }));
  // YAML takes JSON.
  const text = JSON.stringify({ groups: [{ name: 'dashboard', rules }] });
  const work = mkdtempSync('/tmp/vine-dashboard-');
  try {
    writeFileSync(join(work, 'dashboard.yml'), text);
    const { status, stderr } = await run([promtool, 'check', 'rules', join(work, 'dashboard.yml')]);
    assert.equal(status, 0, stderr);
  } finally {
    rmSync(work, { recursive: true });
  }
});
