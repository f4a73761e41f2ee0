/** Who talks to whom, for people. */
import type { TrafficPartView, TrafficRowView, TrafficView } from '../../control/traffic-view.js';
import { bytes, count, time } from '../../control/units.js';
import { type Column, clean, type Look, table } from './text.js';

export function showTraffic(view: TrafficView, look: Look): string {
  const { paint } = look;
  const head = [
    `${paint('bold', 'Traffic')} from ${time(view.from)} to ${time(view.to)}: ${periodsText(view)}`,
    ...(view.missing.length === 0
      ? []
      : [paint('yellow', `partial: no whole answer from ${clean(view.missing.join(', '))}`)]),
    ...(view.lacking.length === 0
      ? []
      : [paint('yellow', `partial: ${view.lacking.map(lackingText(view)).join(', ')}`)]),
  ];
  return `${head.map((line) => `${line}\n`).join('')}${view.parts.map((part) => partText(view, part, look)).join('')}`;
}

function periodsText({ periods, periodSeconds, mode, weight }: TrafficView): string {
  const many =
    periods === 1 ? `1 period of ${periodSeconds} s` : `${count(periods)} periods of ${periodSeconds} s`;
  return [
    many,
    ...(mode === 'approximate' ? ['the last one is estimated'] : []),
    ...(weight === 1 ? [] : [`each counts ${weight} times as much as the one before`]),
  ].join('; ');
}

function lackingText({ periods }: TrafficView) {
  return (one: TrafficView['lacking'][number]): string =>
    `${clean(one.router)} has ${count(one.periods)} of ${count(periods)} periods`;
}

function partText(view: TrafficView, part: TrafficPartView, { paint }: Look): string {
  const start = view.parts.length > 1 ? `\n${paint('green', time(part.startedAt))}` : '';
  const total = `${bytes(part.bytes)} in ${count(part.packets)} packets`;
  const share = part.truncated ? `; shown are ${(part.shareOfBytes * 100).toFixed(1)} % of the bytes` : '';
  const rows = table(part.rows, view.by === 'site' ? SITE_COLUMNS : NODE_COLUMNS, paint, 'no traffic');
  return `${start === '' ? '' : `${start}: `}${total}${share}\n${rows}`;
}

const COUNT_COLUMNS: readonly Column<TrafficRowView>[] = [
  { title: 'BYTES', text: (row) => bytes(row.bytes), right: true },
  { title: 'PACKETS', text: (row) => count(row.packets), right: true },
  { title: 'BYTES/S', text: (row) => bytes(Math.round(row.bytesPerSecond)), right: true },
];

const NODE_COLUMNS: readonly Column<TrafficRowView>[] = [
  { title: 'VNET', text: (row) => row.vnet },
  { title: 'FROM', text: (row) => row.source },
  { title: 'AT', text: (row) => row.sourceSite },
  { title: 'TO', text: (row) => row.destination },
  { title: 'AT', text: (row) => row.destinationSite },
  ...COUNT_COLUMNS,
];

const SITE_COLUMNS: readonly Column<TrafficRowView>[] = [
  { title: 'VNET', text: (row) => row.vnet },
  { title: 'FROM', text: (row) => row.sourceSite },
  { title: 'TO', text: (row) => row.destinationSite },
  ...COUNT_COLUMNS,
];
