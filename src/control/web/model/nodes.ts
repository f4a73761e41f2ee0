/** Where each node is: rows, a filter over them, an order, and pages. */
import type { DirectoryView, GndtView } from '../../api.js';
import { compare } from './peers.js';

export interface NodeRow {
  readonly vnet: string;
  readonly ip: string;
  readonly mac: string;
  /** The router that has it. */
  readonly router: string;
  /** Its home router while it is away from there; null when it is at home. */
  readonly home: string | null;
  readonly frozen: boolean;
  readonly missing: boolean;
  readonly seq: number;
  readonly since: string;
}

export function nodeRows(directory: readonly DirectoryView[], gndt: readonly GndtView[]): NodeRow[] {
  const homes = new Map(
    gndt.flatMap(({ kind, vnet, prefix, home }) => (kind === 'host' ? [[`${vnet} ${prefix}`, home]] : [])),
  );
  return directory
    .filter(({ state }) => state === 'here')
    .map(({ vnet, ip, mac, router, frozen, missing, seq, stampedAt }) => {
      const home = homes.get(`${vnet} ${ip}/${ip.includes(':') ? 128 : 32}`) ?? null;
      return { vnet, ip, mac, router, home, frozen, missing, seq, since: stampedAt };
    });
}

export const stateOf = ({ frozen, missing, home }: NodeRow): string =>
  [missing ? 'missing' : '', frozen ? 'frozen' : '', home === null ? 'home' : 'visiting']
    .filter((word) => word !== '')
    .join(', ');

/** Every word of the filter stands somewhere in the row, in upper or lower case. */
export function filterNodes(rows: readonly NodeRow[], filter: string): readonly NodeRow[] {
  const words = filter
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  if (words.length === 0) return rows;
  return rows.filter((row) => {
    const text =
      `${row.vnet} ${row.ip} ${row.mac} ${row.router} ${row.home ?? ''} ${stateOf(row)}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

export type NodeColumn = 'ip' | 'vnet' | 'mac' | 'router' | 'home' | 'since';

export interface NodeOrder {
  readonly column: NodeColumn;
  readonly descending: boolean;
}

export function sortNodes(rows: readonly NodeRow[], { column, descending }: NodeOrder): NodeRow[] {
  const sign = descending ? -1 : 1;
  const keys = new Map(rows.map((row) => [row, column === 'ip' ? addressKey(row.ip) : (row[column] ?? '')]));
  return [...rows].sort(
    (one, other) =>
      sign * compare(keys.get(one) ?? '', keys.get(other) ?? '') ||
      compare(addressKey(one.ip), addressKey(other.ip)),
  );
}

/** Such that 10.1.0.9 comes before 10.1.0.10, and IPv4 before IPv6. */
function addressKey(ip: string): string {
  if (!ip.includes(':'))
    return `4${ip
      .split('.')
      .map((part) => part.padStart(3, '0'))
      .join('.')}`;
  const [head = '', tail = ''] = ip.split('::');
  const words = (text: string): string[] => text.split(':').filter((word) => word !== '');
  const [before, after] = [words(head), words(tail)];
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0');
  return `6${[...before, ...zeros, ...after].map((word) => word.padStart(4, '0')).join(':')}`;
}

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** Counted from 1; `first` is 0 when there are no rows. */
  readonly first: number;
  readonly last: number;
  readonly count: number;
  readonly page: number;
  readonly pages: number;
}

/** @param wanted counted from 0; beyond the last page it is the last */
export function pageOf<Row>(rows: readonly Row[], wanted: number, size: number): Page<Row> {
  const pages = Math.max(1, Math.ceil(rows.length / size));
  const page = Math.min(Math.max(0, wanted), pages - 1);
  const shown = rows.slice(page * size, (page + 1) * size);
  const first = shown.length === 0 ? 0 : page * size + 1;
  return { rows: shown, first, last: page * size + shown.length, count: rows.length, page, pages };
}
