/** Reloads that add and remove other sites, under load: nothing of what passes is lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lab } from '../lab/lab.js';
import { UdpProbe } from '../lab/traffic/traffic.js';
import { post, readGndt, withSite, writeConfig } from './reload-support.js';
import { cannotRun, withLab } from './support.js';

const packetsPerSecond = 10_000;
const reloads = 50;
const receiver = 'b1';

/** Datagrams that reached the receiving host and found its program's buffer full: no loss of the overlay's. */
async function receiverOverflows(lab: Lab): Promise<number> {
  const lines = (await lab.exec(receiver, ['cat', '/proc/net/snmp'])).split('\n');
  const [names, values] = lines.filter((line) => line.startsWith('Udp:')).map((line) => line.split(' '));
  return Number(values?.[names?.indexOf('RcvbufErrors') ?? -1]);
}

interface Outcome {
  readonly received: number;
  readonly lost: number;
  readonly reordered: number;
  readonly gapMs: number;
}

async function measure(lab: Lab, during: () => Promise<void>): Promise<Outcome> {
  const probe = await UdpProbe.open(lab, 'a1', receiver, '10.2.0.11', packetsPerSecond);
  await probe.progress(packetsPerSecond / 2);
  await probe.mark();
  const before = await receiverOverflows(lab);
  await during();
  const { received, lost, reordered, duplicated, gap } = await probe.finish();
  assert.equal(duplicated, 0);
  return {
    received,
    lost: lost - ((await receiverOverflows(lab)) - before),
    reordered,
    gapMs: gap.longestMs,
  };
}

async function reloadAgainAndAgain(lab: Lab): Promise<void> {
  const plain = readGndt(lab.daemon('a'));
  for (let i = 0; i < reloads; i++) {
    const gndt =
      i % 2 === 0 ? withSite(i % 4 === 0 ? plain : withSite(plain, 'vr-y', 120), `vr-x${i}`, 100 + i) : plain;
    for (const site of ['a', 'b'] as const) {
      const daemon = lab.daemon(site);
      writeConfig(daemon, 'gndt', gndt);
      const { status, body } = await post(daemon, '/v1/reload');
      assert.deepEqual([status, body.applied], [200, true], JSON.stringify(body));
    }
  }
}

test('50 reloads at each router under 10,000 packets a second lose nothing', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site', wanDelayMs: 2 }, async (lab) => {
    const sessions = async (): Promise<(string | null | undefined)[]> =>
      Promise.all(
        (['a', 'b'] as const).map(async (site) => (await lab.daemon(site).peers())[0]?.lastHandshakeAt),
      );
    const quiet = await measure(lab, () => new Promise((resolve) => setTimeout(resolve, 3000)));
    const handshakes = await sessions();
    const started = performance.now();
    const loaded = await measure(lab, () => reloadAgainAndAgain(lab));
    t.diagnostic(`without reloads: ${JSON.stringify(quiet)}`);
    t.diagnostic(
      `with ${reloads} reloads at each router in ${Math.round(performance.now() - started)} ms: ${JSON.stringify(loaded)}`,
    );
    assert.deepEqual(await sessions(), handshakes, 'a session was made anew');
    assert.ok(loaded.received > packetsPerSecond, 'the load was not there');
    assert.ok(loaded.lost <= quiet.lost, `${loaded.lost} packets are lost`);
    assert.ok(loaded.reordered <= quiet.reordered, `${loaded.reordered} packets are out of order`);
  }),
);
