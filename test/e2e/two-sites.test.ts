/** Two sites see each other; who is not listed, or has a wrong key, gets nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PeerView, StatusView } from '../../src/control/api.js';
import { unlistedAddress } from '../lab/plan.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { cannotRun, isUnreachable, ping, withLab } from './support.js';

const someBytes = 400_000;
const SITES = ['a', 'b'] as const;

test('two sites: ping and TCP both ways, IPv4 and IPv6', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site', wanDelayMs: 5 }, async (lab) => {
    for (const [from, address] of [
      ['a1', '10.2.0.11'],
      ['b2', '10.1.0.12'],
      ['a2', 'fd00:2::12'],
      ['b1', 'fd00:1::11'],
    ] as const)
      await ping(lab, from, address);
    for (const [from, to, address] of [
      ['a1', 'b1', '10.2.0.11'],
      ['b2', 'a2', '10.1.0.12'],
      ['a1', 'b1', 'fd00:2::11'],
    ] as const) {
      const stream = await TcpStream.open(lab, from, to, address);
      await stream.progress(someBytes);
      const { retransmissions } = await stream.finish();
      t.diagnostic(
        `${from} → ${address}: ${someBytes} bytes and more each way, ${retransmissions} retransmissions`,
      );
    }
  }),
);

test('they use AES-256-GCM where it is clearly faster at both, and say so', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site' }, async (lab) => {
    const [a, b] = await Promise.all(
      SITES.map(async (site) => JSON.parse(await lab.vinectl(site, ['status', '--json'])) as StatusView),
    );
    const isFast = a?.tunnel.fastAes === true && b?.tunnel.fastAes === true;
    const wanted = isFast ? 'aes-256-gcm' : 'chacha20-poly1305';
    t.diagnostic(
      `AES-256-GCM ${a?.tunnel.aesGbps.toFixed(1)}, ChaCha20-Poly1305 ${a?.tunnel.chachaGbps.toFixed(1)} Gbit/s: ${wanted}`,
    );
    assert.equal(a?.tunnel.cipher, 'auto');
    await waitFor(wanted, async () => {
      const peers = await Promise.all(
        SITES.map(async (site) => JSON.parse(await lab.vinectl(site, ['peers', '--json'])) as PeerView[]),
      );
      return peers.flat().every(({ cipher }) => cipher === wanted);
    });
    await ping(lab, 'a1', '10.2.0.11');
    await ping(lab, 'b1', 'fd00:1::11');
  }),
);

test('a large transfer fits through: packets near the tunnel MTU', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site' }, async (lab) => {
    const stream = await TcpStream.open(lab, 'a1', 'b1', '10.2.0.11', 8_000_000);
    await stream.progress(10_000_000, 60_000);
    await stream.finish();
  }),
);

test('a host that is not listed gets nothing', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site' }, async (lab) => {
    await ping(lab, 'a1', '10.2.0.11');
    assert.ok(await isUnreachable(lab, 'ax', '10.2.0.11'), 'it reaches the other site');
    assert.ok(await isUnreachable(lab, 'b1', unlistedAddress), 'it is reached from the other site');
    await ping(lab, 'ax', '10.1.0.11'); // its own LAN is no business of the router's
    const lndt = JSON.parse(await lab.vinectl('a', ['lndt', '--json'])) as { node: string; state: string }[];
    assert.ok(
      lndt.some(({ node, state }) => node === unlistedAddress && state === 'unauthorised'),
      'vinectl lndt does not show it as unauthorised',
    );
    const counters = Object.entries(await lab.daemon('a').counters());
    const dropped = counters.filter(([name]) => name.includes('source_unauthorised'));
    assert.ok(
      dropped.some(([, count]) => count > 0),
      'its packets are not counted',
    );
  }),
);

test('a router with a wrong key gets nothing, and harms nobody', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'three-site', wrongKey: ['c'] }, async (lab) => {
    await ping(lab, 'a1', '10.2.0.11');
    assert.ok(await isUnreachable(lab, 'c1', '10.1.0.11'), 'its hosts reach site a');
    assert.ok(await isUnreachable(lab, 'a1', '10.3.0.11'), 'its hosts are reached from site a');
    for (const site of ['a', 'b'] as const) {
      const refused = (await lab.daemon(site).peers()).find(({ id }) => id === 'vr-c');
      assert.notEqual(refused?.state, 'up', `site ${site} takes it for a peer`);
    }
    for (const peer of await lab.daemon('c').peers())
      assert.notEqual(peer.state, 'up', 'it believes to be connected');
    await ping(lab, 'b1', '10.1.0.11');
  }),
);
