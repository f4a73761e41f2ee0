/** Paths that carry less than Ethernet, more, and less than a moment ago. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PeerView } from '../../src/control/api.js';
import type { Lab } from '../lab/lab.js';
import type { SiteLetter } from '../lab/plan.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { cannotRun, ping, withLab } from './support.js';

const OVERHEAD = 64;

/** What site a's wan0 sends and its other end takes; the other end counts first when it shrinks. */
async function setWanMtu(lab: Lab, site: SiteLetter, bytes: number): Promise<void> {
  await lab.exec('wan', ['ip', 'link', 'set', `w-${site}`, 'mtu', String(bytes)]);
  await lab.exec(`vr-${site}`, ['ip', 'link', 'set', 'wan0', 'mtu', String(bytes)]);
}

async function peerOf(lab: Lab, site: SiteLetter): Promise<PeerView> {
  const [peer] = await lab.daemon(site).peers();
  if (peer === undefined) throw new Error('no peer');
  return peer;
}

async function untilMtu(lab: Lab, site: SiteLetter, inner: number, limitMs = 15_000): Promise<void> {
  await waitFor(
    `site ${site} sends packets of ${inner} bytes`,
    async () => {
      const { innerMtuBytes, pathMtuBytes } = await peerOf(lab, site);
      const grain = innerMtuBytes <= inner && innerMtuBytes > inner - 9;
      return grain && (pathMtuBytes === null || pathMtuBytes === innerMtuBytes + OVERHEAD);
    },
    limitMs,
  );
}

/** One ping of an IP packet of that size; what the kernel said when it was not answered. */
async function pingSize(lab: Lab, to: string, bytes: number, fragment: 'do' | 'dont'): Promise<string> {
  const header = to.includes(':') ? 48 : 28;
  const size = ['-s', String(bytes - header), '-M', fragment];
  const command = ['ping', '-n', '-c', '4', '-i', '0.3', '-W', '2', ...size, to];
  const { stdout, stderr } = await lab.attempt('a1', command);
  return / [1-4] received/.test(stdout) ? 'answered' : stdout + stderr;
}

test(
  'a WAN of 1,400 bytes: DF is told, the rest is cut, large UDP and TCP arrive',
  { skip: cannotRun },
  (t) =>
    withLab(t, { topology: 'two-site', daemons: false }, async (lab) => {
      for (const site of ['a', 'b'] as const) await setWanMtu(lab, site, 1_400);
      for (const { letter } of lab.plan.sites) lab.daemon(letter).start();
      await lab.waitConnected();
      const inner = 1_400 - OVERHEAD;
      for (const site of ['a', 'b'] as const) await untilMtu(lab, site, inner);
      await ping(lab, 'a1', '10.2.0.11');
      assert.equal(await pingSize(lab, '10.2.0.11', inner - 8, 'do'), 'answered');
      assert.match(await pingSize(lab, '10.2.0.11', 1_500, 'do'), /mtu ?=? ?13[23]\d/i);
      assert.equal(await pingSize(lab, '10.2.0.11', 1_500, 'dont'), 'answered');
      assert.equal(await pingSize(lab, '10.2.0.11', 9_000, 'dont'), 'answered');
      assert.equal(await pingSize(lab, 'fd00:2::11', 1_500, 'dont'), 'answered');
      const counters = await lab.daemon('a').counters();
      assert.ok((counters.icmp_too_big_sent ?? 0) > 0 && (counters.drop_too_big ?? 0) > 0);
      const stream = await TcpStream.open(lab, 'a1', 'b1', '10.2.0.11', 4_000_000);
      await stream.progress(8_000_000, 60_000);
      await stream.finish();
      assert.match(await lab.vinectl('a', ['peers']), /PATH MTU/);
    }),
);

test('a WAN of 1,280 bytes carries IPv6 of 1,280, and one of 9,000 whole packets', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site', daemons: false }, async (lab) => {
    for (const site of ['a', 'b'] as const) await setWanMtu(lab, site, 1_280);
    for (const { letter } of lab.plan.sites) lab.daemon(letter).start();
    await lab.waitConnected();
    await untilMtu(lab, 'a', 1_280 - OVERHEAD);
    await ping(lab, 'a1', 'fd00:2::11');
    assert.equal(await pingSize(lab, 'fd00:2::11', 1_280, 'do'), 'answered');
    assert.equal(await pingSize(lab, '10.2.0.11', 1_500, 'dont'), 'answered');
    for (const site of ['a', 'b'] as const) {
      await lab.daemon(site).kill();
      await setWanMtu(lab, site, 9_000);
    }
    for (const { letter } of lab.plan.sites) lab.daemon(letter).start();
    await lab.waitConnected();
    for (const site of ['a', 'b'] as const) await untilMtu(lab, site, 1_500); // the LANs'
    await ping(lab, 'a1', '10.2.0.11');
    assert.equal(await pingSize(lab, '10.2.0.11', 1_500, 'do'), 'answered');
  }),
);

test('a path that shrinks under a connection is no black hole', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site' }, async (lab) => {
    for (const site of ['a', 'b'] as const) await untilMtu(lab, site, 1_500 - OVERHEAD);
    const stream = await TcpStream.open(lab, 'a1', 'b1', '10.2.0.11');
    await stream.progress(300_000);
    await stream.mark();
    // In the middle of the path, where the routers do not see it; and nobody tells them.
    for (const site of ['a', 'b'] as const)
      await lab.exec('wan', ['ip', 'link', 'set', `w-${site}`, 'mtu', '1350']);
    for (const site of ['a', 'b'] as const) await untilMtu(lab, site, 1_350 - OVERHEAD, 30_000);
    await stream.progress(300_000, 30_000);
    await stream.finish();
    t.diagnostic(`longest gap ${Math.round(stream.gapMs)} ms`);
  }),
);
