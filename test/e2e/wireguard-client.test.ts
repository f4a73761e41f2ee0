/** An ordinary WireGuard client, not written here, joins a vnet as a node and keeps its connections. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClientView, LndtView } from '../../src/control/api.js';
import type { Lab } from '../lab/lab.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { cannotRun, isUnreachable, ping, untilKnownAt, withLab } from './support.js';
import { addClient, WireguardClient, withoutWireguard } from './wireguard-client.js';

const skip = cannotRun === false ? await withoutWireguard() : cannotRun;
const PHONE = '10.1.0.201';
const TABLET = 'fd00:2::201';
/** So that keys are renewed and run out while the test looks. */
const SHORT = [
  '--test-times',
  JSON.stringify({ rekeyAfterMs: 2_000, rejectAfterMs: 5_000, rekeyTimeoutMs: 1_000 }),
];
const someBytes = 300_000;

async function phoneState(lab: Lab): Promise<ClientView['state'] | undefined> {
  const clients = await lab.daemon('a').get<readonly ClientView[]>('/v1/clients');
  return clients.find(({ ip }) => ip === PHONE)?.state;
}

test('a WireGuard client joins: ping and TCP both ways with both sites, roaming, restarts', { skip }, (t) =>
  withLab(t, { topology: 'two-site', daemons: false }, async (lab) => {
    const phone = new WireguardClient(lab, 'phone', `${lab.name}p`, await addClient(lab, 'a', PHONE));
    const tablet = new WireguardClient(lab, 'phone', `${lab.name}t`, await addClient(lab, 'b', TABLET));
    lab.addToWan('phone', ['192.0.2.100/24']);
    for (const site of ['a', 'b'] as const) lab.daemon(site).start();
    await lab.waitConnected();
    try {
      await phone.start();
      await tablet.start();
      for (const address of ['10.1.0.11', '10.2.0.11', 'fd00:1::11', 'fd00:2::12'])
        await ping(lab, 'phone', address);
      await ping(lab, 'a1', PHONE); // its own LAN, by proxy ARP
      await ping(lab, 'b1', PHONE);
      await ping(lab, 'a1', TABLET);
      await ping(lab, 'b1', TABLET);
      assert.ok(await isUnreachable(lab, 'phone', '10.1.0.66'), 'it reaches a host that is not listed');
      // A right key does not give the right to another's address.
      await lab.exec('phone', ['ip', 'address', 'add', '10.2.0.11/32', 'dev', 'lo']);
      assert.ok(await isUnreachable(lab, 'phone', '10.1.0.11', '10.2.0.11'), 'it speaks for b1');
      await lab.exec('phone', ['ip', 'address', 'del', '10.2.0.11/32', 'dev', 'lo']);
      const { drop_source_not_peers: spoofed = 0 } = await lab.daemon('a').counters();
      assert.ok(spoofed >= 5, `${spoofed} packets dropped`);
      await untilKnownAt(lab, 'b', PHONE, 'a');
      const lndt = await lab.daemon('a').get<readonly LndtView[]>('/v1/lndt');
      assert.deepEqual(lndt.find(({ node }) => node === PHONE)?.state, 'client');

      const streams = [
        await TcpStream.open(lab, 'phone', 'a1', '10.1.0.11'),
        await TcpStream.open(lab, 'b1', 'phone', PHONE),
        await TcpStream.open(lab, 'phone', 'b2', 'fd00:2::12'),
      ];
      const goOn = async (): Promise<void> => {
        for (const stream of streams) await stream.progress(someBytes, 60_000);
      };
      await goOn();
      // Roaming: another port is another address.
      const port = 40_000 + (process.pid % 20_000);
      await phone.set('listen-port', String(port));
      await goOn();
      assert.match(await lab.vinectl('a', ['clients']), new RegExp(`192\\.0\\.2\\.100:${port}`));
      // The router forgets all keys; the client notices that nobody answers.
      await lab.daemon('a').kill('SIGKILL');
      lab.daemon('a').start();
      await lab.waitConnected();
      await goOn();
      // The client forgets all keys, and its place in the replay window.
      await phone.stop();
      await phone.start();
      await goOn();
      for (const stream of streams) await stream.finish();
    } finally {
      t.diagnostic(phone.log.split('\n').slice(-15).join('\n'));
      await phone.stop();
      await tablet.stop();
    }
  }),
);

test('keys of a WireGuard client are renewed in both roles', { skip }, (t) =>
  withLab(t, { topology: 'two-site', daemons: false }, async (lab) => {
    const phone = new WireguardClient(lab, 'phone', `${lab.name}p`, await addClient(lab, 'a', PHONE));
    lab.addToWan('phone', ['192.0.2.100/24']);
    for (const site of ['a', 'b'] as const) lab.daemon(site).start([], SHORT);
    await lab.waitConnected();
    try {
      await phone.start();
      const stream = await TcpStream.open(lab, 'phone', 'b1', '10.2.0.11');
      // The client began the first session. It ran out at the router, whose rekeys the client answers from then on.
      await waitFor(
        'five sessions that the router began',
        () => phone.count('Received handshake initiation') >= 5,
        40_000,
      );
      assert.ok(phone.count('Sending handshake initiation') >= 1);
      assert.ok(phone.count('Sending handshake response') >= 5);
      await stream.progress(someBytes, 30_000);
      await stream.finish();
      const counters = await lab.daemon('a').counters();
      t.diagnostic(`${counters.sessions_established} sessions`);
      // Left alone, it is called by the router when there is something for it.
      await waitFor('the router has no session', async () => (await phoneState(lab)) === 'away', 30_000);
      await ping(lab, 'b1', PHONE);
    } finally {
      await phone.stop();
    }
  }),
);
