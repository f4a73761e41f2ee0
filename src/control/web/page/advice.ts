/** Which machines should be elsewhere, when somebody asks. */
import { type AdviceView, adviceNotes } from '../../advice-view.js';
import { bytes, duration } from '../../units.js';
import { type AdviceRow, adviceRows, adviceSum } from '../model/advice.js';
import { get, messageOf } from './api.js';
import { byId, setNotes, setText } from './dom.js';
import { Table } from './table.js';

export class Advice {
  readonly #objective = byId<HTMLSelectElement>('advice-objective');
  readonly #table = new Table<AdviceRow>(
    byId('advice-table'),
    [
      { title: 'Step', text: ({ step, isFirst }) => (isFirst ? String(step) : ''), right: true },
      { title: 'Node', text: ({ move }) => move.ips.join(', '), names: true },
      { title: 'Vnet', text: ({ move }) => move.vnet },
      { title: 'From', text: ({ move }) => move.from },
      { title: 'To', text: ({ move }) => move.to },
      { title: 'Saves a day', text: ({ saves }) => saves, right: true },
      { title: 'Costs once', text: ({ costs }) => costs, right: true },
      {
        title: 'Paid back after',
        text: ({ paidBackMs }) => (paidBackMs === undefined ? '' : duration(paidBackMs)),
        right: true,
      },
      { title: 'Sends', text: ({ move }) => bytes(Math.round(move.bytes)), right: true },
      { title: 'Takes', text: ({ move }) => duration(move.seconds * 1000), right: true },
      {
        title: 'Stands still',
        text: ({ move }) => `${(move.downtimeSeconds * 1000).toFixed(0)} ms${move.assumed ? '*' : ''}`,
        style: ({ move }) => (move.converges ? '' : 'bad'),
        right: true,
      },
    ],
    'no move pays',
  );

  #asked = 0;

  constructor() {
    byId('advice-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.ask();
    });
  }

  /** The last to be asked for is shown, whichever comes last. */
  async ask(): Promise<void> {
    const asked = ++this.#asked;
    const sum = byId('advice-sum');
    setText(sum, 'asking …');
    byId('advice-moves').hidden = false;
    try {
      const view = await get<AdviceView>('/page/advice', { objective: this.#objective.value });
      if (asked !== this.#asked) return;
      this.#table.show(adviceRows(view));
      setText(sum, adviceSum(view));
      setNotes(byId('advice-notes'), adviceNotes(view));
    } catch (failure) {
      if (asked !== this.#asked) return;
      this.#table.show([]);
      setText(sum, messageOf(failure));
      setNotes(byId('advice-notes'), []);
    }
  }
}
