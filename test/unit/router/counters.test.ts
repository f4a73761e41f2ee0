/** Every counter has a class, and what is a loss is shown as one: in the log's summary and in the metrics. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { NEIGHBOUR_DROP_REASONS } from '../../../src/arp/frame.js';
import { PLANE_COUNTER_CLASSES } from '../../../src/dataplane/counters.js';
import { CounterClasses, type CounterTable } from '../../../src/net/counters.js';
import { CounterBoard } from '../../../src/router/view/counter-board.js';
import { COUNTER_CLASSES, MOBILITY_COUNTERS } from '../../../src/router/view/counter-classes.js';
import { DropSummary } from '../../../src/router/view/drop-summary.js';
import { Metrics } from '../../../src/router/view/metrics.js';
import { SimClock } from '../../support/sim-clock.js';
import { metricsSource } from './metrics-support.js';

const SOURCES = new URL('../../../../src/', import.meta.url);

/** The arguments of every call of a `count` or `add` of counters in a room. */
function countCalls(room: string): { readonly file: string; readonly argument: string }[] {
  const files = readdirSync(new URL(room, SOURCES), { encoding: 'utf8', recursive: true });
  return files
    .filter((file) => file.endsWith('.ts') && file !== 'counters.ts')
    .flatMap((file) => {
      const text = readFileSync(new URL(`${room}/${file}`, SOURCES), 'utf8');
      const calls = text.matchAll(/(?:\bcounters\.count|\bcounts\.add|\.count|[^.\w]count)\(/g);
      return [...calls].map(({ index, 0: call }) => ({
        file,
        argument: argumentOf(text, index + call.length),
      }));
    });
}

/** From behind the opening parenthesis to the closing one. */
function argumentOf(text: string, start: number): string {
  let depth = 1;
  for (let at = start; at < text.length; at++) {
    if (text[at] === '(') depth++;
    if (text[at] === ')' && --depth === 0) return text.slice(start, at);
  }
  return '';
}

/** The names that an argument can be: texts, and `start_${reason}` as `start_`, to be in a family. */
function namesIn(argument: string): string[] {
  const templates = [...argument.matchAll(/`([^`$]*)\$\{/g)].map(([, start = '']) => start);
  const plain = argument.replaceAll(/`[^`]*`/g, '');
  const texts = [...plain.matchAll(/'([^']*)'/g)].map(([, name = '']) => name).filter((name) => name !== '');
  return [...templates, ...texts];
}

function undeclared(room: string, table: CounterTable): string[] {
  const classes = new CounterClasses([table]);
  return countCalls(room).flatMap(({ file, argument }) =>
    namesIn(argument)
      .filter((name) => classes.of(name.replaceAll('-', '_')) === undefined)
      .map((name) => `${file}: ${name}`),
  );
}

test('every name that mobility counts is declared', () => {
  assert.ok(countCalls('mobility').length > 30, 'the calls are found');
  assert.deepEqual(undeclared('mobility', MOBILITY_COUNTERS), []);
});

test('this test finds a name that is not declared', () => {
  const { 'claims_refused_*': _, proxy_answers: __, ...rest } = MOBILITY_COUNTERS;
  const found = undeclared('mobility', rest).map((line) => line.split(': ')[1]);
  assert.ok(found.includes('claims_refused_') && found.includes('proxy_answers'), found.join());
});

const LOST = [
  'control_dropped_queue_full',
  'control_dropped_peer_not_up',
  'control_drop_malformed',
  'control_drop_other_epoch',
  'control_send_failed',
  'mobility_claims_refused_not_allowed',
  'mobility_own_claims_refused_frozen',
  'mobility_records_not_yours',
  'handshake_drop_unknown_key',
  'handshake_send_failed',
  'neighbour_send_errors',
  'lan_queue_drops',
  'tunnel_queue_drops',
  'messages_expired',
  'handshakes_bad_mac1',
  'messages_not_authentic',
  'no_session',
  'drop_no_route',
  ...NEIGHBOUR_DROP_REASONS.map((reason) => `drop_neighbour_${reason.replaceAll('-', '_')}`),
];
const PASSED = [
  'to_tunnel',
  'control_sent_ping',
  'control_received',
  'mobility_records_accepted',
  'mobility_records_stale',
  'mobility_frames_local',
  'lan_frames_received',
  'tunnel_trains_refused',
];

test('what is a loss is shown by its class, not by what its name looks like', async () => {
  const clock = new SimClock();
  const board = new CounterBoard(COUNTER_CLASSES);
  let counts: Record<string, number> = {};
  board.add({ counters: () => counts });
  let reported: Record<string, number> = {};
  const summary = new DropSummary(clock, board, (drops) => {
    reported = drops;
  });
  summary.start();
  counts = Object.fromEntries([...LOST, ...PASSED].map((name) => [name, 7]));
  clock.advance(10_000);
  assert.deepEqual(Object.keys(reported).sort(), [...LOST].sort());
  const { text } = await new Metrics(metricsSource({ board })).collect();
  const reasons = [...text.matchAll(/^vine_drops_total\{reason="(\w+)"\} 7$/gm)].map(([, reason]) => reason);
  assert.deepEqual(reasons.sort(), LOST.map((name) => name.replace(/^drop_/, '')).sort());
  summary.stop();
});

test('all that the data plane counts has a class', () => {
  for (const name of Object.keys(PLANE_COUNTER_CLASSES)) assert.notEqual(COUNTER_CLASSES.of(name), undefined);
  assert.equal(COUNTER_CLASSES.of('nobody_counts_this'), undefined);
});
