/** A table whose rows change: cells are kept, and only what differs in them is written. */
import { element, setClass, setText } from './dom.js';

export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  readonly style?: (row: Row) => string;
  /** Numbers end in one column. */
  readonly right?: boolean;
  /** What names the row, for a screen reader. */
  readonly names?: boolean;
  /** A button with the text on it, where there is text. */
  readonly press?: (row: Row) => void;
  /** Pressing the title sorts by it. */
  readonly sort?: { readonly press: () => void; readonly state: () => 'ascending' | 'descending' | 'none' };
}

export class Table<Row> {
  readonly #columns: readonly Column<Row>[];
  readonly #head: HTMLTableRowElement;
  readonly #body: HTMLTableSectionElement;
  readonly #none: string;
  #rows: readonly Row[] = [];

  /** @param none what is said when there are no rows */
  constructor(table: HTMLElement, columns: readonly Column<Row>[], none: string) {
    this.#columns = columns;
    this.#none = none;
    this.#head = element('tr', {}, ...columns.map((column) => this.#title(column)));
    this.#body = element('tbody');
    table.append(element('thead', {}, this.#head), this.#body);
  }

  show(rows: readonly Row[]): void {
    this.#rows = rows;
    for (const [i, { sort }] of this.#columns.entries())
      if (sort !== undefined) this.#head.children[i]?.setAttribute('aria-sort', sort.state());
    const lines = this.#body.rows;
    if (rows.length === 0) {
      this.#showNone();
      return;
    }
    if (lines[0]?.className === 'none') lines[0].remove();
    while (lines.length > rows.length) this.#body.lastElementChild?.remove();
    for (const [i, row] of rows.entries()) this.#fill(lines[i] ?? this.#addLine(), row);
  }

  #showNone(): void {
    const cell = element('td', { colspan: String(this.#columns.length) }, this.#none);
    this.#body.replaceChildren(element('tr', { class: 'none' }, cell));
  }

  #title({ title, right, sort }: Column<Row>): HTMLElement {
    const cell = element('th', { scope: 'col', ...(right && { class: 'right' }) });
    if (sort === undefined) cell.append(title);
    else {
      const button = element('button', { type: 'button' }, title);
      button.addEventListener('click', sort.press);
      cell.append(button);
    }
    return cell;
  }

  #addLine(): HTMLTableRowElement {
    const line = element('tr');
    for (const column of this.#columns) {
      const cell = column.names ? element('th', { scope: 'row' }) : element('td');
      if (column.press !== undefined) {
        const button = element('button', { type: 'button' });
        button.addEventListener('click', () => {
          const row = this.#rows[line.sectionRowIndex];
          if (row !== undefined) column.press?.(row);
        });
        cell.append(button);
      }
      line.append(cell);
    }
    this.#body.append(line);
    return line;
  }

  #fill(line: HTMLTableRowElement, row: Row): void {
    for (const [i, column] of this.#columns.entries()) {
      const cell = line.cells[i];
      if (cell === undefined) continue;
      const text = column.text(row);
      const button = column.press === undefined ? null : cell.querySelector('button');
      setText(button ?? cell, text);
      if (button !== null) button.hidden = text === '';
      const classes = [column.right ? 'right' : '', column.style?.(row) ?? ''];
      setClass(cell, classes.filter((name) => name !== '').join(' '));
    }
  }
}
