/** An advice as the page shows it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AdviceView, adviceNotes } from '../../../../src/control/advice-view.js';
import { adviceRows, adviceSum } from '../../../../src/control/web/model/advice.js';

const ADVICE: AdviceView = {
  objective: 'traffic',
  unit: 'bytes',
  horizonSeconds: 86_400,
  traffic: { from: 'then', to: 'now', partial: false, shareOfBytes: 1 },
  now: { bytes: 2_048, value: 2_048 },
  after: { bytes: 512, value: 512 },
  steps: [
    {
      kind: 'swap',
      moves: ['10.1.0.1', '10.1.0.2'].map((ip) => ({
        vnet: 'blue',
        ips: [ip],
        mac: '52:54:00:00:00:01',
        from: 'vr-a',
        to: 'vr-b',
        bytes: 1,
        seconds: 2,
        downtimeSeconds: 0.1,
        converges: true,
        assumed: true,
      })),
      saves: { bytes: 1_536, value: 1_536 },
      costs: { bytes: 2, value: 2 },
      paidBackSeconds: 60,
    },
  ],
  later: 3_000,
  staying: [
    { why: 'pinned', machines: 1 },
    { why: 'frozen', machines: 2 },
  ],
  notes: ['a note'],
};

test('an advice: a line a move, what a step has as a whole once', () => {
  assert.deepEqual(
    adviceRows(ADVICE).map(({ step, isFirst, saves, costs, paidBackMs, move: { ips } }) => [
      step,
      isFirst,
      ips[0],
      saves,
      costs,
      paidBackMs,
    ]),
    [
      [1, true, '10.1.0.1', '1.5 KiB', '2 B', 60_000],
      [1, false, '10.1.0.2', '', '', undefined],
    ],
  );
  assert.equal(adviceRows({ ...ADVICE, objective: 'cost' })[0]?.saves, '1.5 KiB, 1536.00');
  assert.equal(adviceSum(ADVICE), 'Between sites 2.0 KiB a day; with these moves 512 B, 75.0 % less.');
  assert.equal(adviceSum({ ...ADVICE, steps: [] }), 'Between sites 2.0 KiB a day; no move pays.');
});

test('what is to be known of an advice stands below it, on the page as in vinectl', () => {
  const [step] = ADVICE.steps;
  const [move] = step?.moves ?? [];
  assert.ok(step !== undefined && move !== undefined);
  const lan = /^traffic within a LAN is counted only where exporters or sensors tell of it/;
  const notes = adviceNotes(ADVICE);
  assert.match(notes[1] ?? '', lan);
  assert.deepEqual(notes.toSpliced(1, 1), [
    '* memory or dirty rate are assumed: say in advice.json what they are ("machines")',
    '3,000 more machines would gain: ask again when these have moved',
    '1 machine stays: pinned',
    '2 machines stay: frozen',
    'note: a note',
    'traffic from then to now',
  ]);
  const endless = { ...ADVICE, steps: [{ ...step, moves: [{ ...move, converges: false, assumed: false }] }] };
  assert.equal(
    adviceNotes(endless)[0],
    '10.1.0.1 writes to its memory faster than it can be sent: it would be stopped early, and stand still',
  );
  assert.deepEqual(adviceNotes({ ...ADVICE, steps: [], later: 0, staying: [], notes: [] }), [
    'traffic from then to now',
  ]);
});
