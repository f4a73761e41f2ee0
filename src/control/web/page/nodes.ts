/** Where each node is: a page of rows at a time, filtered and sorted. */
import { age } from '../../units.js';
import {
  filterNodes,
  type NodeColumn,
  type NodeOrder,
  type NodeRow,
  pageOf,
  sortNodes,
  stateOf,
} from '../model/nodes.js';
import { browserClock } from './browser-clock.js';
import { byId, setText } from './dom.js';
import { type Column, Table } from './table.js';

const ROWS = 50;

export class Nodes {
  readonly #table: Table<NodeRow>;
  readonly #filter = byId<HTMLInputElement>('node-filter');
  readonly #back = byId<HTMLButtonElement>('node-back');
  readonly #on = byId<HTMLButtonElement>('node-on');
  #rows: readonly NodeRow[] = [];
  #order: NodeOrder = { column: 'ip', descending: false };
  #page = 0;

  /** @param release undefined: the page only looks */
  constructor(release: ((node: NodeRow) => void) | undefined) {
    const columns: Column<NodeRow>[] = [
      { title: 'Address', text: ({ ip }) => ip, names: true, sort: this.#sortBy('ip') },
      { title: 'Vnet', text: ({ vnet }) => vnet, sort: this.#sortBy('vnet') },
      { title: 'MAC', text: ({ mac }) => mac, sort: this.#sortBy('mac') },
      { title: 'At', text: ({ router }) => router, sort: this.#sortBy('router') },
      { title: 'Home', text: ({ home }) => home ?? '', sort: this.#sortBy('home') },
      {
        title: 'State',
        text: stateOf,
        style: ({ missing, frozen, home }) => (missing ? 'bad' : frozen || home !== null ? 'warn' : ''),
      },
      {
        title: 'Since',
        text: ({ since }) => age(since, browserClock.wallMs()),
        sort: this.#sortBy('since'),
        right: true,
      },
    ];
    if (release !== undefined)
      columns.push({ title: 'Freeze', text: ({ frozen }) => (frozen ? 'End freeze' : ''), press: release });
    this.#table = new Table(byId('node-table'), columns, 'no such nodes');
    byId('node-form').addEventListener('submit', (event) => event.preventDefault());
    this.#filter.addEventListener('input', () => this.#turnTo(0));
    this.#back.addEventListener('click', () => this.#turnTo(this.#page - 1));
    this.#on.addEventListener('click', () => this.#turnTo(this.#page + 1));
  }

  show(rows: readonly NodeRow[]): void {
    this.#rows = rows;
    this.#draw();
  }

  #sortBy(column: NodeColumn): NonNullable<Column<NodeRow>['sort']> {
    return {
      state: () => {
        if (this.#order.column !== column) return 'none';
        return this.#order.descending ? 'descending' : 'ascending';
      },
      press: () => {
        const again = this.#order.column === column;
        this.#order = { column, descending: again && !this.#order.descending };
        this.#turnTo(0);
      },
    };
  }

  #turnTo(page: number): void {
    this.#page = page;
    this.#draw();
  }

  #draw(): void {
    const found = sortNodes(filterNodes(this.#rows, this.#filter.value), this.#order);
    const shown = pageOf(found, this.#page, ROWS);
    this.#page = shown.page;
    this.#table.show(shown.rows);
    this.#back.disabled = shown.page === 0;
    this.#on.disabled = shown.page >= shown.pages - 1;
    const of = shown.count === this.#rows.length ? '' : ` (of ${this.#rows.length})`;
    setText(byId('node-count'), `${shown.first} to ${shown.last} of ${shown.count}${of}`);
  }
}
