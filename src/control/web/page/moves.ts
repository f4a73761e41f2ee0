/** Moves over time, one a line, and the steps of the one that is chosen. */
import type { MigrationView } from '../../api.js';
import { counted, milliseconds, preciseTime } from '../../units.js';
import { timeRange } from '../model/axes.js';
import { moveKey, movePoints, moveSentence, newestFirst, stepBars } from '../model/moves.js';
import { Chart, TIMES, timeAxis, valueAxis } from './chart.js';
import { byId, element, setText } from './dom.js';
import { Table } from './table.js';

const STYLES: Readonly<Record<MigrationView['verdict'], string>> = {
  accepted: 'good',
  claiming: 'warn',
  refused: 'bad',
  undone: 'bad',
};

/** Room beside the first and the last move, and what is shown of one alone. */
const MARGIN_SHARE = 0.02;
const LEAST_SECONDS = 60;

const inMs = (value: number): string => `${value} ms`;

function moveRange(_plot: unknown, least: number | null, most: number | null): [number, number] {
  const [from, to] = timeRange(least, most, LEAST_SECONDS);
  const margin = (to - from) * MARGIN_SHARE;
  return [from - margin, to + margin];
}

export class Moves {
  readonly #table: Table<MigrationView>;
  readonly #chart: Chart;
  /** Undefined: this is the first look, at what has been. */
  #known: ReadonlySet<string> | undefined;
  #chosen: string | undefined;

  constructor() {
    this.#table = new Table<MigrationView>(
      byId('move-table'),
      [
        { title: 'Time', text: ({ startedAt }) => preciseTime(startedAt) },
        { title: 'Node', text: ({ ips, mac }) => ips.join(', ') || mac, names: true },
        { title: 'Vnet', text: ({ vnet }) => vnet },
        { title: 'From', text: ({ from }) => from ?? '' },
        { title: 'To', text: ({ to }) => to },
        { title: 'Verdict', text: ({ verdict }) => verdict, style: ({ verdict }) => STYLES[verdict] },
        { title: 'Why', text: ({ reason, trigger }) => reason || trigger, style: () => 'long' },
        {
          title: 'Blackout',
          text: ({ blackoutUs }) => (blackoutUs === null ? '' : `${milliseconds(blackoutUs)} ms`),
          right: true,
        },
        {
          title: 'Steps',
          text: ({ steps }) => (steps.length === 0 ? '' : counted(steps.length, 'step')),
          press: (move) => this.#choose(move),
        },
      ],
      'no moves yet',
    );
    this.#chart = new Chart(byId('move-chart'), (colour) => ({
      series: [
        TIMES,
        {
          label: 'blackout',
          stroke: colour('accent'),
          paths: () => null,
          points: { show: true, size: 8, fill: colour('accent') },
          value: (_plot, value) => (value === null ? '' : inMs(value)),
        },
        {
          label: 'blackout not known here',
          stroke: colour('dim'),
          paths: () => null,
          points: { show: true, size: 8 },
          value: () => '',
        },
      ],
      scales: { x: { range: moveRange }, y: { distr: 3 } },
      axes: [timeAxis(colour), valueAxis(colour, inMs)],
    }));
  }

  show(moves: readonly MigrationView[]): void {
    const sorted = newestFirst(moves);
    this.#table.show(sorted);
    this.#chart.show(movePoints(moves));
    this.#tell(sorted);
    const chosen = sorted.find((move) => moveKey(move) === this.#chosen);
    if (chosen !== undefined) this.#showSteps(chosen);
  }

  /** To who hears the page: what is new. */
  #tell(sorted: readonly MigrationView[]): void {
    const known = this.#known;
    const fresh = known === undefined ? [] : sorted.filter((move) => !known.has(moveKey(move)));
    this.#known = new Set(sorted.map(moveKey));
    if (fresh.length > 0) byId('news').textContent = fresh.slice(0, 3).map(moveSentence).join(' ');
  }

  #choose(move: MigrationView): void {
    this.#chosen = moveKey(move);
    this.#showSteps(move);
    byId('move-steps').focus();
  }

  #showSteps(move: MigrationView): void {
    byId('move-steps').hidden = false;
    setText(byId('step-title'), `${move.ips.join(', ')} to ${move.to}, ${preciseTime(move.startedAt)}`);
    const list = byId('step-list');
    const bars = stepBars(move);
    const text = bars.map(({ step, atMs }) => `${step} ${atMs}`).join();
    if (list.dataset.shown === text) return;
    list.dataset.shown = text;
    list.replaceChildren(
      ...bars.map(({ step, atMs, from, to }) => {
        const bar = element('span', { class: 'bar' });
        bar.style.left = `${from * 100}%`;
        bar.style.width = `${(to - from) * 100}%`;
        const track = element('span', { class: 'track', 'aria-hidden': 'true' }, bar);
        return element(
          'li',
          {},
          element('span', {}, step),
          element('span', { class: 'at' }, `${atMs.toFixed(3)} ms`),
          track,
        );
      }),
    );
  }
}
