/** The page: asks at the start, then when an event says that something has changed, and now and then anyway. */
import type { Timer } from '../../../net/clock.js';
import type { DirectoryView, GndtView, MigrationView, PeerView, PingView, StatusView } from '../../api.js';
import { TOPICS, type Topic, topicsOf } from '../model/changes.js';
import { type NodeRow, nodeRows } from '../model/nodes.js';
import { LOOK_MS, Pace, TABLES_MS } from '../model/pace.js';
import type { AboutView } from '../views.js';
import { Advice } from './advice.js';
import { follow, get, messageOf, post, takeKey } from './api.js';
import { browserClock } from './browser-clock.js';
import { byId, nameScrollBoxes, setClass, setText } from './dom.js';
import { Findings } from './findings.js';
import { Moves } from './moves.js';
import { Nodes } from './nodes.js';
import { Routers } from './routers.js';
import { Traffic } from './traffic.js';

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
  readonly #pace = new Pace();
  #next: Timer | undefined;
  #retry: Timer | undefined;
  #stream = new AbortController();
  #sites: readonly string[] = [];
  #isWorking = false;
  #hasMissedPeriod = false;

  constructor(changes: boolean) {
    new Advice();
    this.#routers = new Routers(changes ? (router) => void this.#ping(router) : undefined);
    this.#nodes = new Nodes(changes ? (node) => void this.#release(node) : undefined);
  }

  async run(): Promise<void> {
    document.addEventListener('visibilitychange', () => this.#turn());
    if (!document.hidden) void this.#follow();
    this.#every(LOOK_MS, ['routers']);
    this.#every(TABLES_MS, ['nodes', 'moves']);
    await this.#refresh(TOPICS);
    void this.#findings.look();
    await this.#traffic.refresh(this.#sites);
    this.#atPeriods();
  }

  /** What nobody sees asks for nothing, and holds no connection: a browser has six to one server, for all tabs together. */
  #turn(): void {
    this.#stream.abort();
    this.#retry?.cancel();
    if (document.hidden) {
      this.#pace.forget();
      tell('not followed while the page is hidden', '');
      return;
    }
    void this.#follow();
    this.#want(TOPICS);
    if (this.#hasMissedPeriod) void this.#traffic.refresh(this.#sites);
    this.#hasMissedPeriod = false;
  }

  #every(periodMs: number, topics: readonly Topic[]): void {
    browserClock.after('look', periodMs, () => {
      this.#want(topics);
      this.#every(periodMs, topics);
    });
  }

  #atPeriods(): void {
    const sinceMs = (browserClock.wallMs() - SETTLE_MS) % PERIOD_MS;
    browserClock.after('period', PERIOD_MS - sinceMs, () => {
      if (document.hidden) this.#hasMissedPeriod = true;
      else void this.#traffic.refresh(this.#sites);
      this.#atPeriods();
    });
  }

  #want(topics: readonly Topic[]): void {
    if (document.hidden) return;
    this.#pace.want(topics, browserClock.nowMs());
    this.#goOn();
  }

  #goOn(): void {
    this.#next?.cancel();
    const { nextMs } = this.#pace;
    if (this.#isWorking || nextMs === undefined) return;
    const delayMs = Math.max(0, nextMs - browserClock.nowMs());
    this.#next = browserClock.after(
      'gather',
      delayMs,
      () => void this.#refresh(this.#pace.take(browserClock.nowMs())),
    );
  }

  async #refresh(topics: readonly Topic[]): Promise<void> {
    this.#isWorking = true;
    try {
      await Promise.all(topics.map((topic) => this.#show(topic)));
      if (topics.includes('routers')) setText(byId('answer'), '');
    } catch (failure) {
      setText(byId('answer'), messageOf(failure));
    } finally {
      this.#isWorking = false;
      this.#goOn();
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

  /** Again and again while the page is seen: the router may be started anew. */
  async #follow(): Promise<void> {
    this.#stream = new AbortController();
    const { signal } = this.#stream;
    let ended = 'the router has stopped';
    try {
      await follow(
        () => {
          tell('live', 'good');
          this.#want(TOPICS);
        },
        (event) => this.#want(topicsOf(event)),
        signal,
      );
    } catch (failure) {
      ended = messageOf(failure);
    }
    if (signal.aborted) return;
    tell(ended, 'bad');
    this.#retry = browserClock.after('follow', RETRY_MS, () => void this.#follow());
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

/** Of the stream of events. */
function tell(text: string, style: string): void {
  setText(byId('live'), text);
  setClass(byId('live'), style);
}

/** Asks until there is an answer; meanwhile it says what is wrong. */
async function open(): Promise<AboutView> {
  for (;;) {
    try {
      await takeKey();
      return await get<AboutView>('/page/about');
    } catch (failure) {
      setText(byId('answer'), messageOf(failure));
    }
    await new Promise<void>((resolve) => void browserClock.after('open', RETRY_MS, resolve));
  }
}

nameScrollBoxes();
const { allowChanges } = await open();
setText(byId('answer'), '');
void new Live(allowChanges).run();
