/** The traffic matrix as it is drawn: sites by sites, and nodes by nodes with groups beside each other. */
import type { TrafficRowView, TrafficView } from '../../traffic-view.js';
import { bytes, counted } from '../../units.js';
import type { GroupsView } from '../views.js';
import { compare } from './peers.js';

export interface Cell {
  /** Positions of the sender and of the receiver. */
  readonly row: number;
  readonly column: number;
  readonly bytes: number;
  readonly bytesPerSecond: number;
}

export interface Span {
  /** Counted from 1. */
  readonly group: number;
  readonly first: number;
  /** Not in it any more. */
  readonly end: number;
}

export interface Matrix {
  readonly names: readonly string[];
  readonly cells: ReadonlyMap<number, Cell>;
  /** Bytes per second of the largest cell. */
  readonly largest: number;
  /** Groups, where they stand in `names`. */
  readonly groups: readonly Span[];
  /** Shown are so many pairs, the largest of more; undefined: all there are. */
  readonly largestOf: number | undefined;
}

export const EMPTY_MATRIX: Matrix = {
  names: [],
  cells: new Map(),
  largest: 0,
  groups: [],
  largestOf: undefined,
};

/** Key of a cell in a matrix of so many. */
export const cellKey = (count: number, row: number, column: number): number => row * count + column;

export function cellAt({ names, cells }: Matrix, row: number, column: number): Cell | undefined {
  return cells.get(cellKey(names.length, row, column));
}

/** All vnets together. @param view by site; @param known sites that are shown without traffic too */
export function siteMatrix(view: TrafficView, known: Iterable<string>): Matrix {
  const rows = view.parts.flatMap((part) => part.rows);
  const names = [...new Set([...known, ...rows.flatMap((row) => [row.sourceSite, row.destinationSite])])];
  names.sort(compare);
  const cells = sums(
    rows,
    names,
    ({ sourceSite }) => sourceSite,
    ({ destinationSite }) => destinationSite,
  );
  return { names, cells, largest: largestIn(cells), groups: [], largestOf: cutAt(view) };
}

/** How a node is called on the page: with its vnet where there are several. */
export function nodeNamer(vnets: Iterable<string>): (vnet: string, address: string) => string {
  const several = new Set(vnets).size > 1;
  return (vnet, address) => (several ? `${address} (${vnet})` : address);
}

/** @param view by node; @param groups undefined: they are not known */
export function nodeMatrix(view: TrafficView, groups: GroupsView | undefined): Matrix {
  const rows = view.parts.flatMap((part) => part.rows);
  const name = nodeNamer(rows.map(({ vnet }) => vnet));
  const from = (row: TrafficRowView): string => name(row.vnet, row.source ?? row.sourceSite);
  const to = (row: TrafficRowView): string => name(row.vnet, row.destination ?? row.destinationSite);
  const talk = new Map<string, number>();
  for (const row of rows)
    for (const node of [from(row), to(row)]) talk.set(node, (talk.get(node) ?? 0) + row.bytes);
  const spans: Span[] = [];
  const names: string[] = [];
  for (const [i, { vnet, nodes }] of (groups?.groups ?? []).entries()) {
    const members = nodes.map((address) => name(vnet, address)).filter((node) => talk.has(node));
    if (members.length === 0) continue;
    spans.push({ group: i + 1, first: names.length, end: names.length + members.length });
    names.push(...members);
  }
  const grouped = new Set(names);
  const others = [...talk].filter(([node]) => !grouped.has(node));
  others.sort(([one, less], [other, more]) => more - less || compare(one, other));
  names.push(...others.map(([node]) => node));
  const cells = sums(rows, names, from, to);
  return { names, cells, largest: largestIn(cells), groups: spans, largestOf: cutAt(view) };
}

function sums(
  rows: readonly TrafficRowView[],
  names: readonly string[],
  from: (row: TrafficRowView) => string,
  to: (row: TrafficRowView) => string,
): ReadonlyMap<number, Cell> {
  const positions = new Map(names.map((name, i) => [name, i]));
  const cells = new Map<number, Cell>();
  for (const one of rows) {
    const [row, column] = [positions.get(from(one)) ?? 0, positions.get(to(one)) ?? 0];
    const key = cellKey(names.length, row, column);
    const before = cells.get(key);
    cells.set(key, {
      row,
      column,
      bytes: one.bytes + (before?.bytes ?? 0),
      bytesPerSecond: one.bytesPerSecond + (before?.bytesPerSecond ?? 0),
    });
  }
  return cells;
}

function cutAt({ parts }: TrafficView): number | undefined {
  if (!parts.some(({ truncated }) => truncated)) return undefined;
  return parts.reduce((sum, { rows }) => sum + rows.length, 0);
}

/** What is under the reader's cursor; empty beyond the matrix. */
export function cellSentence(matrix: Matrix, row: number, column: number): string {
  const { names, groups, largestOf } = matrix;
  const [from, to] = [names[row], names[column]];
  if (from === undefined || to === undefined) return '';
  const cell = cellAt(matrix, row, column);
  const none = largestOf === undefined ? 'nothing' : `not among the ${counted(largestOf, 'largest pair')}`;
  const amount = cell === undefined ? none : `${bytes(Math.round(cell.bytesPerSecond))}/s`;
  const common = groups.find(({ first, end }) => [row, column].every((at) => at >= first && at < end));
  return `${from} to ${to}: ${amount}${common === undefined ? '' : `; both in group ${common.group}`}`;
}

function largestIn(cells: ReadonlyMap<number, Cell>): number {
  let largest = 0;
  for (const { bytesPerSecond } of cells.values()) largest = Math.max(largest, bytesPerSecond);
  return largest;
}

/** What is not in the two maps, one sentence each; nothing: all is. */
export function gapsOf(bySite: TrafficView, byNode: TrafficView): string[] {
  const both = [bySite, byNode];
  const missing = new Set(both.flatMap((view) => view.missing));
  const lacking = new Set(both.flatMap((view) => view.lacking.map(({ router }) => router)));
  return [
    ...(missing.size > 0 ? [`No answer from ${[...missing].join(', ')}.`] : []),
    ...(lacking.size > 0 ? [`Only a part of the time from ${[...lacking].join(', ')}.`] : []),
    ...cutOf('Sites by sites', bySite),
    ...cutOf('Nodes by nodes', byNode),
  ];
}

function cutOf(map: string, view: TrafficView): string[] {
  const [pairs, [part]] = [cutAt(view), view.parts];
  if (pairs === undefined || part === undefined) return [];
  const share = (part.shareOfBytes * 100).toFixed(1);
  return [`${map}: shown are the ${counted(pairs, 'largest pair')}, with ${share} % of the bytes.`];
}
