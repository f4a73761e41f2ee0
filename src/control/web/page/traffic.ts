/** Who talks to whom: two heat maps, groups, and the largest pairs. */
import type { TrafficRowView, TrafficView } from '../../traffic-view.js';
import { bytes, count, counted, time } from '../../units.js';
import { gapsOf, nodeMatrix, siteMatrix } from '../model/matrix.js';
import type { GroupsView } from '../views.js';
import { get, messageOf } from './api.js';
import { byId, setNotes, setText } from './dom.js';
import { HeatCanvas } from './heat-canvas.js';
import { showSiteHeat } from './site-heat.js';
import { Table } from './table.js';

const MOST_PAIRS = '1024';
const TALKERS = 20;
/** Groups are found period by period, of which the routers tell so many at a time. */
const MOST_GROUP_SECONDS = 3_600;

interface Group {
  readonly number: number;
  readonly vnet: string;
  readonly nodes: readonly string[];
}

export class Traffic {
  readonly #last = byId<HTMLSelectElement>('traffic-last');
  readonly #heat = new HeatCanvas(byId<HTMLCanvasElement>('node-heat'), byId('heat-frame'), byId('cell'));
  readonly #talkers = new Table<TrafficRowView>(
    byId('talker-table'),
    [
      { title: 'From', text: ({ source }) => source ?? '', names: true },
      { title: 'At', text: ({ sourceSite }) => sourceSite },
      { title: 'To', text: ({ destination }) => destination ?? '' },
      { title: 'At', text: ({ destinationSite }) => destinationSite },
      { title: 'Vnet', text: ({ vnet }) => vnet },
      { title: 'Bytes', text: (row) => bytes(row.bytes), right: true },
      { title: 'Packets', text: (row) => count(row.packets), right: true },
      { title: 'Rate', text: (row) => `${bytes(Math.round(row.bytesPerSecond))}/s`, right: true },
    ],
    'no traffic',
  );
  readonly #groups = new Table<Group>(
    byId('group-table'),
    [
      { title: 'Group', text: ({ number }) => String(number), names: true },
      { title: 'Vnet', text: ({ vnet }) => vnet },
      { title: 'Nodes', text: ({ nodes }) => count(nodes.length), right: true },
      { title: 'Who', text: ({ nodes }) => nodes.join(' '), style: () => 'long' },
    ],
    'no groups',
  );

  constructor(onChosen: () => void) {
    this.#last.addEventListener('change', onChosen);
  }

  /** @param sites shown also when they are silent */
  async refresh(sites: Iterable<string>): Promise<void> {
    const last = this.#last.value;
    try {
      const [bySite, byNode, groups] = await Promise.all([
        get<TrafficView>('/v1/traffic', { last, by: 'site', top: MOST_PAIRS }),
        get<TrafficView>('/v1/traffic', { last, by: 'node', top: MOST_PAIRS }),
        get<GroupsView>('/page/groups', { last: String(Math.min(Number(last), MOST_GROUP_SECONDS)) }),
      ]);
      showSiteHeat(byId('site-heat'), siteMatrix(bySite, sites));
      this.#showNodes(byNode, groups);
    } catch (failure) {
      setNotes(byId('traffic-notes'), [messageOf(failure)]);
    }
  }

  #showNodes(view: TrafficView, groups: GroupsView): void {
    this.#heat.show(nodeMatrix(view, groups));
    this.#talkers.show(view.parts.flatMap(({ rows }) => rows).slice(0, TALKERS));
    this.#groups.show(groups.groups.map(({ vnet, nodes }, i) => ({ number: i + 1, vnet, nodes })));
    const changing =
      groups.changingPeriods > 0
        ? `; other groups in the last ${counted(groups.changingPeriods, 'period')}`
        : '';
    setText(byId('group-note'), `Found in the last ${counted(groups.periods, 'period')} of 30 s${changing}.`);
    setText(byId('traffic-time'), `${time(view.from)} to ${time(view.to)}`);
    setNotes(byId('traffic-notes'), gapsOf(view));
  }
}
