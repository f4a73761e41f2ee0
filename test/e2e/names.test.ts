/** A router that is reached by its host name, with a real name server: addresses that change, a server that ends or hangs. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { EventView, FindingView, PeerView } from '../../src/control/api.js';
import type { Lab } from '../lab/lab.js';
import { DOMAIN, NameServer } from '../lab/name-server.js';
import { waitFor } from '../lab/wait.js';
import { post, readGndt, writeConfig } from './reload-support.js';
import { cannotRun, ping, withLab } from './support.js';

const NAME = `vr-b.${DOMAIN}`;
/** What takes a minute takes two seconds. */
const SHORT = [
  '--test-times',
  JSON.stringify({ nameRefreshMs: 2_000, nameRetryMs: 500, nameLimitMs: 2_500 }),
];

/** vr-a has no endpoint: it has to find vr-b, which has that name. */
function describe(lab: Lab, name: string): void {
  for (const daemon of lab.routers.values()) {
    const gndt = readGndt(daemon);
    for (const router of gndt.routers) router.endpoints = router.id === 'vr-b' ? [`udp://${name}:7700`] : [];
    writeConfig(daemon, 'gndt', gndt);
  }
}

async function withNames(
  t: Parameters<typeof withLab>[0],
  body: (lab: Lab, server: NameServer) => Promise<void>,
): Promise<void> {
  await withLab(t, { topology: 'two-site', daemons: false }, async (lab) => {
    const server = new NameServer(lab, ['vr-a']);
    try {
      server.say({ 'vr-b': ['192.0.2.2'] });
      await server.start();
      describe(lab, NAME);
      await body(lab, server);
    } finally {
      await server.down();
    }
  });
}

async function peerB(lab: Lab): Promise<PeerView> {
  const view = (await lab.daemon('a').peers()).find(({ id }) => id === 'vr-b');
  assert.ok(view);
  return view;
}

async function start(lab: Lab): Promise<number> {
  const beganMs = performance.now();
  lab.daemon('b').start();
  lab.daemon('a').start([], SHORT);
  await lab.waitConnected();
  return performance.now() - beganMs;
}

const events = (lab: Lab): Promise<readonly EventView[]> => lab.daemon('a').get('/v1/events');
const countOf = async (lab: Lab, event: string): Promise<number> =>
  (await events(lab)).filter((one) => one.event === event).length;
const doctor = async (lab: Lab): Promise<readonly FindingView[]> =>
  (await lab.daemon('a').get<readonly FindingView[]>('/v1/doctor')).filter(({ check }) => check === 'names');

/** In this order: with the first address of a prefix the kernel takes the others away. */
async function readdress(lab: Lab, from: string, to: string): Promise<void> {
  await lab.exec('vr-b', ['ip', 'addr', 'del', `${from}/24`, 'dev', 'wan0']);
  await lab.exec('vr-b', ['ip', 'addr', 'add', `${to}/24`, 'dev', 'wan0']);
}

test(
  'by its name; the address behind it changes while the session lives, and while it is down',
  { skip: cannotRun },
  (t) =>
    withNames(t, async (lab, server) => {
      const tookMs = await start(lab);
      t.diagnostic(`up ${Math.round(tookMs)} ms after the start of both`);
      await ping(lab, 'a1', '10.2.0.11');
      const view = await peerB(lab);
      assert.deepEqual([view.endpoint, view.nameInUse], ['udp://192.0.2.2:7700', NAME]);
      assert.match(
        await lab.vinectl('a', ['peers']),
        /NAME +RESOLVED.*\nvr-b +up +direct +\S*192\.0\.2\.2:7700 +vr-b\.vine\.test +\d+/,
      );
      assert.deepEqual(
        (await doctor(lab)).map(({ level }) => level),
        ['ok'],
      );

      // It speaks from its new address: that is believed at once, whatever the name says.
      await readdress(lab, '192.0.2.2', '192.0.2.22');
      await waitFor(
        'by the new address',
        async () => (await peerB(lab)).endpoint === 'udp://192.0.2.22:7700',
      );
      assert.equal((await peerB(lab)).nameInUse, null);
      server.say({ 'vr-b': ['192.0.2.22', '127.0.0.1'] });
      await waitFor('the name says so too', async () => (await peerB(lab)).nameInUse === NAME);
      assert.equal(await countOf(lab, 'peer_down'), 0);
      assert.equal(
        (await doctor(lab))[0]?.message,
        'of its addresses some cannot be used: 127.0.0.1 is loopback',
      );

      // Gone, and back elsewhere, where it has forgotten who called: nothing but the name says where.
      await lab.daemon('b').kill('SIGKILL');
      rmSync(join(lab.daemon('b').directory, 'state', 'endpoints.json'), { force: true });
      await readdress(lab, '192.0.2.22', '192.0.2.23');
      server.say({ 'vr-b': ['192.0.2.23'] });
      const beganMs = performance.now();
      lab.daemon('b').start();
      await lab.waitConnected();
      t.diagnostic(`found at its new address ${Math.round(performance.now() - beganMs)} ms after its start`);
      assert.equal((await peerB(lab)).endpoint, 'udp://192.0.2.23:7700');
      assert.ok((await countOf(lab, 'name_changed')) >= 2);
      await ping(lab, 'a1', '10.2.0.11');
    }),
);

test('the name server ends, hangs, and is back', { skip: cannotRun }, (t) =>
  withNames(t, async (lab, server) => {
    await start(lab);
    const a = lab.daemon('a');
    await server.end();
    await waitFor(
      'it is told that the name does not resolve',
      async () => (await countOf(lab, 'name_unresolved')) === 1,
    );
    assert.equal((await peerB(lab)).state, 'up');
    const [finding] = await doctor(lab);
    assert.equal(finding?.level, 'warning');
    assert.match(
      finding?.message ?? '',
      /^does not resolve, since 20.*; in use is the answer of 20.*: 192\.0\.2\.2$/,
    );
    await a.kill();

    // A start without DNS: the machine refuses questions, then takes them and says nothing.
    for (const state of ['gone', 'hanging']) {
      if (state === 'hanging') {
        await server.start();
        server.suspend();
      }
      const beganMs = performance.now();
      a.start([], SHORT);
      await lab.waitConnected();
      t.diagnostic(`server ${state}: up ${Math.round(performance.now() - beganMs)} ms after the start`);
      const { nameInUse, names } = await peerB(lab);
      assert.deepEqual([nameInUse, names[0]?.kept], [NAME, true]);
      if (state === 'gone') await a.kill();
    }
    await waitFor('told while it hangs', async () => (await countOf(lab, 'name_unresolved')) === 1);
    await ping(lab, 'a1', '10.2.0.11');
    const askedMs = performance.now();
    await a.status();
    t.diagnostic(`asked for the status while it hangs: ${Math.round(performance.now() - askedMs)} ms`);

    // /etc/hosts helps without it, and by a reload.
    server.hosts('vr-a', ['192.0.2.2 by-file.example.net']);
    describe(lab, 'by-file.example.net');
    const { status, body } = await post(a, '/v1/reload');
    assert.equal(status, 200, JSON.stringify(body));
    await waitFor('by /etc/hosts', async () => (await peerB(lab)).nameInUse === 'by-file.example.net');
    assert.equal(await countOf(lab, 'peer_down'), 0);
    describe(lab, NAME);
    await post(a, '/v1/reload');
    await waitFor('a look-up is under way', async () => {
      const {
        resolver_lookups: begun = 0,
        resolver_failures: ended = 0,
        resolver_answers: more = 0,
      } = await a.counters();
      return begun > ended + more;
    });
    const stopMs = await a.kill();
    t.diagnostic(`stopped in ${Math.round(stopMs)} ms while the name server hangs`);
    assert.ok(stopMs < 2_000, `${stopMs} ms to stop`);
    server.resume();
    a.start([], SHORT);
    await waitFor('it is resolved again', async () => (await peerB(lab)).names[0]?.kept === false);

    // A file that somebody has edited is not used.
    await a.kill();
    const file = join(a.directory, 'state', 'names.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('192.0.2.2', '192.0.2.9'));
    a.start([], SHORT);
    await lab.waitConnected();
    const { warnings } = await a.status();
    assert.ok(
      warnings.some((text) => text.includes('names.json is damaged (changed since it was written)')),
      String(warnings),
    );
  }),
);
