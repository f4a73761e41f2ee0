/**
 * Gateway addresses on real LANs: hosts have .3 of their network as their gateway, which no kernel holds. With a virtual MAC
 * and with the interface's own.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { EX_CONFIG } from '../../src/config/exit.js';
import type { FindingView, StatusView } from '../../src/control/api.js';
import { formatMac } from '../../src/net/mac.js';
import { defaultVrid, virtualMac } from '../../src/tables/gateway.js';
import { gatewayAddresses } from '../lab/configuration.js';
import { projectRoot } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import { outsideAddress, outsideAddress6, routerName, type Site, type SiteLetter } from '../lab/plan.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { readConfig, writeConfig } from './reload-support.js';
import { cannotRun, isUnreachable, neighbourMac, ping, untilKnownAt, withLab } from './support.js';

const SOME_BYTES = 400_000;
const BLUE = 1;
const LAN_MAC: Readonly<Record<SiteLetter, string>> = {
  a: '02:00:00:00:01:01',
  b: '02:00:00:00:02:01',
  c: '02:00:00:00:03:01',
};

type MacMode = 'virtual' | 'own';

const site = (lab: Lab, letter: SiteLetter): Site => {
  const found = lab.plan.sites.find((one) => one.letter === letter);
  assert.ok(found);
  return found;
};

function macOf(letter: SiteLetter, family: 4 | 6, mode: MacMode): string {
  const vrid = defaultVrid(BLUE, routerName(letter));
  return mode === 'own' ? LAN_MAC[letter] : formatMac(virtualMac(vrid, family));
}

/** From now on all that is not on its link goes to the gateway addresses of its site. */
async function useGateway(lab: Lab, node: string, letter: SiteLetter): Promise<void> {
  const [four, six] = gatewayAddresses(site(lab, letter));
  const routes = await Promise.all(
    [['-4'], ['-6']].map(async (family) => lab.exec(node, ['ip', '-j', ...family, 'route', 'show'])),
  );
  for (const [i, family] of ['-4', '-6'].entries()) {
    const through = (JSON.parse(routes[i] ?? '[]') as { dst: string; gateway?: string }[]).filter(
      ({ gateway }) => gateway !== undefined,
    );
    for (const { dst } of through) await lab.exec(node, ['ip', family, 'route', 'del', dst]);
    await lab.exec(node, ['ip', family, 'route', 'add', 'default', 'via', i === 0 ? four : six]);
  }
}

/** Source MACs of the frames that come to a node while `body` runs; there must be some. */
async function senders(
  lab: Lab,
  node: string,
  filter: string,
  body: () => Promise<void>,
): Promise<Set<string>> {
  const child = lab.spawn(node, [
    'tcpdump',
    '--immediate-mode',
    '-n',
    '-e',
    '-l',
    '-Q',
    'in',
    '-i',
    'eth0',
    filter,
  ]);
  let heard = '';
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    heard += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await waitFor('tcpdump listens', () => said.includes('listening on'));
  await body();
  await waitFor('tcpdump has seen a frame', () => heard.includes('\n'));
  child.kill('SIGINT');
  await new Promise((resolve) => child.once('close', resolve));
  return new Set([...heard.matchAll(/^\S+ ([0-9a-f:]{17}) > /gm)].map(([, mac]) => mac ?? ''));
}

for (const mode of ['virtual', 'own'] as const) {
  test(`hosts use the gateway addresses, MAC: ${mode}`, { skip: cannotRun }, (t) =>
    withLab(
      t,
      {
        topology: 'two-site',
        wanDelayMs: 5,
        gateway: ['a', 'b'],
        ...(mode === 'own' ? { gatewayMac: mode } : {}),
      },
      async (lab) => {
        const [four, six] = gatewayAddresses(site(lab, 'a'));
        for (const [node, letter] of [
          ['a1', 'a'],
          ['a2', 'a'],
          ['b1', 'b'],
          ['vm', 'a'],
        ] as const)
          await useGateway(lab, node, letter);

        await t.test('ping the gateway, and see its MAC', async () => {
          await ping(lab, 'a1', four);
          await ping(lab, 'a1', six);
          assert.equal(await neighbourMac(lab, 'a1', four), macOf('a', 4, mode));
          assert.equal(await neighbourMac(lab, 'a1', six), macOf('a', 6, mode));
          const { lans } = await lab.daemon('a').get<StatusView>('/v1/status');
          assert.deepEqual(
            [lans[0]?.gateway, lans[0]?.active, lans[0]?.servingMacs?.[0]],
            [[four, six], true, macOf('a', 4, mode)],
          );
          assert.match(await lab.vinectl('a', ['status']), new RegExp(`${four}, ${six}`));
        });

        await t.test(
          'a host that is not listed may ask the gateway, and reaches nothing through it',
          async () => {
            await ping(lab, 'ax', four);
            await useGateway(lab, 'ax', 'a');
            assert.ok(await isUnreachable(lab, 'ax', '10.2.0.11'));
          },
        );

        await t.test('nobody takes the address: duplicate detection meets the router', async () => {
          const { status } = await lab.attempt('ax', ['arping', '-D', '-q', '-c', '2', '-I', 'eth0', four]);
          assert.equal(status, 1, 'arping -D heard nobody');
        });

        await t.test('to the other site and its gateway, and by TCP, IPv4 and IPv6', async () => {
          for (const address of ['10.2.0.11', 'fd00:2::11', ...gatewayAddresses(site(lab, 'b'))])
            await ping(lab, 'a1', address);
          for (const address of ['10.2.0.11', 'fd00:2::11']) {
            const stream = await TcpStream.open(lab, 'a1', 'b1', address);
            await stream.progress(SOME_BYTES);
            await stream.finish();
          }
        });

        await t.test('to the outside world, through the network’s own gateway', async () => {
          await ping(lab, 'a1', outsideAddress);
          await ping(lab, 'a1', outsideAddress6);
          assert.ok(await isUnreachable(lab, 'b1', outsideAddress), 'site b has no way out');
          const refused = await lab.attempt('b1', ['ping', '-n', '-c', '1', '-W', '2', outsideAddress]);
          assert.match(refused.stdout, /From 10\.2\.0\.3 .*Destination Net Unreachable/);
        });

        await t.test('traceroute shows the gateway', async () => {
          const { stdout } = await lab.attempt('a1', [
            'ping',
            '-n',
            '-c',
            '1',
            '-t',
            '1',
            '-W',
            '2',
            '10.2.0.11',
          ]);
          assert.match(stdout, /From 10\.1\.0\.3 .*Time to live exceeded/);
        });

        await t.test('all that comes for the overlay is from that MAC', async () => {
          const heard = await senders(lab, 'a1', 'icmp and src net 10.2.0.0/16', () =>
            ping(lab, 'a1', '10.2.0.11'),
          );
          assert.deepEqual([...heard], [macOf('a', 4, mode)]);
          const heard6 = await senders(lab, 'a1', 'icmp6 and src net fd00:2::/64', () =>
            ping(lab, 'a1', 'fd00:2::11'),
          );
          assert.deepEqual([...heard6], [macOf('a', 6, mode)]);
        });

        await t.test(
          'a node that has moved: its neighbours know it, and it its gateway, at that MAC',
          async () => {
            await ping(lab, 'a2', '10.1.0.9');
            await ping(lab, 'vm', four);
            await ping(lab, 'vm', six);
            const heard = await senders(lab, 'a1', 'arp and src host 10.1.0.9', async () => {
              await lab.move('vm', 'b');
              for (const letter of ['a', 'b'] as const) await untilKnownAt(lab, letter, '10.1.0.9', 'b');
              await waitFor(
                'a2 is told',
                async () => (await neighbourMac(lab, 'a2', '10.1.0.9')) === macOf('a', 4, mode),
              );
            });
            assert.deepEqual([...heard], [macOf('a', 4, mode)]);
            await ping(lab, 'a2', '10.1.0.9');
            await lab.exec('a1', ['ip', 'neigh', 'flush', 'all']);
            await ping(lab, 'a1', '10.1.0.9');
            assert.equal(await neighbourMac(lab, 'a1', '10.1.0.9'), macOf('a', 4, mode));
            await waitFor(
              'the node is told',
              async () => (await neighbourMac(lab, 'vm', four)) === macOf('b', 4, mode),
            );
            await waitFor(
              'the node is told',
              async () => (await neighbourMac(lab, 'vm', six)) === macOf('b', 6, mode),
            );
            for (const address of [
              four,
              six,
              '10.1.0.11',
              'fd00:1::11',
              '10.2.0.11',
              outsideAddress,
              outsideAddress6,
            ])
              await ping(lab, 'vm', address);
          },
        );
      },
    ),
  );
}

test('another machine that takes the address is told of, and not fought', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site', gateway: ['a'] }, async (lab) => {
    const [four, six] = gatewayAddresses(site(lab, 'a'));
    const findings = async (): Promise<string[]> =>
      (await lab.daemon('a').get<readonly FindingView[]>('/v1/doctor'))
        .filter(({ check }) => check === 'gateway')
        .map(({ level, subject }) => `${level} ${subject}`);
    assert.deepEqual(await findings(), [`ok ${four}`, `ok ${six}`]);
    lab.addToLan('a', 'thief', '02:00:00:00:00:66', [`${four}/24`]);
    await lab.exec('thief', ['arping', '-q', '-U', '-c', '1', '-I', 'eth0', four]).catch(() => {});
    await waitFor('doctor has heard of it', async () => (await findings())[0] === `error ${four}`);
    const log = lab.daemon('a').logTail();
    assert.match(log, /gateway_address_in_use/);
    assert.match(await lab.vinectl('a', ['status']), /02:00:00:00:00:66/);
    const lndt = await lab.vinectl('a', ['directory', '--json']);
    assert.ok(!lndt.includes('02:00:00:00:00:66'), 'it has become a node');
    await ping(lab, 'b1', '10.1.0.11');
  }),
);

test('an address that the kernel holds is refused, at the start and by a reload', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site', gateway: ['a'] }, async (lab) => {
    const daemon = lab.daemon('a');
    const router = readConfig(daemon, 'router');
    const [lan] = router.lans as Record<string, unknown>[];
    const withGateway = (gateway: readonly string[]): void =>
      writeConfig(daemon, 'router', { ...router, lans: [{ ...lan, gateway }] });

    withGateway(['10.1.0.1']);
    const check = [
      process.execPath,
      join(projectRoot, 'dist/src/router/main.js'),
      '--check',
      '--config',
      daemon.directory,
    ];
    const outcome = await lab.attempt('vr-a', check);
    assert.equal(outcome.status, EX_CONFIG);
    assert.match(
      outcome.stderr,
      /lans\[0\]\.gateway\[0\]: the kernel of this machine has 10\.1\.0\.1, on lan0/,
    );
    const refused = await daemon.vinectl(['reload']);
    assert.notEqual(refused.status, 0);
    assert.match(refused.stderr + refused.stdout, /the kernel of this machine has 10\.1\.0\.1/);

    withGateway(['10.1.0.4', 'fd00:1::4']);
    assert.match(await lab.vinectl('a', ['reload']), /10\.1\.0\.3, fd00:1::3 → 10\.1\.0\.4, fd00:1::4/);
    await ping(lab, 'a1', '10.1.0.4');
    await ping(lab, 'b1', 'fd00:1::4');
    await lab.exec('a1', ['ip', 'neigh', 'flush', 'all']);
    assert.ok(await isUnreachable(lab, 'a1', '10.1.0.3'));

    withGateway([]);
    const without = await daemon.vinectl(['reload']);
    assert.match(without.stderr + without.stdout, /whether a LAN has gateway addresses at all cannot change/);
  }),
);
