import assert from 'node:assert/strict';
import { test } from 'node:test';
import { largeInput } from '../../../../bench/advice/speed.js';
import { advise } from '../../../../src/traffic/advice/advise.js';
import { HYSTERESIS } from '../../../../src/traffic/advice/build.js';
import type { Advice, AdviceInput } from '../../../../src/traffic/advice/input.js';
import { OUTSIDE } from '../../../../src/traffic/matrix.js';
import { Random } from '../../../fuzz/random.js';
import { DAY_MS, HOUR_MS, inputOf, machine, NOW_MS, OPTIONS, talk } from './sample-input.js';

/** `n a>b` for each move, steps apart. */
const movesOf = (advice: Advice): string[] =>
  advice.steps.map(({ moves }) => moves.map(({ machine: n, from, to }) => `${n} ${from}>${to}`).join(', '));

const PAIR = {
  machines: [machine(1, 'a'), machine(2, 'b', { stays: 'pinned' })],
  pairs: [talk(1, 2, 24), talk(2, 1, 6)],
};

test('one move: what it saves, what it costs, when it has paid for itself', () => {
  const { steps, now, after, later } = advise(inputOf(PAIR), OPTIONS);
  assert.equal(later, 0);
  assert.deepEqual(now, { bytes: 30e9, value: 30e9 });
  assert.deepEqual(after, { bytes: 0, value: 0 });
  const [step] = steps;
  assert.ok(step !== undefined && steps.length === 1);
  assert.equal(step.kind, 'move');
  assert.deepEqual(step.moves, [
    { machine: 0, from: 'a', to: 'b', bytes: 1e9, seconds: 8, downtimeSeconds: 0, converges: true },
  ]);
  assert.deepEqual(step.saves, { bytes: 30e9, value: 30e9 });
  assert.deepEqual(step.costs, { bytes: 1e9, value: 1e9 });
  assert.equal(step.paidBackSeconds, 2_880);
});

test('the horizon: a move that does not pay within it, with something over, is not advised', () => {
  const paysAtMs = (DAY_MS / 30) * (1 + HYSTERESIS);
  const input = inputOf(PAIR);
  assert.deepEqual(advise(input, { ...OPTIONS, horizonMs: paysAtMs * 0.99 }).steps, []);
  assert.deepEqual(movesOf(advise(input, { ...OPTIONS, horizonMs: paysAtMs * 1.01 })), ['0 a>b']);
});

test('objectives: bytes, bytes by round trip, money', () => {
  // Between b and c it is far, and what leaves b is cheap.
  const machines = [machine(1, 'a'), machine(2, 'b', { stays: 'x' }), machine(3, 'c', { stays: 'x' })];
  const input = inputOf({
    machines,
    pairs: [talk(1, 2, 20), talk(1, 3, 21)],
    link: (from, to) => {
      const far = from !== 'a' && to !== 'a';
      return { rttMs: far ? 100 : 10, pricePerGb: from === 'b' ? 0.1 : 1 };
    },
  });
  assert.deepEqual(movesOf(advise(input, OPTIONS)), ['0 a>c']);
  const latency = advise(input, { ...OPTIONS, objective: 'latency' });
  assert.deepEqual(latency, { steps: [], now: latency.now, after: latency.now, later: 0, notes: [] });
  assert.deepEqual(latency.now, { bytes: 41e9, value: 410e9 });
  const cost = advise(input, { ...OPTIONS, objective: 'cost' });
  assert.deepEqual(movesOf(cost), ['0 a>b']);
  assert.ok(Math.abs(cost.now.value - 41) < 1e-9 && Math.abs(cost.after.value - 2.1) < 1e-9);
  assert.equal(cost.after.bytes, 21e9);
});

test('prices may differ by direction', () => {
  const link = (from: string): { pricePerGb: number } => ({ pricePerGb: from === 'a' ? 1 : 0 });
  const there = advise(inputOf({ ...PAIR, pairs: [talk(1, 2, 24)], link }), {
    ...OPTIONS,
    objective: 'cost',
  });
  assert.ok(Math.abs(there.now.value - 24) < 1e-9);
  const back = advise(inputOf({ ...PAIR, pairs: [talk(2, 1, 24)], link }), { ...OPTIONS, objective: 'cost' });
  assert.equal(back.now.value, 0);
});

const stepsOf = (input: AdviceInput, change = {}): string[] =>
  movesOf(advise(input, { ...OPTIONS, ...change }));

test('only where it may be: mobility.allow, capacity, memory', () => {
  const [mover, pinned] = PAIR.machines;
  assert.ok(mover !== undefined && pinned !== undefined);
  assert.deepEqual(
    stepsOf(inputOf({ ...PAIR, machines: [{ ...mover, allow: new Set(['a', 'c']) }, pinned] })),
    [],
  );
  assert.deepEqual(stepsOf(inputOf({ ...PAIR, machines: [{ ...mover, stays: 'a gateway' }, pinned] })), []);
  const full = (limit: object) => inputOf({ ...PAIR, sites: [{ id: 'a' }, { id: 'b', ...limit }] });
  assert.deepEqual(stepsOf(full({ nodes: 1 })), []);
  assert.deepEqual(stepsOf(full({ nodes: 2 })), ['0 a>b']);
  assert.deepEqual(stepsOf(full({ memoryBytes: 1.9e9 })), []);
  assert.deepEqual(stepsOf(full({ memoryBytes: 2e9 })), ['0 a>b']);
});

test('full sites exchange machines', () => {
  const machines = [
    machine(1, 'a'),
    machine(2, 'b'),
    machine(3, 'a', { stays: 'x' }),
    machine(4, 'b', { stays: 'x' }),
  ];
  const pairs = [talk(1, 4, 20), talk(2, 3, 20)];
  const sites = [
    { id: 'a', nodes: 2 },
    { id: 'b', nodes: 2 },
  ];
  const { steps } = advise(inputOf({ machines, pairs, sites }), OPTIONS);
  assert.deepEqual(
    steps.map(({ kind }) => kind),
    ['swap'],
  );
  assert.equal(steps[0]?.saves.bytes, 40e9);
});

test('a group goes as a whole where none would go alone', () => {
  // Four that talk with each other at a, and each a little less with somebody at b.
  const four = [1, 2, 3, 4];
  const machines = [...four.map((n) => machine(n, 'a')), machine(9, 'b', { stays: 'x' })];
  const pairs = [
    ...four.flatMap((n) => four.flatMap((other) => (n < other ? [talk(n, other, 10)] : []))),
    ...four.map((n) => talk(n, 9, 8)),
  ];
  const { steps } = advise(inputOf({ machines, pairs }), OPTIONS);
  assert.deepEqual(
    steps.map(({ kind, moves }) => [kind, moves.length]),
    [['group', 4]],
  );
  assert.equal(steps[0]?.costs.bytes, 4e9);
  const held = advise(inputOf({ machines, pairs }), { ...OPTIONS, most: 3 });
  assert.deepEqual([held.steps.length, held.later], [0, 4], 'half a group is no advice');
});

test('machines that stay together move together; those that are to be apart never meet', () => {
  const machines = [machine(1, 'a'), machine(2, 'a'), machine(9, 'b', { stays: 'x' })];
  const pairs = [talk(1, 9, 20)];
  assert.deepEqual(stepsOf(inputOf({ machines, pairs })), ['0 a>b']);
  assert.deepEqual(stepsOf(inputOf({ machines, pairs, together: [[0, 1]] })), ['0 a>b, 1 a>b']);
  assert.deepEqual(stepsOf(inputOf({ machines, pairs, apart: [[0, 2]] })), []);
  const torn = inputOf({ machines, pairs, together: [[0, 2]] });
  assert.deepEqual(stepsOf(torn), [], 'who is to be together and is not moves nowhere');
  const three = [...machines, machine(3, 'a')];
  const chained = inputOf({
    machines: three,
    pairs,
    together: [
      [0, 1],
      [1, 3],
    ],
  });
  assert.deepEqual(stepsOf(chained), ['0 a>b, 1 a>b, 3 a>b'], 'lists that share a machine are one');
});

test('what does not hold as asked is said', () => {
  const machines = [machine(1, 'a'), machine(2, 'b'), machine(3, 'a')];
  const { notes } = advise(inputOf({ machines, pairs: [], together: [[0, 1]], apart: [[0, 2]] }), OPTIONS);
  assert.equal(notes.length, 2);
  assert.match(notes[0] ?? '', /10\.1\.0\.1, 10\.1\.0\.2 are to stay together and are at a, b/);
  assert.match(notes[1] ?? '', /10\.1\.0\.1, 10\.1\.0\.3 are to stay apart/);
});

test('a machine rests for an hour, and does not go back within the horizon', () => {
  const [mover, other] = PAIR.machines;
  assert.ok(mover !== undefined && other !== undefined);
  const moved = (agoMs: number, from: string): string[] =>
    stepsOf(
      inputOf({ ...PAIR, machines: [{ ...mover, pastMoves: [{ atMs: NOW_MS - agoMs, from }] }, other] }),
    );
  assert.deepEqual(moved(HOUR_MS - 1, 'c'), []);
  assert.deepEqual(moved(HOUR_MS, 'c'), ['0 a>b']);
  assert.deepEqual(moved(DAY_MS - 1, 'b'), [], 'it came from there less than a horizon ago');
  assert.deepEqual(moved(DAY_MS, 'b'), ['0 a>b']);
  const round = [
    { atMs: NOW_MS - 20 * HOUR_MS, from: 'b' },
    { atMs: NOW_MS - 2 * HOUR_MS, from: 'c' },
  ];
  assert.deepEqual(
    stepsOf(inputOf({ ...PAIR, machines: [{ ...mover, pastMoves: round }, other] })),
    [],
    'nor by a detour',
  );
});

test("a visiting machine's traffic to the outside goes by way of its home: moving home saves it", () => {
  const input = inputOf({
    machines: [machine(1, 'b')],
    pairs: [talk(1, OUTSIDE, 24, 'ba'), talk(OUTSIDE, 1, 24, 'ab')],
  });
  const { steps, now } = advise(input, OPTIONS);
  assert.equal(now.bytes, 48e9);
  assert.deepEqual(movesOf({ steps } as Advice), ['0 b>a']);
});

test('where a machine is counts, not where it was when it talked; all its addresses are it', () => {
  const two = machine(1, 'b', { addresses: ['10.1.0.1', 'fd00:1::1'] });
  const pairs = [talk(1, 2, 24, 'ab'), talk('fd00:1::1', 2, 24, 'ab')];
  const { now } = advise(inputOf({ machines: [two, machine(2, 'b')], pairs }), OPTIONS);
  assert.equal(now.bytes, 0);
  const { steps } = advise(
    inputOf({ machines: [{ ...two, site: 'a' }, machine(2, 'b', { stays: 'x' })], pairs }),
    OPTIONS,
  );
  assert.equal(steps[0]?.saves.bytes, 48e9);
});

/** As an operator who does what is advised, at once. */
function follow(input: AdviceInput, advice: Advice, nowMs: number): AdviceInput {
  const machines = [...input.machines];
  for (const { moves } of advice.steps)
    for (const { machine: n, from, to } of moves) {
      const moved = machines[n];
      if (moved === undefined) continue;
      const pastMoves = [...(moved.pastMoves ?? []), { atMs: nowMs, from }];
      machines[n] = { ...moved, site: to, pastMoves };
    }
  return { ...input, machines };
}

function randomInput(random: Random): AdviceInput {
  const machines = Array.from({ length: 30 }, (_, n) => machine(n, random.pick(['a', 'b', 'c'])));
  const pairs = Array.from({ length: 120 }, () => {
    const from = random.below(30);
    const same = random.chance(70);
    return talk(
      from,
      same ? from - (from % 5) + random.below(5) : random.below(30),
      random.below(same ? 30 : 5),
    );
  }).filter(({ source, destination }) => source !== destination);
  const sites = ['a', 'b', 'c'].map((id) => ({ id, nodes: 14 }));
  return inputOf({ machines, pairs, sites, apart: [[0, 5, 10]] });
}

test('followed step by step, a few at a time: each step pays, nobody goes back, and it comes to an end', () => {
  const random = new Random(23);
  for (let round = 0; round < 8; round++) {
    let input = randomInput(random);
    const left = new Set<string>();
    let again = 0;
    let bytes = Number.POSITIVE_INFINITY;
    for (let hour = 0; ; hour++) {
      const nowMs = NOW_MS + 2 * hour * HOUR_MS;
      const advice = advise(input, { ...OPTIONS, most: 4, nowMs });
      if (advice.steps.length === 0) break;
      assert.ok(hour < 30, 'it never ends');
      assert.ok(advice.after.bytes < advice.now.bytes && advice.now.bytes <= bytes);
      bytes = advice.after.bytes;
      const promised = advice.steps.reduce((sum, { saves }) => sum + saves.bytes, 0);
      assert.ok(Math.abs(promised - (advice.now.bytes - advice.after.bytes)) < 1e-3);
      for (const step of advice.steps) {
        assert.ok(step.paidBackSeconds * 1000 * (1 + HYSTERESIS) <= DAY_MS);
        for (const { machine: n, from, to } of step.moves) {
          assert.ok(!left.has(`${n} ${to}`), `machine ${n} goes back to ${to}`);
          if ([...left].some((place) => place.startsWith(`${n} `))) again++;
          left.add(`${n} ${from}`);
        }
      }
      assert.ok(advice.steps.reduce((sum, { moves }) => sum + moves.length, 0) <= 4);
      input = follow(input, advice, nowMs);
    }
    assert.ok(again <= 2, `${again} of 30 machines have moved more than once`);
    for (const id of ['a', 'b', 'c']) {
      const there = input.machines.filter(({ site }) => site === id).length;
      assert.ok(there <= 14 || there <= randomInputCount(input, id));
    }
  }
});

/** Never reached with the limits above, but a site may have more than its limit at the start. */
function randomInputCount(input: AdviceInput, id: string): number {
  return input.machines.filter(({ site, pastMoves }) => (pastMoves?.[0]?.from ?? site) === id).length;
}

test('no machines, no traffic', () => {
  assert.deepEqual(advise(inputOf({ machines: [], pairs: [] }), OPTIONS), {
    steps: [],
    now: { bytes: 0, value: 0 },
    after: { bytes: 0, value: 0 },
    later: 0,
    notes: [],
  });
});

test('a machine that writes faster than is sent is told so', () => {
  const [mover, other] = PAIR.machines;
  assert.ok(mover !== undefined && other !== undefined);
  const busy = { ...mover, load: { memoryBytes: 1e9, dirtyBytesPerSecond: 400e6, diskBytes: 0 } };
  const { steps } = advise(inputOf({ ...PAIR, machines: [busy, other] }), OPTIONS);
  assert.equal(steps[0]?.moves[0]?.converges, false);
});

test('1,000 machines at 50 sites: full or not, a few seconds of processor time at the very most', () => {
  for (const isTight of [false, true]) {
    const input = largeInput(1, 1_000, 50, isTight);
    const used = process.cpuUsage();
    const { steps, now, after } = advise(input, { ...OPTIONS, most: 20 });
    const { user, system } = process.cpuUsage(used);
    assert.ok(steps.length > 0 && after.bytes < now.bytes);
    // Measured and judged in scripts/bench advice: under one.
    assert.ok((user + system) / 1e6 < 5, `${(user + system) / 1e6} s`);
  }
});
