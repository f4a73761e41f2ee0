/** What is asked of the router again and again costs the same however many nodes there are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import type { Mac } from '../../../src/net/mac.js';
import { Conduct } from '../../../src/protocol/conduct.js';
import { Readiness } from '../../../src/router/life/readiness.js';
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
import { lansOf } from '../../support/lans.js';
import { SimClock } from '../../support/sim-clock.js';
import { BLUE, gndtConfig, network } from '../tables/fixtures.js';

const RECORDS = 100_000;

/** A router of whose 100,000 nodes a tenth each is at home, visiting and departed. */
function setUp() {
  const clock = new SimClock();
  const networks = [network(BLUE, '10.0.0.0/8', 'vr-a'), network(BLUE, '11.0.0.0/8', 'vr-b')];
  const gndt = new Gndt(gndtConfig(networks), 'vr-a');
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
      return [];
    },
    clients: () => [],
  };
  const forwarding = ForwardingTable.create({ slots: 16 });
  const sockets = { lans: lansOf([]), lanSockets: [], udp: [], tcp: [], tuns: [] };
  const view = new LiveView({
    version: '1',
    listen: [],
    cipher: 'chacha20-poly1305',
    rawChaCha: true,
    clock,
    tables,
    local,
    sockets,
    routes: new RouteExplainer(gndt, forwarding, sockets),
    plane,
    tunnel,
    mobility: { moves: () => [] },
    board,
    conduct: new Conduct(clock),
    warnings: new Warnings(),
    readiness: new Readiness(),
  });
  const metrics = new Metrics(metricsSource({ view, board, tables, forwarding, plane }));
  const walk = (): never => assert.fail('it looks through a whole table');
  const closeTables = (): void => {
    Object.assign(directory, { all: walk, of: walk });
    Object.assign(hwdt, { all: walk, stale: walk });
  };
  return { view, metrics, closeTables, directory, asked: () => asked };
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
