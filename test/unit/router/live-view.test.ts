/** What is asked of the router again and again costs the same however many nodes there are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RoleView } from '../../../src/control/role-view.js';
import type { MissingNode } from '../../../src/mobility/search/missing.js';
import { Ip } from '../../../src/net/ip.js';
import type { Mac } from '../../../src/net/mac.js';
import { Conduct } from '../../../src/protocol/conduct.js';
import { Readiness } from '../../../src/router/life/readiness.js';
import { Alone } from '../../../src/router/pair/alone.js';
import { Sites } from '../../../src/router/pair/sites.js';
import { LocalRecords } from '../../../src/router/state/local-records.js';
import { CounterBoard } from '../../../src/router/view/counter-board.js';
import { COUNTER_CLASSES } from '../../../src/router/view/counter-classes.js';
import { LiveView } from '../../../src/router/view/live-view.js';
import { Metrics } from '../../../src/router/view/metrics.js';
import { metricsSource } from '../../../src/router/view/metrics-source.js';
import { RouteExplainer } from '../../../src/router/view/route-view.js';
import { Warnings } from '../../../src/router/view/warnings.js';
import { Directory } from '../../../src/tables/directory.js';
import { ForwardingTable } from '../../../src/tables/forwarding/forwarding-table.js';
import { Gndt } from '../../../src/tables/gndt.js';
import { Hwdt } from '../../../src/tables/hwdt.js';
import { Lndt } from '../../../src/tables/lndt.js';
import type { NodeRecord, SiteConfig } from '../../../src/tables/model.js';
import type { PeerState } from '../../../src/tunnel/peer-state.js';
import { lansOf } from '../../support/lans.js';
import { SimClock } from '../../support/sim-clock.js';
import { ROLE } from '../control/fake-router.js';
import { BLUE, gndtConfig, network } from '../tables/fixtures.js';

const RECORDS = 100_000;

interface Setting {
  readonly sites?: readonly SiteConfig[];
  readonly peers?: readonly PeerState[];
  /** Alone unless given. */
  readonly role?: RoleView;
}

/** A router of whose 100,000 nodes a tenth each is at home, visiting and departed. */
function setUp({ sites = [], peers = [], role }: Setting = {}) {
  const clock = new SimClock();
  const networks = [network(BLUE, '10.0.0.0/8', 'vr-a'), network(BLUE, '11.0.0.0/8', 'vr-b')];
  const gndt = new Gndt({ ...gndtConfig(networks), sites }, 'vr-a');
  const activeRouters = new Sites(gndt);
  const directory = new Directory('vr-a', clock);
  const hwdt = new Hwdt(clock);
  const lndt = new Lndt([], gndt, directory);
  const tables = { gndt, lndt, hwdt, directory };
  const local = new LocalRecords(gndt, directory);
  for (let n = 0; n < RECORDS; n++) {
    const [prefix, router] = [
      [0x0a000000, 'vr-a'],
      [0x0b000000, 'vr-a'],
      [0x0a000000, 'vr-b'],
    ][n % 10] ?? [0x0b000000, 'vr-b'];
    const ip = Ip.v4(Number(prefix) + n);
    const mac = (0x020000000000 + n) as Mac;
    directory.apply({ vnet: BLUE, ip, mac, router: String(router), seq: 1, state: 'here', stamp: n + 1 });
  }
  const missing: MissingNode[] = [];
  const mobility = {
    moves: () => [],
    missing: () => missing,
    isMissing: ({ ip }: NodeRecord) => missing.some(({ ips }) => ips.some((other) => other.equals(ip))),
  };
  const board = new CounterBoard(COUNTER_CLASSES);
  let asked = 0;
  const plane = {
    workers: () => [],
    peerMtu: () => 1400,
    threads: () => [],
    vnetTraffic: () => ({ packetsToTunnel: 0, bytesToTunnel: 0, packetsToLan: 0, bytesToLan: 0 }),
  };
  const tunnel = {
    upPeers: () => [],
    peers: () => {
      asked++;
      return [...peers];
    },
    clients: () => [],
  };
  const forwarding = ForwardingTable.create({ slots: 16 });
  const sockets = { lans: lansOf([]), lanSockets: [], udp: [], tcp: [], tuns: [] };
  const alone = new Alone({ clock, gndt });
  const view = new LiveView({
    version: '1',
    listen: [],
    cipher: 'chacha20-poly1305',
    native: { rawChaCha: () => true, cipherSpeeds: () => ({ chachaGbps: 10, aesGbps: 12 }) },
    clock,
    tables,
    sites: activeRouters,
    local,
    sockets,
    routes: new RouteExplainer(gndt, forwarding, sockets),
    plane,
    tunnel,
    mobility,
    board,
    conduct: new Conduct(clock),
    warnings: new Warnings(),
    readiness: new Readiness(),
    roleSource:
      role === undefined ? alone : { view: () => role, take: async () => role, reconfigure: () => {} },
  });
  const metrics = new Metrics({
    ...metricsSource({
      view,
      board,
      tables,
      forwarding,
      plane,
      gateways: { conflicts: () => [] },
      traffic: { siteTraffic: () => ({ pairs: [], unattributedBytes: 0 }) },
    }),
    network: () => undefined,
    memberships: () => [],
  });
  const walk = (): never => assert.fail('it looks through a whole table');
  const closeTables = (): void => {
    Object.assign(directory, { all: walk, of: walk });
    Object.assign(hwdt, { all: walk, stale: walk });
  };
  return { view, metrics, activeRouters, closeTables, directory, clock, missing, asked: () => asked };
}

test('status and scrape with 100,000 records look through no table', async () => {
  const { view, metrics, closeTables } = setUp();
  closeTables();
  const { nodesHere, nodesVisiting, nodesDeparted } = view.status();
  assert.deepEqual([nodesHere, nodesVisiting, nodesDeparted], [20_000, 10_000, 10_000]);
  const { text } = await metrics.collect();
  assert.match(text, /^vine_nodes\{state="here"\} 20000$/m);
  assert.match(text, /^vine_nodes\{state="departed"\} 10000$/m);
  assert.match(text, /^vine_table_entries\{table="directory"\} 100000$/m);
});

test('one scrape asks for the peers once, however many metrics are made of them', async () => {
  const { metrics, asked } = setUp();
  await metrics.collect();
  assert.equal(asked(), 1);
  await metrics.collect();
  assert.equal(asked(), 2, 'the next one asks anew');
});

test('tables are looked through while their rows are taken, not before', () => {
  const { view, directory } = setUp();
  let looked = 0;
  const all = directory.all.bind(directory);
  directory.all = function* () {
    for (const record of all()) {
      looked++;
      yield record;
    }
  };
  for (const table of [view.directory(), view.gndt()]) {
    looked = 0;
    const rows = table[Symbol.iterator]();
    assert.equal(looked, 0);
    for (let n = 0; n < 5; n++) assert.equal(rows.next().done, false);
    // The GNDT's rows begin with its networks and leave out most records.
    assert.ok(looked <= 20, `${looked} records for five rows`);
  }
});

test('nodes that are missing: in their own table, in the others’ rows, and counted by their addresses', async () => {
  const { view, metrics, closeTables, clock, missing } = setUp();
  // The twentieth record is at home, the twenty-first visits, and the twenty-second has departed.
  const [home, visitor, departed] = [Ip.v4(0x0a00_0014), Ip.v4(0x0b00_0015), Ip.v4(0x0a00_0016)];
  assert.equal(view.status().nodesMissing, 0);
  clock.advance(600_000);
  const nowMs = clock.nowMs();
  const node = { vnet: BLUE, mac: 0x0200_0000_0014 as Mac, rounds: 4, askedRouters: 1 };
  missing.push(
    { ...node, ips: [home, visitor], sinceMs: nowMs - 9_000, nextMs: nowMs + 7_000, cause: 'unanswered' },
    { ...node, ips: [Ip.of('12.0.0.1')], sinceMs: nowMs, nextMs: nowMs, cause: 'asked-again' },
  );
  const iso = (agoMs: number): string => new Date(clock.wallMs() - agoMs).toISOString();
  assert.deepEqual(
    [...view.missing()],
    [
      {
        vnet: 'blue',
        ips: [home.key, visitor.key],
        mac: '02:00:00:00:00:14',
        home: 'vr-a',
        missingSince: iso(9_000),
        searches: 4,
        nextSearchAt: iso(-7_000),
        askedRouters: 1,
        why: 'packets went to it for 300 ms and none came from it',
      },
      {
        vnet: 'blue',
        ips: ['12.0.0.1'],
        mac: '02:00:00:00:00:14',
        home: null,
        missingSince: iso(0),
        searches: 4,
        nextSearchAt: null,
        askedRouters: 1,
        why: 'a host of its LAN asked for it twice within 3 s',
      },
    ],
  );
  const missingIn = (rows: Iterable<{ ip: string; missing: boolean }>): string[] =>
    [...rows].filter((row) => row.missing).map(({ ip }) => ip);
  assert.deepEqual(missingIn(view.directory()), [home.key, visitor.key]);
  const lndt = [...view.lndt()].map(({ node: ip, missing: isMissing }) => ({ ip, missing: isMissing }));
  assert.deepEqual(missingIn(lndt), [visitor.key]);
  assert.ok(lndt.some(({ ip }) => ip === departed.key));
  closeTables();
  assert.equal(view.status().nodesMissing, 3);
  const { text } = await metrics.collect();
  assert.match(text, /^vine_nodes\{state="missing"\} 3$/m);
});

function peerState(id: string): PeerState {
  return {
    id,
    peer: 1,
    state: 'up',
    reason: '',
    transport: 'none',
    endpoint: undefined,
    cipher: undefined,
    cipherReason: 'no session',
    names: [],
    nameInUse: undefined,
    relay: undefined,
    lossPercent: undefined,
    lastHandshakeWallMs: undefined,
    rttMs: undefined,
    version: undefined,
    capabilities: [],
    innerMtuBytes: 0,
    sameGndt: undefined,
    coordinate: undefined,
    clockOffsetMs: undefined,
    pathMtuBytes: undefined,
    pendingMessages: 0,
    counts: undefined,
  };
}

test('peers stand in sites, and one router of each is active', () => {
  const sites = [{ id: 'site-b', routers: ['vr-b', 'vr-c'] }];
  const peers = ['vr-b', 'vr-c', 'vr-a'].map(peerState);
  const { view, activeRouters } = setUp({ sites, peers });
  const shown = (): unknown[] => view.peers().map(({ id, site, active }) => [id, site, active]);
  assert.deepEqual(shown(), [
    ['vr-b', 'site-b', true],
    ['vr-c', 'site-b', false],
    ['vr-a', null, true],
  ]);
  activeRouters.setActive('vr-c');
  assert.deepEqual(shown().slice(0, 2), [
    ['vr-b', 'site-b', false],
    ['vr-c', 'site-b', true],
  ]);
});

test('the status tells of the role only where there are two', () => {
  assert.equal(setUp().view.status().role, null);
  assert.deepEqual(setUp({ role: ROLE }).view.status().role, {
    site: 'site-a',
    role: 'active',
    term: 7,
    partner: 'vr-a2',
    partnerRole: 'standby',
  });
});
