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
    'no groups are known',
  );

  #sites: Iterable<string> = [];
  #isAsking = false;
  #isWantedAgain = false;

  constructor(onChosen: () => void) {
    this.#last.addEventListener('change', onChosen);
  }

  /**
   * What is asked of all routers is asked one after the other: a router takes only few such questions at once. Wanted again
   * meanwhile, it is asked once more afterwards.
   *
   * @param sites shown also when they are silent
   */
  async refresh(sites: Iterable<string>): Promise<void> {
    this.#sites = sites;
    this.#isWantedAgain = true;
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      while (this.#isWantedAgain) {
        this.#isWantedAgain = false;
        await this.#ask(this.#last.value);
      }
    } finally {
      this.#isAsking = false;
    }
  }

  async #ask(last: string): Promise<void> {
    const isOld = (): boolean => this.#last.value !== last;
    try {
      const bySite = await get<TrafficView>('/v1/traffic', { last, by: 'site', top: MOST_PAIRS });
      if (isOld()) return;
      showSiteHeat(byId('site-heat'), siteMatrix(bySite, this.#sites));
      const byNode = await get<TrafficView>('/v1/traffic', { last, by: 'node', top: MOST_PAIRS });
      if (isOld()) return;
      const groups = await this.#askGroups(last);
      if (isOld()) return;
      this.#showNodes(byNode, groups instanceof Error ? undefined : groups);
      setNotes(byId('traffic-notes'), gapsOf(bySite, byNode));
      this.#showGroups(groups);
    } catch (failure) {
      if (!isOld()) setNotes(byId('traffic-notes'), [messageOf(failure)]);
    }
  }

  /** The maps are shown without them too. */
  #askGroups(last: string): Promise<GroupsView | Error> {
    const query = { last: String(Math.min(Number(last), MOST_GROUP_SECONDS)) };
    return get<GroupsView>('/page/groups', query).catch((failure: unknown) => new Error(messageOf(failure)));
  }

  #showNodes(view: TrafficView, groups: GroupsView | undefined): void {
    this.#heat.show(nodeMatrix(view, groups));
    this.#talkers.show(view.parts.flatMap(({ rows }) => rows).slice(0, TALKERS));
    setText(byId('traffic-time'), `${time(view.from)} to ${time(view.to)}`);
  }

  #showGroups(found: GroupsView | Error): void {
    if (found instanceof Error) {
      this.#groups.show([]);
      setText(byId('group-note'), found.message);
      return;
    }
    this.#groups.show(found.groups.map(({ vnet, nodes }, i) => ({ number: i + 1, vnet, nodes })));
    const changing =
      found.changingPeriods > 0
        ? `; other groups in the last ${counted(found.changingPeriods, 'period')}`
        : '';
    setText(byId('group-note'), `Found in the last ${counted(found.periods, 'period')} of 30 s${changing}.`);
  }
}
