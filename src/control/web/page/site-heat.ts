/** Sites by sites: a table, whose cells are as hot as what goes from the row's site to the column's. */
import { bytes } from '../../units.js';
import { shadeOf } from '../model/heat.js';
import { cellAt, type Matrix } from '../model/matrix.js';
import { element } from './dom.js';

export function showSiteHeat(table: HTMLElement, matrix: Matrix): void {
  const { names, largest } = matrix;
  const head = element(
    'tr',
    {},
    element('th', { scope: 'col' }, 'from \\ to'),
    ...names.map((name) => element('th', { scope: 'col' }, name)),
  );
  const rows = names.map((name, row) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, name),
      ...names.map((_, column) => {
        const rate = cellAt(matrix, row, column)?.bytesPerSecond ?? 0;
        const text = rate === 0 ? '' : `${bytes(Math.round(rate))}/s`;
        return element('td', { class: `heat heat-${shadeOf(rate, largest)}` }, text);
      }),
    ),
  );
  table.replaceChildren(
    ...[...table.querySelectorAll('caption')],
    element('thead', {}, head),
    element('tbody', {}, ...rows),
  );
}
