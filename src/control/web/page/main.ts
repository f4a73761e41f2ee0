/** The page: asks at the start, then when an event says that something has changed, and now and then anyway. */
import type { DirectoryView, GndtView, MigrationView, PeerView, PingView, StatusView } from '../../api.js';
import { type Topic, topicsOf } from '../model/changes.js';
import { type NodeRow, nodeRows } from '../model/nodes.js';
import type { AboutView } from '../views.js';
import { Advice } from './advice.js';
import { follow, get, messageOf, post } from './api.js';
import { browserClock } from './browser-clock.js';
import { byId, nameScrollBoxes, setClass, setText } from './dom.js';
import { Findings } from './findings.js';
import { Moves } from './moves.js';
import { Nodes } from './nodes.js';
import { Routers } from './routers.js';
import { Traffic } from './traffic.js';

const LOOK_MS = 2_000;
/** Without an event: a blackout is told after the move, for one. */
const TABLES_MS = 10_000;
/** Fifty moves in a second are few answers. */
const GATHER_MS = 150;
const RETRY_MS = 1_000;
const PERIOD_MS = 30_000;
/** When the routers have closed a period. */
const SETTLE_MS = 1_500;
const MOST_MOVES = '200';

class Live {
  readonly #routers: Routers;
  readonly #nodes: Nodes;
  readonly #moves = new Moves();
  readonly #traffic = new Traffic(() => void this.#traffic.refresh(this.#sites));
  readonly #findings = new Findings();
  readonly #waiting = new Set<Topic>();
  #sites: readonly string[] = [];
  #isWorking = false;

  constructor(changes: boolean) {
    new Advice();
    this.#routers = new Routers(changes ? (router) => void this.#ping(router) : undefined);
    this.#nodes = new Nodes(changes ? (node) => void this.#release(node) : undefined);
  }

  async run(): Promise<void> {
    void this.#follow();
    this.#every(LOOK_MS, ['routers']);
    this.#every(TABLES_MS, ['nodes', 'moves']);
    await this.#refresh(['routers', 'nodes', 'moves']);
    void this.#findings.look();
    await this.#traffic.refresh(this.#sites);
    this.#atPeriods();
  }

  #every(periodMs: number, topics: readonly Topic[]): void {
    browserClock.after('look', periodMs, () => {
      if (!document.hidden) this.#want(topics);
      this.#every(periodMs, topics);
    });
  }

  #atPeriods(): void {
    const sinceMs = (browserClock.wallMs() - SETTLE_MS) % PERIOD_MS;
    browserClock.after('period', PERIOD_MS - sinceMs, () => {
      if (!document.hidden) void this.#traffic.refresh(this.#sites);
      this.#atPeriods();
    });
  }

  /** Events come one by one; what they are about is asked for together. */
  #want(topics: readonly Topic[]): void {
    for (const topic of topics) this.#waiting.add(topic);
    if (this.#isWorking || this.#waiting.size === 0) return;
    this.#isWorking = true;
    browserClock.after('gather', GATHER_MS, async () => {
      const wanted = [...this.#waiting];
      this.#waiting.clear();
      await this.#refresh(wanted);
      this.#isWorking = false;
      this.#want([]);
    });
  }

  async #refresh(topics: readonly Topic[]): Promise<void> {
    try {
      await Promise.all(topics.map((topic) => this.#show(topic)));
      if (topics.includes('routers')) setText(byId('answer'), '');
    } catch (failure) {
      setText(byId('answer'), messageOf(failure));
    }
  }

  async #show(topic: Topic): Promise<void> {
    switch (topic) {
      case 'routers': {
        const [status, peers] = await Promise.all([
          get<StatusView>('/v1/status'),
          get<readonly PeerView[]>('/v1/peers'),
        ]);
        this.#sites = [status.role?.site ?? status.id, ...peers.map(({ id, site }) => site ?? id)];
        this.#routers.show(status, peers, browserClock.nowMs(), browserClock.wallMs());
        return;
      }
      case 'nodes': {
        const [directory, gndt] = await Promise.all([
          get<readonly DirectoryView[]>('/v1/directory', { state: 'here' }),
          get<readonly GndtView[]>('/v1/gndt'),
        ]);
        this.#nodes.show(nodeRows(directory, gndt));
        return;
      }
      case 'moves':
        this.#moves.show(await get<readonly MigrationView[]>('/v1/migrations', { last: MOST_MOVES }));
    }
  }

  /** Again and again: the router may be started anew. */
  async #follow(): Promise<void> {
    const tell = (text: string, style: string): void => {
      setText(byId('live'), text);
      setClass(byId('live'), style);
    };
    try {
      await follow(
        () => {
          tell('live', 'good');
          this.#want(['routers', 'nodes', 'moves']);
        },
        ({ event }) => this.#want(topicsOf(event)),
      );
      tell('the router has stopped', 'bad');
    } catch (failure) {
      tell(messageOf(failure), 'bad');
    }
    browserClock.after('follow', RETRY_MS, () => void this.#follow());
  }

  async #ping(router: string): Promise<void> {
    await this.#change(async () => {
      const { rttMs } = await post<PingView>('/v1/ping', { router });
      return `${router}: ${rttMs.toFixed(3)} ms`;
    });
  }

  async #release({ vnet, ip }: NodeRow): Promise<void> {
    await this.#change(async () => {
      await post('/v1/unfreeze', { vnet, ip });
      this.#want(['nodes']);
      return `${ip} is no longer frozen`;
    });
  }

  async #change(make: () => Promise<string>): Promise<void> {
    const said = await make().catch(messageOf);
    byId('news').textContent = said;
    setText(byId('said'), said);
  }
}

nameScrollBoxes();
const { allowChanges } = await get<AboutView>('/page/about');
void new Live(allowChanges).run();
