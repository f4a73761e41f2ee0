/** `vinectl doctor` finds what operators get wrong: each mistake is made, found by name, and put right again. */
import assert from 'node:assert/strict';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { FindingView } from '../../src/control/api.js';
import { getJson, projectRoot } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import type { SiteLetter } from '../lab/plan.js';
import { waitFor } from '../lab/wait.js';
import { moverAddress } from './families.js';
import { readConfig, readGndt, writeConfig } from './reload-support.js';
import { cannotRun, ping, untilKnownAt, withLab } from './support.js';

const vinectl = join(projectRoot, 'bin/vinectl');

/** What is not ok, a line each. */
async function complaints(lab: Lab, site: SiteLetter): Promise<string[]> {
  const findings = await lab.daemon(site).get<readonly FindingView[]>('/v1/doctor');
  return findings
    .filter(({ level }) => level !== 'ok')
    .map(({ check, level, subject, message }) => `${level} ${check} ${subject}: ${message}`);
}

async function finds(lab: Lab, site: SiteLetter, expected: RegExp): Promise<void> {
  await waitFor(`doctor at site ${site} says ${expected}`, async () =>
    (await complaints(lab, site)).some((line) => expected.test(line)),
  );
}

async function findsNothing(lab: Lab, site: SiteLetter): Promise<void> {
  let last: string[] = [];
  await waitFor(`doctor at site ${site} finds nothing`, async () => {
    last = await complaints(lab, site);
    return last.length === 0;
  }).catch((error: unknown) => assert.fail(`${String(error)}; ${last.join('\n')}`));
}

const link = (lab: Lab, ...words: string[]): Promise<string> =>
  lab.exec('vr-a', ['ip', 'link', 'set', ...words]);

test('doctor finds mistakes of the machine', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site' }, async (lab) => {
    await findsNothing(lab, 'a');
    assert.match(await lab.vinectl('a', ['doctor']), /\nnothing wrong\n$/);

    await link(lab, 'wan0', 'mtu', '1400');
    await finds(
      lab,
      'a',
      /^warning path-mtu vr-b: the path to 192\.0\.2\.2 carries 1400 bytes, the tunnel's packets have up to 1500/,
    );
    await link(lab, 'wan0', 'mtu', '1500');

    await link(lab, 'lan0', 'mtu', '1400');
    await finds(
      lab,
      'a',
      /^warning lan lan0: its MTU is 1400, but other sites send packets of up to \d{4} bytes/,
    );
    await link(lab, 'lan0', 'mtu', '1200');
    await finds(lab, 'a', /^error lan lan0: its MTU is 1200, IPv6 needs 1280/);
    await link(lab, 'lan0', 'mtu', '1500');

    const state = join(lab.daemon('a').directory, 'state');
    renameSync(state, `${state}.away`);
    await finds(lab, 'a', /^error state .*: the state directory cannot be used: ENOENT/);
    // The router may have made it anew to save something.
    rmSync(state, { recursive: true, force: true });
    renameSync(`${state}.away`, state);
    await findsNothing(lab, 'a');

    await lab.exec('vr-a', ['sysctl', '-qw', 'net.ipv4.conf.lan0.forwarding=1']);
    await findsNothing(lab, 'a'); // guarded
    const pids = (
      await lab.exec('vr-a', [
        'sh',
        '-c',
        'for p in $(ip netns pids $(ip netns identify $$)); do [ "$(cat /proc/$p/comm)" = nft ] && echo $p; done; true',
      ])
    ).trim();
    process.kill(Number(pids), 'SIGKILL');
    await finds(
      lab,
      'a',
      /^error kernel-forwarding lan0: the kernel forwards what arrives there and the nftables rules against it are missing/,
    );
    await lab.exec('vr-a', ['sysctl', '-qw', 'net.ipv4.conf.lan0.forwarding=0']);
    await finds(lab, 'a', /^warning kernel-forwarding kernel: the nftables rules .* are missing/);

    await link(lab, 'lan0', 'down');
    await finds(lab, 'a', /^error lan lan0: the interface is down/);
    const failed = await lab.daemon('a').vinectl(['doctor']);
    assert.equal(failed.status, 1);
    assert.match(failed.stdout, /\n +→ ip link set lan0 up\n/);
    await link(lab, 'lan0', 'up');
  }),
);

test('doctor finds an interface without carrier, and missing capabilities', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site' }, async (lab) => {
    const rows = JSON.parse(await lab.exec('sw-a', ['ip', '-j', 'link'])) as { ifname: string }[];
    const port = rows.find(({ ifname }) => /vr-a|vr/.test(ifname))?.ifname;
    assert.ok(port !== undefined, JSON.stringify(rows.map(({ ifname }) => ifname)));
    await lab.exec('sw-a', ['ip', 'link', 'set', port, 'down']);
    await finds(lab, 'a', /^error lan lan0: the interface has no carrier/);
    await lab.exec('sw-a', ['ip', 'link', 'set', port, 'up']);

    await lab.daemon('a').kill();
    const { directory, socket } = lab.daemon('a');
    const limited = lab.spawn('vr-a', [
      'setpriv',
      '--inh-caps=-net_admin',
      '--bounding-set=-net_admin',
      `${projectRoot}bin/vined`,
      '--config',
      directory,
    ]);
    await waitFor('vined without CAP_NET_ADMIN answers', () =>
      getJson(socket, '/v1/status')
        .then(() => true)
        .catch(() => false),
    );
    const found = (await getJson<readonly FindingView[]>(socket, '/v1/doctor')).find(
      ({ check }) => check === 'capabilities',
    );
    assert.equal(found?.level, 'error');
    assert.match(found.message, /^CAP_NET_ADMIN is missing: /);
    limited.kill('SIGTERM');
  }),
);

test('doctor finds mistakes in files and keys, and peers that cannot be reached', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'three-site', wrongKey: ['c'] }, async (lab) => {
    const [a, b] = [lab.daemon('a'), lab.daemon('b')];
    await finds(lab, 'a', /^error peer vr-c: not reachable: .*no answer from 192\.0\.2\.3:7700/);
    await finds(
      lab,
      'a',
      /^warning keys callers: \d+ calls came from a router whose public key is in no entry of this gndt\.json/,
    );
    await finds(
      lab,
      'c',
      /^warning keys callers: \d+ calls were made with another public key for this router than it has/,
    );

    const gndt = readGndt(b);
    writeConfig(b, 'gndt', {
      ...gndt,
      networks: gndt.networks.map((network) => ({ ...network, mobility: { allow: ['vr-a'] } })),
    });
    await finds(
      lab,
      'b',
      /^warning files configuration: the files differ from what the router runs with in 6 things/,
    );
    await lab.vinectl('b', ['reload']);
    await finds(lab, 'a', /^warning gndt vr-b: its gndt\.json is not the same as this router’s/);
    writeFileSync(join(b.directory, 'gndt.json'), '{');
    await finds(lab, 'b', /^error files configuration: the files have errors: gndt\.json: /);
    writeConfig(b, 'gndt', gndt);
    await lab.vinectl('b', ['reload']);

    await b.kill();
    await finds(lab, 'a', /^error peer vr-b: not reachable: /);

    // Without a router vinectl looks at the files and the machine itself.
    const alone = async (): Promise<string> => {
      const { status, stdout } = await lab.attempt('vr-b', [
        vinectl,
        'doctor',
        '--socket',
        b.socket,
        '--config',
        b.directory,
      ]);
      assert.equal(status, 1, stdout);
      return stdout;
    };
    assert.match(
      await alone(),
      /^error +router vined: no router on .*\n(.*\n)*ok +files .*: the configuration of vr-b is good\n(.*\n)*ok +lan lan0: up, vnet blue, MTU 1500\n/,
    );
    const key = join(b.directory, 'router.key');
    const text = readFileSync(key, 'utf8');
    writeFileSync(key, readFileSync(join(a.directory, 'router.key'), 'utf8'));
    assert.match(
      await alone(),
      /^error +files router\.json: privateKeyFile: the key in .* has the public key .*, but gndt\.json gives "vr-b"/m,
    );
    writeFileSync(key, text);
    await lab.exec('vr-b', ['chmod', '644', key]);
    assert.match(
      await alone(),
      /^error +files router\.json: privateKeyFile: .* is open to its group or to others/m,
    );
    await lab.exec('vr-b', ['chmod', '600', key]);
    writeConfig(b, 'router', { ...readConfig(b, 'router'), lans: [{ interface: 'lan9', vnet: 'blue' }] });
    assert.match(await alone(), /^error +lan lan9: this machine has no such interface$/m);
  }),
);

test(
  'doctor finds what a platform drops of the router, and what it keeps from it',
  { skip: cannotRun },
  (t) =>
    withLab(t, { topology: 'two-site' }, async (lab) => {
      const address = moverAddress(lab, 'vm', 4);
      await untilKnownAt(lab, 'b', address, 'a');
      await lab.move('vm', 'b');
      await untilKnownAt(lab, 'a', address, 'b');
      await findsNothing(lab, 'a');

      // As a filter at the router's port would: nothing that says where the node is reaches the host, announcements neither.
      const filter = (...words: string[]): Promise<string> => lab.exec('a1', ['nft', ...words]);
      await filter(
        `table arp lab { chain in { type filter hook input priority 0; arp saddr ip ${address} drop; }; }`,
      );
      await lab.exec('a1', ['ip', 'neigh', 'flush', 'all']);
      const pings = lab.attempt('a1', ['ping', '-q', '-n', '-c', '24', '-i', '0.5', address]);
      await finds(
        lab,
        'a',
        /^warning answers lans: hosts go on asking for what this router has answered each time: .* on lan0 has asked for 10\.\S+ \d+ times/,
      );
      await filter('delete', 'table', 'arp', 'lab');
      await pings;
      await ping(lab, 'a1', address);

      // As a port without promiscuous mode: what the switch does not know does not come.
      const flood = (onOff: string): Promise<string> =>
        lab.exec('sw-a', ['bridge', 'link', 'set', 'dev', 'vr-a', 'flood', onOff]);
      const kept =
        /^warning other-macs lan0: a node is elsewhere, and frames to MACs that the switch does not know/;
      await flood('off');
      await finds(lab, 'a', kept);
      await flood('on');
      await waitFor(
        'frames to other MACs come again',
        async () => !(await complaints(lab, 'a')).some((found) => kept.test(found)),
      );
    }),
);
