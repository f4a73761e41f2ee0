/** vinectl traffic --by group, from the router's answer. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startControlServer } from '../../../src/control/server.js';
import type { TrafficRequest, TrafficRowView, TrafficView } from '../../../src/control/traffic-view.js';
import type { TrafficMatrix } from '../../../src/traffic/matrix.js';
import { FakeRouter, NOW } from '../control/fake-router.js';
import { facesOf, temporaryDirectory } from '../control/fixture.js';
import { addressOf, lu8, matrixOf, mg8 } from '../traffic/nas-patterns.js';
import { vinectl } from './harness.js';

class GroupRouter extends FakeRouter {
  periods: TrafficMatrix[] = [];
  readonly asked: TrafficRequest[] = [];

  override async traffic(request: TrafficRequest): Promise<TrafficView> {
    this.asked.push(request);
    const parts = this.periods.map((matrix) => ({
      startedAt: NOW,
      seconds: 30,
      packets: 0,
      bytes: 0,
      truncated: false,
      shareOfBytes: 1,
      rows: matrix.pairs.map(
        (pair): TrafficRowView => ({ ...pair, vnet: 'blue', bytesPerSecond: pair.bytes / 30 }),
      ),
    }));
    return {
      from: '2026-03-01T11:58:00.000Z',
      to: NOW,
      periods: parts.length,
      periodSeconds: 30,
      mode: 'ended',
      weight: 1,
      by: 'node',
      partial: false,
      missing: [],
      lacking: [],
      parts,
    };
  }
}

async function start(t: TestContext): Promise<{ router: GroupRouter; socket: string }> {
  const socket = join(await temporaryDirectory(t), 'control.sock');
  const router = new GroupRouter();
  const server = await startControlServer({ socket, group: 'root', ...facesOf(router), onFault: () => {} });
  t.after(() => server.close());
  return { router, socket };
}

const [lu, mg] = [matrixOf(lu8(), 30), matrixOf(mg8(), 30)];
const four = (first: number): string[] => [0, 1, 2, 3].map((n) => addressOf(first + n));

test('groups for people', async (t) => {
  const { router, socket } = await start(t);
  router.periods = [lu, lu, lu, lu];
  const { status, out } = await vinectl(['traffic', '--by', 'group', '--last', '2m'], { socket });
  assert.equal(status, 0);
  assert.match(
    out,
    /^Groups from 2026-03-01 11:58:00Z to 2026-03-01 12:00:00Z: 4 periods, by bytes, pairs of 100 % of/,
  );
  assert.match(out, /^1 {2}blue {5}4 {2}10\.1\.0\.1 10\.1\.0\.2 10\.1\.0\.3 10\.1\.0\.4$/m);
  assert.match(out, /^2 {2}blue {5}4 {2}10\.1\.0\.5 10\.1\.0\.6 10\.1\.0\.7 10\.1\.0\.8$/m);
  const [asked] = router.asked;
  assert.deepEqual([asked?.by, asked?.detail, asked?.lastSeconds, asked?.top], ['node', true, 120, 1_024]);
});

test('groups for programs; a change that is not three periods old is told as one', async (t) => {
  const { router, socket } = await start(t);
  router.periods = [lu, lu, lu, mg, mg];
  const ask = async (argv: readonly string[] = []) =>
    JSON.parse((await vinectl(['traffic', '--by', 'group', '--json', ...argv], { socket })).out);
  const report = await ask();
  assert.deepEqual(report.groups, [
    { vnet: 'blue', nodes: four(0) },
    { vnet: 'blue', nodes: four(4) },
  ]);
  assert.equal(report.changingPeriods, 2);
  router.periods.push(mg);
  const changed = await ask();
  assert.deepEqual(
    [changed.groups.length, changed.groups[0].nodes.length, changed.changingPeriods],
    [1, 8, 0],
  );
  router.periods = [lu, lu, lu];
  assert.deepEqual((await ask(['--threshold', '0.3'])).groups.length, 1);
  assert.deepEqual((await ask(['--measure', 'packets'])).measure, 'packets');
  router.periods = [];
  const { out } = await vinectl(['traffic', '--by', 'group'], { socket });
  assert.match(out, /^no groups$/m);
});

test('too short a time, and shares that are none, are refused', async (t) => {
  const { router, socket } = await start(t);
  const short = await vinectl(['traffic', '--by', 'group', '--last', '1m'], { socket });
  assert.deepEqual([short.status, /ask for 90s or more/.test(short.err)], [1, true]);
  for (const threshold of ['0', '1.5', 'x'])
    assert.equal(
      (await vinectl(['traffic', '--by', 'group', '--threshold', threshold], { socket })).status,
      2,
    );
  assert.deepEqual(router.asked, []);
});
