/**
 * DHCP of a node that visits a site whose own server is authoritative, and refuses what is not of its network. The home
 * site's server is Debian's dnsmasq; the foreign one is that, Kea, or ISC dhcpd.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { IGNORE_FORMATS } from '../../src/config/ignore-list.js';
import type { CountersView } from '../../src/control/api.js';
import { ignoreFile } from '../lab/configuration.js';
import { type Answer, DhcpClient } from '../lab/dhcp/client.js';
import { DhcpServer, misses, serverPrograms } from '../lab/dhcp/servers.js';
import type { Lab } from '../lab/lab.js';
import type { Site, SiteLetter } from '../lab/plan.js';
import { waitFor } from '../lab/wait.js';
import { type Dhcp4Fields, dhcp4, dhcp6, duidOf, TYPE, TYPE_6 } from '../support/dhcp-messages.js';
import { readConfig, writeConfig } from './reload-support.js';
import { cannotRun, untilKnownAt, withLab } from './support.js';

const skip = cannotRun || misses('dnsmasq');
const wanDelayMs = 10;
/** Both ways: nothing can come from home before. */
const roundTripUs = 2_000 * wanDelayMs;
const MAC = '52:54:00:00:00:09';
const ADDRESS = '10.1.0.9';
const CLIENT_ID = '01525400000009';
const NATIVE_MAC = '02:00:00:00:02:0b';

let questions = 0;
const request = (fields: Partial<Dhcp4Fields> = {}): Uint8Array =>
  dhcp4({ type: TYPE.request, mac: MAC, xid: 0xd0000000 + ++questions, clientId: CLIENT_ID, ...fields });
const discover = (): Uint8Array => request({ type: TYPE.discover });

const counter = async (lab: Lab, site: SiteLetter, name: string): Promise<number> =>
  (await lab.daemon(site).get<CountersView>('/v1/counters'))[`mobility_${name}`] ?? 0;

const told = (answers: readonly Answer[]): string[] =>
  answers.map(({ server, message }) => `${message.kind} from ${server}`);

function sitesOf(lab: Lab): readonly [Site, Site] {
  const [a, b] = lab.plan.sites;
  assert.ok(a && b);
  return [a, b];
}

async function moved(lab: Lab, to: SiteLetter): Promise<void> {
  await lab.move('vm', to);
  for (const site of ['a', 'b'] as const) await untilKnownAt(lab, site, ADDRESS, to);
}

const untilListed = (lab: Lab, isListed: boolean): Promise<unknown> =>
  waitFor(
    `the list to have ${isListed ? 'the visitor' : 'nobody'}`,
    () => readFileSync(ignoreFile(lab.directory, 'b'), 'utf8').includes(MAC) === isListed,
  );

const TRIES = 20;

/**
 * Rebinding and rebooting in turn: how often it keeps its address, by the home server's word and no other (`alone`), or
 * because that came first (`first`).
 */
async function kept(client: DhcpClient, home: DhcpServer, by: 'alone' | 'first'): Promise<number> {
  let count = 0;
  for (let n = 0; n < TRIES; n++) {
    const asking = n % 2 === 0 ? { ciaddr: ADDRESS } : { requested: ADDRESS };
    const all = told(await client.broadcast(request(asking), asking.ciaddr ?? '0.0.0.0'));
    const heard = by === 'alone' ? all : all.slice(0, 1);
    if (heard.length > 0 && heard.every((answer) => answer === `ack from ${home.address}`)) count++;
  }
  return count;
}

/** A node of the site itself asks, and is served as if there were no routers. */
async function nativeIsServed(lab: Lab, foreign: DhcpServer): Promise<void> {
  const before = await counter(lab, 'b', 'dhcp_carried_home');
  const native = new DhcpClient(lab, 'b1', NATIVE_MAC);
  const answers = await native.broadcast(
    dhcp4({ type: TYPE.discover, mac: NATIVE_MAC, xid: 77 }),
    '0.0.0.0',
    3,
  );
  assert.deepEqual(told(answers), [`offer from ${foreign.address}`], foreign.log());
  assert.equal(await counter(lab, 'b', 'dhcp_carried_home'), before);
}

test('IPv4: a visitor and two authoritative servers', { skip }, (t) =>
  withLab(t, { topology: 'two-site', wanDelayMs, ignoreFormat: 'dnsmasq' }, async (lab) => {
    const [siteA, siteB] = sitesOf(lab);
    const reserved = { mac: MAC, address: ADDRESS };
    const home = await DhcpServer.start(lab, siteA, 'dnsmasq', { reserved });
    const foreign = await DhcpServer.start(lab, siteB, 'dnsmasq');
    const client = new DhcpClient(lab, 'vm', MAC);
    const fromHome = (kind: string): string => `${kind} from ${home.address}`;
    await untilKnownAt(lab, 'a', ADDRESS, 'a');

    await t.test('at home its server answers, and no router has a part in it', async () => {
      const answers = await client.broadcast(request({ requested: ADDRESS }));
      assert.deepEqual(told(answers), [fromHome('ack')]);
      assert.equal(await counter(lab, 'a', 'dhcp_carried_home'), 0);
    });

    await moved(lab, 'b');

    await t.test('away, a renewal with its server alone is acknowledged by that server', async () => {
      const answers = await client.alone(request({ ciaddr: ADDRESS }), home.address);
      assert.deepEqual(told(answers), [fromHome('ack')]);
      await waitFor('the router to hear of it', async () => (await counter(lab, 'b', 'dhcp_routed')) > 0);
    });

    await t.test(
      'rebinding, it is told at once that it keeps its address, and then by its server too',
      async (t) => {
        let isFirst = 0;
        for (let n = 0; n < 8; n++) {
          const answers = await client.broadcast(request({ ciaddr: ADDRESS }), ADDRESS);
          report(t, answers);
          const acknowledged = answers.filter(({ message }) => message.kind === 'ack');
          assert.deepEqual(told(acknowledged), [fromHome('ack'), fromHome('ack')]);
          const [atOnce, true_] = acknowledged.map(({ us }) => us);
          assert.ok(atOnce !== undefined && atOnce < roundTripUs, `after ${atOnce} µs`);
          assert.ok(true_ !== undefined && true_ >= roundTripUs, `after ${true_} µs`);
          if (answers[0]?.message.kind === 'ack') isFirst++;
        }
        t.diagnostic(`before the foreign server's refusal in ${isFirst} of 8`);
        assert.equal(await counter(lab, 'b', 'dhcp_answered'), 8);
      },
    );

    await t.test(
      'without the list its address is kept when the answer from memory comes first',
      async (t) => {
        t.diagnostic(`in ${await kept(client, home, 'first')} of ${TRIES}`);
      },
    );

    await t.test('a node of the foreign site is served by that site', () => nativeIsServed(lab, foreign));

    await t.test('the list is what vinectl says', async () => {
      await untilListed(lab, true);
      const list = readFileSync(ignoreFile(lab.directory, 'b'), 'utf8');
      assert.equal(await lab.vinectl('b', ['dhcp', 'ignore']), list);
      assert.deepEqual(JSON.parse(await lab.vinectl('b', ['dhcp', 'ignore', '--json'])), [
        { vnet: 'blue', mac: MAC, ips: [ADDRESS, 'fd00:1::9'], home: 'vr-a' },
      ]);
    });

    await foreign.stop();
    await moved(lab, 'a');
    await untilListed(lab, false);
    const silent = await DhcpServer.start(lab, siteB, 'dnsmasq', {
      ignoreFile: ignoreFile(lab.directory, 'b'),
    });
    await moved(lab, 'b');
    // It reads its directory as that changes, and says so.
    await waitFor('the server to read the list', () => silent.log().includes('inotify'));

    await t.test(
      'a foreign server that reads the list says nothing, and the node keeps its address',
      async () => {
        assert.equal(await kept(client, home, 'alone'), TRIES, silent.log());
      },
    );

    await t.test('all that it asks for anew comes from home: a real client gets its address', async () => {
      assert.deepEqual(told(await client.broadcast(discover())), [fromHome('offer')], silent.log());
      if (misses('udhcpc') !== false) return;
      const command = ['udhcpc', '-i', 'eth0', '-f', '-n', '-q', '-t', '5', '-s', '/bin/true'];
      const { stderr, stdout } = await lab.attempt('vm', command);
      assert.match(stdout + stderr, /lease of 10\.1\.0\.9 obtained(, lease time 3600| from 10\.1\.0\.12)/);
    });

    await t.test('a node of that site is served as before', () => nativeIsServed(lab, silent));

    await t.test('a reload gives the list another form', async () => {
      const router = readConfig(lab.daemon('b'), 'router') as {
        mobility: { dhcp: { ignoreFormat: string } };
      };
      router.mobility.dhcp.ignoreFormat = 'kea';
      writeConfig(lab.daemon('b'), 'router', router);
      await lab.vinectl('b', ['reload']);
      const kea = await lab.vinectl('b', ['dhcp', 'ignore', '--format', 'kea']);
      await waitFor('the other form', () => readFileSync(ignoreFile(lab.directory, 'b'), 'utf8') === kea);
    });

    await t.test('home again it is on the list no more, and its own server answers it', async () => {
      await moved(lab, 'a');
      await untilListed(lab, false);
      const before = await counter(lab, 'a', 'dhcp_asked');
      assert.deepEqual(told(await client.broadcast(request({ requested: ADDRESS }))), [fromHome('ack')]);
      assert.equal(await counter(lab, 'a', 'dhcp_asked'), before);
    });
  }),
);

function report(t: TestContext, answers: readonly Answer[]): void {
  t.diagnostic(answers.map(({ us, server, message }) => `${us} µs ${message.kind} ${server}`).join(', '));
}

for (const kind of IGNORE_FORMATS.filter((format) => format !== 'dnsmasq')) {
  const missing = skip || misses(serverPrograms[kind]);
  test(`IPv4: a foreign ${kind} accepts the list and leaves the visitor alone`, { skip: missing }, (t) =>
    withLab(t, { topology: 'two-site', wanDelayMs, ignoreFormat: kind }, async (lab) => {
      const [siteA, siteB] = sitesOf(lab);
      const home = await DhcpServer.start(lab, siteA, 'dnsmasq', {
        reserved: { mac: MAC, address: ADDRESS },
      });
      const client = new DhcpClient(lab, 'vm', MAC);
      await untilKnownAt(lab, 'a', ADDRESS, 'a');
      await moved(lab, 'b');
      const open = await DhcpServer.start(lab, siteB, kind);
      const answers = told(await client.broadcast(discover(), '0.0.0.0', 3));
      assert.deepEqual(answers.sort(), [`offer from ${home.address}`, `offer from ${open.address}`]);
      // With one acknowledgement seen, as after the first renewal away.
      await client.alone(request({ ciaddr: ADDRESS }), home.address);
      t.diagnostic(
        `without the list it keeps its address in ${await kept(client, home, 'first')} of ${TRIES}`,
      );
      await open.stop();
      await untilListed(lab, true);
      const foreign = await DhcpServer.start(lab, siteB, kind, {
        ignoreFile: ignoreFile(lab.directory, 'b'),
      });
      for (const message of [discover(), request({ requested: ADDRESS })]) {
        const heard = told(await client.broadcast(message, '0.0.0.0', 3));
        assert.ok(
          heard.length > 0 && heard.every((one) => one.endsWith(home.address)),
          `${heard}\n${foreign.log()}`,
        );
      }
      assert.equal(await kept(client, home, 'alone'), TRIES, foreign.log());
      await nativeIsServed(lab, foreign);
    }),
  );
}

/** Option 2 of a server's message: its DUID. */
function serverDuidOf({ message }: Answer): string {
  const { bytes } = message;
  for (let at = 4; at + 4 <= bytes.length; at += 4 + (bytes[at + 2] ?? 0) * 256 + (bytes[at + 3] ?? 0)) {
    const length = (bytes[at + 2] ?? 0) * 256 + (bytes[at + 3] ?? 0);
    if (bytes[at] === 0 && bytes[at + 1] === 2)
      return Buffer.from(bytes.subarray(at + 4, at + 4 + length)).toString('hex');
  }
  throw new Error('a server that does not say who it is');
}

/** With the valid lifetime of the first address, which follows it and its preferred one. */
function inWords6(answer: Answer): string {
  const { us, message } = answer;
  const [first] = message.family === 6 ? message.addresses : [];
  const bytes = Buffer.from(message.bytes);
  const at = first === undefined ? -1 : bytes.indexOf(first.toBytes());
  const lifetime = at < 0 ? '' : ` for ${bytes.readUInt32BE(at + 20)} s`;
  return `${us} µs ${message.kind} ${addressesIn(answer)}${lifetime} of ${serverDuidOf(answer)}`;
}

const addressesIn = ({ message }: Answer): readonly string[] =>
  message.family === 6 ? message.addresses.map(String) : [];

test('IPv6: a visitor gets an address from home, and keeps it', { skip }, (t) =>
  withLab(t, { topology: 'two-site', wanDelayMs, ignoreFormat: 'dnsmasq' }, async (lab) => {
    const [siteA, siteB] = sitesOf(lab);
    await DhcpServer.start(lab, siteA, 'dnsmasq');
    const foreign = await DhcpServer.start(lab, siteB, 'dnsmasq');
    const client = new DhcpClient(lab, 'vm', MAC);
    await untilKnownAt(lab, 'a', ADDRESS, 'a');
    await moved(lab, 'b');
    const ask = async (type: number, more: object = {}): Promise<readonly Answer[]> => {
      const answers = await client.all6(dhcp6({ type, xid: ++questions, duid: duidOf(MAC), ...more }));
      t.diagnostic(`${type}: ${answers.map(inWords6).join(', ')}`);
      return answers;
    };
    const offers = await ask(TYPE_6.solicit, { addresses: [] });
    const isFrom = (network: string) => (answer: Answer) =>
      addressesIn(answer).some((ip) => ip.startsWith(network));
    const offer = offers.find(isFrom('fd00:1::'));
    assert.ok(offer && offers.some(isFrom('fd00:2::')), 'both servers offer an address');
    assert.equal(offer.message.kind, 'advertise');
    const serverDuid = serverDuidOf(offer);
    const [granted] = offer.message.family === 6 ? offer.message.addresses : [];
    assert.ok(granted);
    const addresses = [Buffer.from(granted.toBytes()).toString('hex')];
    const keeps = async (): Promise<void> => {
      for (const [type, more] of [
        [TYPE_6.request, { serverDuid }],
        [TYPE_6.renew, { serverDuid }],
        [TYPE_6.rebind, {}],
      ] as const) {
        const answers = await ask(type, { addresses, ...more });
        const replies = answers.filter((answer) => serverDuidOf(answer) === serverDuid);
        for (const reply of replies) {
          assert.equal(reply.message.kind, 'reply');
          assert.deepEqual(addressesIn(reply), [granted.key]);
        }
        // A rebinding node is told at once, and then by its server too.
        const early = replies.filter(({ us }) => us < roundTripUs);
        assert.equal(early.length, type === TYPE_6.rebind ? 1 : 0);
        assert.equal(replies.length, early.length + 1);
      }
      const confirmed = await ask(TYPE_6.confirm, { addresses });
      assert.ok(confirmed.some((answer) => serverDuidOf(answer) === serverDuid && answer.us < roundTripUs));
    };
    await keeps();

    await foreign.stop();
    await untilListed(lab, true);
    const silent = await DhcpServer.start(lab, siteB, 'dnsmasq', {
      ignoreFile: ignoreFile(lab.directory, 'b'),
    });
    const left = await ask(TYPE_6.solicit, { addresses: [] });
    assert.deepEqual(left.map(serverDuidOf), [serverDuid], silent.log());
    await keeps();
  }),
);
