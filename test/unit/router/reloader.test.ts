import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import type { LoadOutcome, VineConfig } from '../../../src/config/load.js';
import { Readiness } from '../../../src/router/life/readiness.js';
import type { Prepared } from '../../../src/router/reload/prepared.js';
import { Reloader } from '../../../src/router/reload/reloader.js';
import { EventHub } from '../../../src/router/view/event-hub.js';
import { SimClock } from '../../support/sim-clock.js';
import { parse, sample } from '../config/sample.js';

type Level = 'info' | 'debug' | 'warn' | 'error';

function configOf(level: Level): VineConfig {
  const files = sample();
  files.router.log = { level };
  const parsed = parse(files);
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  return { ...parsed.value, privateKey: new Uint8Array(32), presharedKeys: new Map() };
}

/** A router that runs with `info`, and whose files say what `files` is set to. */
class Bench {
  readonly clock = new SimClock();
  readonly events: string[] = [];
  files: LoadOutcome = { config: configOf('debug'), warnings: [] };
  applied: string[] = [];
  abandoned = 0;
  readonly readiness = new Readiness();
  problem: string | undefined;
  prepared: Promise<void> = Promise.resolve();
  readonly reloader: Reloader;

  constructor() {
    this.readiness.begin();
    const hub = new EventHub(pino({ enabled: false }), this.clock);
    hub.subscribe(({ event }) => this.events.push(event));
    this.reloader = new Reloader({
      clock: this.clock,
      hub,
      config: configOf('info'),
      warnings: ['of the start'],
      load: () => this.files,
      prepare: (_before, after, lenient) => this.#prepare(after, lenient),
      readiness: this.readiness,
    });
  }

  async #prepare(after: VineConfig, lenient: boolean): Promise<Prepared | string> {
    await this.prepared;
    if (this.problem !== undefined && !lenient) return this.problem;
    return {
      commit: () => void this.applied.push(after.router.log.level),
      abandon: () => void this.abandoned++,
    };
  }

  say(level: Level): void {
    this.files = { config: configOf(level), warnings: [`of ${level}`] };
  }

  reload(more: { dryRun?: boolean; confirmSeconds?: number } = {}): ReturnType<Reloader['reload']> {
    return this.reloader.reload({ dryRun: more.dryRun ?? false, confirmSeconds: more.confirmSeconds });
  }

  /** Advances, and lets what was set off come to its end. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function errorOf(answer: ReturnType<Reloader['reload']>): Promise<string | undefined> {
  const given = await answer;
  return 'error' in given ? given.error : undefined;
}

test('a reload applies the difference and says what it was', async () => {
  const bench = new Bench();
  bench.say('debug');
  assert.deepEqual(await bench.reload(), {
    applied: true,
    changes: [
      { file: 'router.json', thing: 'setting', name: 'log.level', change: 'changed', detail: 'info → debug' },
    ],
    warnings: ['of debug'],
    confirmBefore: null,
  });
  assert.deepEqual([bench.applied, bench.events], [['debug'], ['reload_applied']]);
  assert.deepEqual(bench.reloader.warnings(), ['of debug']);
  const again = await bench.reload();
  assert.ok('applied' in again && !again.applied && again.changes.length === 0);
});

test('a dry run shows the same and changes nothing', async () => {
  const bench = new Bench();
  const answer = await bench.reload({ dryRun: true, confirmSeconds: 5 });
  assert.ok('applied' in answer && !answer.applied && answer.changes.length === 1);
  assert.deepEqual([bench.applied, bench.events], [[], []]);
  assert.deepEqual(bench.reloader.warnings(), ['of the start']);
});

test('mistakes, fixed things and what cannot be had are refused; nothing has changed then', async () => {
  const bench = new Bench();
  bench.files = { errors: [{ file: 'gndt.json', path: 'routers', message: 'bad' }] };
  assert.deepEqual(await bench.reload(), {
    error: 'gndt.json: routers: bad',
    errors: [{ file: 'gndt.json', path: 'routers', message: 'bad' }],
  });
  const other = configOf('debug');
  bench.files = { config: { ...other, router: { ...other.router, stateDir: '/x' } }, warnings: [] };
  assert.equal(
    await errorOf(bench.reload()),
    'router.json: stateDir: the state directory cannot change while the router runs; restart it (systemctl restart vined)',
  );
  bench.say('debug');
  bench.problem = 'the port is taken';
  assert.equal(await errorOf(bench.reload()), 'the port is taken');
  bench.readiness.end();
  assert.equal(await errorOf(bench.reload()), 'the router is not ready yet, or stopping');
  assert.deepEqual(bench.applied, []);
  assert.deepEqual(bench.reloader.warnings(), ['of the start']);
  assert.deepEqual(bench.events, new Array(4).fill('reload_refused'));
});

test('one reload at a time; one that the stop overtakes lets go of what it made ready', async () => {
  const bench = new Bench();
  let proceed = (): void => {};
  bench.prepared = new Promise((resolve) => {
    proceed = resolve;
  });
  const first = bench.reload();
  assert.equal(await errorOf(bench.reload()), 'another reload is under way');
  bench.readiness.end();
  proceed();
  assert.equal(await errorOf(first), 'the router is stopping');
  assert.deepEqual([bench.applied, bench.abandoned], [[], 1]);
});

test('unconfirmed: undone when the time is over, not a millisecond earlier', async () => {
  const bench = new Bench();
  const answer = await bench.reload({ confirmSeconds: 60 });
  assert.ok('confirmBefore' in answer && answer.confirmBefore === '2026-01-01T00:01:00.000Z');
  assert.deepEqual(bench.reloader.warnings().slice(-1), [
    'a reload is undone at 2026-01-01T00:01:00.000Z unless "vinectl confirm" comes before',
  ]);
  await bench.pass(59_999);
  assert.deepEqual(bench.applied, ['debug']);
  bench.problem = 'the port is taken'; // going back must not fail for that
  await bench.pass(1);
  assert.deepEqual(bench.applied, ['debug', 'info']);
  assert.deepEqual(bench.events, ['reload_applied', 'reload_undone']);
  assert.deepEqual(bench.reloader.warnings(), [
    'of the start',
    'a reload was not confirmed in time: the router runs with the configuration of before, not with what the files say',
  ]);
  assert.equal(bench.reloader.confirm(), 'no reload waits to be confirmed');
  bench.problem = undefined;
  await bench.reload();
  assert.deepEqual(bench.reloader.warnings().length, 0);
});

test('confirmed: it stays', async () => {
  const bench = new Bench();
  await bench.reload({ confirmSeconds: 60 });
  await bench.pass(59_999);
  assert.deepEqual(bench.reloader.confirm(), { confirmed: true });
  await bench.pass(1_000_000);
  assert.deepEqual([bench.applied, bench.events], [['debug'], ['reload_applied', 'reload_confirmed']]);
});

test('a second reload with a time keeps the first way back; one without is refused until it is confirmed', async () => {
  const bench = new Bench();
  await bench.reload({ confirmSeconds: 60 });
  bench.say('warn');
  assert.equal(
    await errorOf(bench.reload()),
    'a reload waits to be confirmed: "vinectl confirm" first, or reload with --confirm again',
  );
  await bench.pass(30_000);
  await bench.reload({ confirmSeconds: 60 });
  await bench.pass(59_999);
  assert.deepEqual(bench.applied, ['debug', 'warn']);
  await bench.pass(1);
  assert.deepEqual(bench.applied, ['debug', 'warn', 'info']);
});

test('what fails while a configuration is made ready is a refusal, not the end of the router', async () => {
  const bench = new Bench();
  bench.say('debug');
  bench.prepared = Promise.reject(new Error('no more processes'));
  assert.equal(await errorOf(bench.reload()), 'no more processes');
  assert.deepEqual(bench.applied, []);
  bench.prepared = Promise.resolve();
  assert.equal(await errorOf(bench.reload({ confirmSeconds: 60 })), undefined, 'the next one is taken');
  bench.prepared = Promise.reject(new Error('no more processes'));
  await bench.pass(60_000);
  await bench.pass(0);
  assert.equal(bench.events.at(-1), 'reload_undo_failed');
});
