/** Sites and their routers, and the rate of this one over time. */
import type { PeerView, StatusView } from '../../api.js';
import { bytes, longDuration } from '../../units.js';
import { BYTE_STEPS, timeRange } from '../model/axes.js';
import { History } from '../model/history.js';
import { type PeerSample, type Rate, type RouterRow, ratesOf, routerRows, totalOf } from '../model/peers.js';
import { Chart, TIMES, timeAxis, valueAxis } from './chart.js';
import { byId, setNotes, setText } from './dom.js';
import { Table } from './table.js';

/** Ten minutes of looks. */
const MOST_POINTS = 300;
const LEAST_SECONDS = 60;

const rateText = (value: number | undefined): string =>
  value === undefined ? '' : `${bytes(Math.round(value))}/s`;

export class Routers {
  readonly #table: Table<RouterRow>;
  readonly #chart: Chart;
  readonly #history = new History(2, MOST_POINTS);
  #before: PeerSample | undefined;

  /** @param ping undefined: the page only looks */
  constructor(ping: ((router: string) => void) | undefined) {
    this.#table = new Table<RouterRow>(
      byId('router-table'),
      [
        { title: 'Site', text: ({ site }) => site },
        { title: 'Router', text: ({ id }) => id, names: true },
        {
          title: 'State',
          text: ({ state, active }) => (active ? state : `${state}, standby`),
          style: styleOf,
        },
        { title: 'Why', text: ({ reason }) => reason, style: () => 'long' },
        { title: 'Way', text: ({ transport }) => transport },
        {
          title: 'Round trip',
          text: ({ rttMs }) => (rttMs === null ? '' : `${rttMs.toFixed(1)} ms`),
          right: true,
        },
        {
          title: 'Loss',
          text: ({ lossPercent }) => (lossPercent === null ? '' : `${lossPercent} %`),
          right: true,
        },
        { title: 'Sent', text: ({ rate }) => rateText(rate?.sentPerSecond), right: true },
        { title: 'Received', text: ({ rate }) => rateText(rate?.receivedPerSecond), right: true },
        ...(ping === undefined
          ? []
          : [
              {
                title: 'Ping',
                text: ({ state }: RouterRow) => (state === 'this router' ? '' : 'Ping'),
                press: ({ id }: RouterRow) => ping(id),
              },
            ]),
      ],
      'no routers',
    );
    this.#chart = new Chart(byId('rate-chart'), (colour) => ({
      series: [
        TIMES,
        {
          label: 'sent',
          stroke: colour('accent'),
          width: 2,
          value: (_plot, value) => rateText(value ?? undefined),
        },
        {
          label: 'received',
          stroke: colour('group'),
          width: 2,
          dash: [6, 3],
          value: (_plot, value) => rateText(value ?? undefined),
        },
      ],
      scales: {
        x: { range: (_plot, least, most) => timeRange(least, most, LEAST_SECONDS) },
        y: { range: (_plot, _least, most) => [0, Math.max(1, (most ?? 0) * 1.1)] },
      },
      axes: [timeAxis(colour), valueAxis(colour, rateText, BYTE_STEPS)],
    }));
  }

  show(status: StatusView, peers: readonly PeerView[], atMs: number, wallMs: number): void {
    const now: PeerSample = { atMs, peers };
    const rates = ratesOf(this.#before, now);
    if (this.#before !== undefined) this.#point(wallMs, totalOf(rates.values()));
    this.#before = now;
    this.#table.show(routerRows(status, peers, rates));
    setText(byId('router'), status.id);
    setText(byId('state'), stateText(status));
    setNotes(byId('warnings'), status.warnings);
    document.title = `${status.id} · ViNe`;
  }

  #point(wallMs: number, { sentPerSecond, receivedPerSecond }: Rate): void {
    this.#history.add(wallMs, sentPerSecond, receivedPerSecond);
    const [times = [], sent = [], received = []] = this.#history.columns;
    this.#chart.show([[...times], [...sent], [...received]]);
  }
}

function stateText(status: StatusView): string {
  const { version, ready, uptimeSeconds, peersUp, peersTotal, nodesHere, nodesVisiting, nodesMissing } =
    status;
  const missing = nodesMissing > 0 ? `, ${nodesMissing} missing` : '';
  return `${version}, ${ready ? 'ready' : 'not ready'}, up ${longDuration(uptimeSeconds * 1000)}; ${peersUp} of ${peersTotal} peers up; ${nodesHere} nodes here, ${nodesVisiting} visiting${missing}`;
}

function styleOf({ state }: RouterRow): string {
  if (state === 'down' || state === 'refused') return 'bad';
  return state === 'connecting' ? 'warn' : 'good';
}
