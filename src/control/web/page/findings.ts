/** What the router's doctor finds. */
import type { FindingView } from '../../api.js';
import { get, messageOf } from './api.js';
import { byId, setText } from './dom.js';
import { Table } from './table.js';

const STYLES: Readonly<Record<FindingView['level'], string>> = { ok: 'good', warning: 'warn', error: 'bad' };
const ORDER: readonly FindingView['level'][] = ['error', 'warning', 'ok'];

export class Findings {
  readonly #table = new Table<FindingView>(
    byId('finding-table'),
    [
      { title: 'Level', text: ({ level }) => level, style: ({ level }) => STYLES[level] },
      { title: 'Check', text: ({ check }) => check },
      { title: 'Of', text: ({ subject }) => subject, names: true, style: () => 'long' },
      { title: 'Finding', text: ({ message }) => message, style: () => 'long' },
      { title: 'What to do', text: ({ remedy }) => remedy, style: () => 'long' },
    ],
    'nothing looked at yet',
  );

  #asked = 0;

  constructor() {
    byId('finding-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.look();
    });
  }

  async look(): Promise<void> {
    const asked = ++this.#asked;
    const sum = byId('finding-sum');
    setText(sum, 'looking …');
    try {
      const found = await get<readonly FindingView[]>('/v1/doctor');
      if (asked !== this.#asked) return;
      const worstFirst = ORDER.flatMap((level) => found.filter((finding) => finding.level === level));
      this.#table.show(worstFirst);
      const counts = ORDER.map((level) => `${found.filter((one) => one.level === level).length} ${level}`);
      setText(sum, counts.join(', '));
    } catch (failure) {
      if (asked === this.#asked) setText(sum, messageOf(failure));
    }
  }
}
