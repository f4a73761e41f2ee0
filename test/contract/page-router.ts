/** A router of a network of ten sites and a thousand nodes, for the page: who is where can be changed while it is looked at. */
import { setTimeout as pause } from 'node:timers/promises';
import type {
  DirectoryView,
  GndtView,
  MigrationView,
  PeerView,
  PingView,
  StatusView,
} from '../../src/control/api.js';
import type { TrafficRequest, TrafficRowView, TrafficView } from '../../src/control/traffic-view.js';
import { FakeRouter } from '../unit/control/fake-router.js';

export const SITES = 10;
export const NODES = 1_000;
const PAIRS = 1_000;
const SECONDS = 600;
const DAY_SECONDS = 86_400;
/** The other routers take theirs. */
const ANSWER_MS = 20;
const ENDED_MS = Date.parse('2026-03-01T11:10:00.000Z');

const routerOf = (site: number): string => `vr-${String(site).padStart(2, '0')}`;
const siteOf = (node: number): number => node % SITES;
const addressOf = (node: number): string => `10.${siteOf(node)}.${node >> 8}.${node & 0xff}`;

/** What `gndt.json` of the network says. */
export const PAGE_GNDT = {
  vnets: [{ name: 'blue', id: 1 }],
  routers: Array.from({ length: SITES }, (_, site) => ({
    id: routerOf(site),
    publicKey: Buffer.alloc(32, site + 1).toString('base64'),
    endpoints: [`udp://192.0.2.${site + 1}:7700`],
  })),
  networks: Array.from({ length: SITES }, (_, site) => ({
    vnet: 'blue',
    prefix: `10.${site}.0.0/16`,
    router: routerOf(site),
  })),
};

export class PageRouter extends FakeRouter {
  rows: DirectoryView[] = Array.from({ length: NODES }, (_, node): DirectoryView => record(node));
  moves: MigrationView[] = Array.from({ length: 40 }, (_, n) =>
    this.#move(n * 7, routerOf((n + 3) % SITES), n),
  );
  /** Addresses whose freeze was ended. */
  readonly unfrozen: string[] = [];
  /** How many questions about traffic it had at one time. */
  mostQuestions = 0;
  /** Answers about a day come when it settles. */
  dayMayBeTold: Promise<unknown> = Promise.resolve();
  daysAsked = 0;
  /** Why it does not tell periods by themselves, of which groups are made. */
  noPeriods: string | undefined;
  /** Less than 1: there are more pairs than it tells. */
  shareOfBytes = 1;
  #questions = 0;
  readonly #hosts: GndtView[] = [];

  /** As when the router hears of it from another one. */
  moveTo(node: number, site: number, { isTold = true } = {}): MigrationView {
    const row = this.rows[node];
    if (row === undefined) throw new Error(`no node ${node}`);
    const seq = row.seq + 1;
    this.rows[node] = { ...row, router: routerOf(site), seq, stampedAt: new Date().toISOString() };
    this.#hosts.push({
      vnet: 'blue',
      prefix: `${row.ip}/32`,
      router: routerOf(site),
      kind: 'host',
      gateway: null,
      home: row.router,
      seq,
    });
    const move = this.#move(node, routerOf(site), this.moves.length);
    this.moves.push(move);
    if (!isTold) return move;
    this.emit({
      at: move.startedAt,
      event: 'move_learned',
      ip: row.ip,
      from: row.router,
      to: routerOf(site),
    });
    return move;
  }

  #move(node: number, to: string, number: number): MigrationView {
    const startedUnixMs = Date.now() - (number < 40 ? (40 - number) * 60_000 : 0);
    const stepped = [0, 310, 4_200, 9_000 + number * 100].map((atUs, i) => ({
      step: ['announced', 'claimed', 'forwarding', 'redirected'][i] ?? '',
      atUs,
    }));
    return {
      vnet: 'blue',
      ips: [addressOf(node)],
      mac: record(node).mac,
      from: routerOf(siteOf(node)),
      to,
      role: 'observer',
      trigger: 'rarp',
      seq: 2,
      verdict: number % 13 === 5 ? 'refused' : 'accepted',
      reason: number % 13 === 5 ? 'it answers at its old place' : '',
      blackoutUs: number % 5 === 0 ? null : 2_000 + number * 1_500,
      startedAt: new Date(startedUnixMs).toISOString(),
      startedUnixMs,
      steps: stepped,
    };
  }

  override status(): StatusView {
    return {
      ...super.status(),
      id: routerOf(0),
      peersUp: SITES - 2,
      peersTotal: SITES - 1,
      nodesHere: NODES / SITES,
    };
  }

  override peers(): readonly PeerView[] {
    const [up, down] = super.peers();
    if (up === undefined || down === undefined) return [];
    const others = Array.from({ length: SITES - 1 }, (_, i) => i + 1);
    return others.map((site) => ({
      ...(site === 4 ? down : up),
      id: routerOf(site),
      ...(site !== 4 && {
        rttMs: site * 3.25,
        bytesSent: Math.round(Date.now() * site * 40),
        bytesReceived: Math.round(Date.now() * site * 25),
      }),
    }));
  }

  override gndt(): readonly GndtView[] {
    const networks = PAGE_GNDT.networks.map(
      ({ vnet, prefix, router }): GndtView => ({
        vnet,
        prefix,
        router,
        kind: 'network',
        gateway: null,
        home: null,
        seq: null,
      }),
    );
    return [...networks, ...this.#hosts];
  }

  override directory(): readonly DirectoryView[] {
    return this.rows;
  }

  override unfreeze({ ip }: { vnet: string | undefined; ip: string }): DirectoryView | string {
    const node = this.rows.findIndex((row) => row.ip === ip && row.frozen);
    const row = this.rows[node];
    if (row === undefined) return `${ip} is not frozen`;
    this.unfrozen.push(ip);
    this.rows[node] = { ...row, frozen: false };
    return row;
  }

  override ping(router: string): Promise<PingView | string> {
    return Promise.resolve({ router, endpoint: 'udp://192.0.2.2:7700', rttMs: 40.125 });
  }

  override migrations(): readonly MigrationView[] {
    return this.moves;
  }

  override signedDescription(): undefined {
    return undefined;
  }

  override async traffic(request: TrafficRequest): Promise<TrafficView | string> {
    this.mostQuestions = Math.max(this.mostQuestions, ++this.#questions);
    await pause(ANSWER_MS);
    if (request.lastSeconds === DAY_SECONDS) {
      this.daysAsked++;
      await this.dayMayBeTold;
    }
    this.#questions--;
    return this.#answer(request);
  }

  #answer({ by, detail, mode, top, lastSeconds }: TrafficRequest): TrafficView | string {
    if (detail && this.noPeriods !== undefined) return this.noPeriods;
    if (detail && lastSeconds > 3_600) return 'periods by themselves: of the last 3600s at most';
    const rows = (by === 'site' ? bySite() : PAIR_ROWS).slice(0, top);
    const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
    const part = {
      startedAt: '2026-03-01T11:00:00.000Z',
      seconds: SECONDS,
      packets: rows.length,
      bytes,
      truncated: this.shareOfBytes < 1,
      shareOfBytes: this.shareOfBytes,
      rows,
    };
    return {
      from: new Date(ENDED_MS - lastSeconds * 1_000).toISOString(),
      to: new Date(ENDED_MS).toISOString(),
      periods: lastSeconds / 30,
      periodSeconds: 30,
      mode,
      weight: 1,
      by,
      partial: false,
      missing: [],
      lacking: [],
      parts: detail ? [part, part, part] : [part],
    };
  }
}

function record(node: number): DirectoryView {
  const hex = node.toString(16).padStart(4, '0');
  return {
    vnet: 'blue',
    ip: addressOf(node),
    mac: `52:54:00:00:${hex.slice(0, 2)}:${hex.slice(2)}`,
    router: routerOf(siteOf(node)),
    seq: 1,
    state: 'here',
    frozen: node === 17,
    missing: node === 23,
    stampedAt: '2026-03-01T11:00:00.000Z',
  };
}

/** Groups of twelve nodes of several sites that talk all to all a lot, and others that talk a little; the most first. */
const PAIR_ROWS: readonly TrafficRowView[] = Array.from({ length: PAIRS }, (_, pair): TrafficRowView => {
  const isGroup = pair < 5 * 12 * 11;
  const [group, inGroup] = [Math.floor(pair / 132), pair % 132];
  const [a, b] = [Math.floor(inGroup / 11), inGroup % 11];
  const source = isGroup ? group * 40 + a * 3 : (pair * 17) % NODES;
  const destination = isGroup ? group * 40 + (b < a ? b : b + 1) * 3 : (pair * 29 + 1) % NODES;
  const bytes = isGroup ? 9e9 - pair * 1e6 : 4e6 - pair * 1e3;
  return {
    vnet: 'blue',
    source: addressOf(source),
    destination: addressOf(destination),
    sourceSite: routerOf(siteOf(source)),
    destinationSite: routerOf(siteOf(destination)),
    packets: Math.ceil(bytes / 1_200),
    bytes,
    bytesPerSecond: bytes / SECONDS,
  };
});

function bySite(): TrafficRowView[] {
  const sums = new Map<string, TrafficRowView>();
  for (const row of PAIR_ROWS) {
    const key = `${row.sourceSite} ${row.destinationSite}`;
    const before = sums.get(key);
    const [packets, bytes] = [row.packets + (before?.packets ?? 0), row.bytes + (before?.bytes ?? 0)];
    sums.set(key, {
      ...row,
      source: null,
      destination: null,
      packets,
      bytes,
      bytesPerSecond: bytes / SECONDS,
    });
  }
  return [...sums.values()].sort((one, other) => other.bytes - one.bytes);
}
