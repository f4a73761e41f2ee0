/** Sites behind NAT: straight where the boxes let them, else by way of a relay; connections stay when that changes. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { PeerView } from '../../src/control/api.js';
import type { Lab } from '../lab/lab.js';
import type { SiteLetter } from '../lab/plan.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { cannotRun, ping, withLab } from './support.js';

/** Better paths are looked for every few seconds, not every minute. */
const SHORT = ['--test-times', JSON.stringify({ pathProbeMs: 3_000 })];

async function peer(lab: Lab, site: SiteLetter, other: SiteLetter): Promise<PeerView | undefined> {
  return (await lab.daemon(site).peers()).find(({ id }) => id === `vr-${other}`);
}

async function untilPath(lab: Lab, transport: PeerView['transport'], limitMs: number): Promise<void> {
  for (const [site, other] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const)
    await waitFor(
      `site ${site} reaches ${other} by ${transport}`,
      async () => {
        const view = await peer(lab, site, other);
        return view?.state === 'up' && view.transport === transport;
      },
      limitMs,
    );
}

test('two sites behind hard NAT speak by way of a relay, which sees nothing', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'nat', nat: 'hard' }, async (lab) => {
    await ping(lab, 'a1', '10.2.0.11');
    await ping(lab, 'a1', 'fd00:2::11');
    const view = await peer(lab, 'a', 'b');
    assert.deepEqual([view?.transport, view?.relay, view?.endpoint], ['relay', 'vr-c', null]);
    assert.equal((await peer(lab, 'a', 'c'))?.transport, 'udp');
    const stream = await TcpStream.open(lab, 'a1', 'b1', '10.2.0.11', 4_000_000);
    await stream.progress(4_000_000, 60_000);
    await stream.finish();
    const text = await lab.vinectl('a', ['peers']);
    assert.match(text, /vr-b +up +via vr-c/);
    assert.match(text, /vr-c +up +direct/);
    const relay = await lab.daemon('c').counters();
    assert.ok((relay.relayed ?? 0) > 1_000, 'the relay has passed nothing on');
    assert.equal(relay.to_lan ?? 0, 0, 'the relay has opened packets');
  }),
);

test('a straight path is found, lost and found again, and connections stay', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'nat', nat: 'easy', daemons: false }, async (lab) => {
    for (const { letter } of lab.plan.sites) lab.daemon(letter).start([], SHORT);
    await lab.waitConnected();
    await untilPath(lab, 'udp', 30_000);
    const stream = await TcpStream.open(lab, 'a1', 'b1', '10.2.0.11');
    await stream.progress(200_000);
    const rules =
      'table ip cut { chain forward { type filter hook forward priority -10; ip saddr 192.0.2.2 drop; ip daddr 192.0.2.2 drop; }; }';
    await lab.exec('nat-a', ['nft', rules]);
    await untilPath(lab, 'relay', 30_000);
    await stream.progress(200_000, 60_000);
    await lab.exec('nat-a', ['nft', 'delete table ip cut']);
    await untilPath(lab, 'udp', 90_000);
    await stream.progress(200_000, 30_000);
    await stream.finish(); // throws when a byte is lost, doubled or changed
    for (const site of ['a', 'b'] as const) {
      const counters = await lab.daemon(site).counters();
      assert.equal(counters.drop_relay_malformed, 0);
    }
    const events = await lab.daemon('a').get<readonly { event: string; peer?: string }[]>('/v1/events');
    assert.ok(!events.some(({ event, peer: id }) => event === 'peer_down' && id === 'vr-b'));
    t.diagnostic(`longest gap ${Math.round(stream.gapMs)} ms`);
  }),
);

test(
  'a router that was killed calls the sites behind NAT, which only it can find',
  { skip: cannotRun },
  (t) =>
    withLab(t, { topology: 'nat', nat: 'hard' }, async (lab) => {
      const relay = lab.daemon('c');
      const remembered = join(relay.directory, 'state', 'endpoints.json');
      await waitFor(
        'both are remembered',
        () => existsSync(remembered) && readFileSync(remembered, 'utf8').split('"session":true').length === 3,
      );
      await relay.kill('SIGKILL');
      const startedMs = performance.now();
      relay.start();
      await relay.waitReady(['vr-a', 'vr-b']);
      t.diagnostic(`ready with both ${Math.round(performance.now() - startedMs)} ms after its start`);
      // Left alone they would have noticed 10 s after the last answer.
      const { handshake_initiations_sent: calls = 0, handshake_responses_sent: answers = 0 } =
        await relay.counters();
      assert.ok(calls >= 2, `${calls} calls`);
      assert.equal(answers, 0);
      await lab.waitConnected();
      await ping(lab, 'a1', '10.2.0.11');
    }),
);
