/** The lab itself, without routers: what the other end-to-end tests rely on. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { namespacesOf } from '../lab/build.js';
import { Lab } from '../lab/lab.js';
import { Guest } from '../lab/qemu/guest.js';
import { UdpProbe } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { cannotRun, neighbourMac, ping, withLab } from './support.js';

const bare = { topology: 'two-site', daemons: false } as const;

/** Lines of tcpdump on a site's switch, in order; resolves once it listens. */
async function capture(lab: Lab, node: string, filter: string): Promise<string[]> {
  const child = lab.spawn(node, ['tcpdump', '-tt', '-n', '-e', '-l', '-i', 'br0', filter]);
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  // It says on stderr when it listens.
  for await (const line of createInterface({ input: child.stderr })) if (line.includes('listening on')) break;
  return lines;
}

const atMs = (line: string): number => Number(line.split(' ')[0]) * 1000;

test(
  'a move keeps the ARP cache and the link of the node, and the switch forgets it',
  { skip: cannotRun },
  (t) =>
    withLab(t, bare, async (lab) => {
      await ping(lab, 'vm', '10.1.0.11');
      const mac = await neighbourMac(lab, 'vm', '10.1.0.11');
      assert.equal(mac, '02:00:00:00:01:0b');
      const carrierChanges = () => lab.exec('vm', ['cat', '/sys/class/net/eth0/carrier_changes']);
      const before = await carrierChanges();
      const fdb = () => lab.exec('sw-a', ['bridge', 'fdb', 'show', 'br', 'br0']);
      assert.match(await fdb(), /52:54:00:00:00:09/);
      await lab.move('vm', 'b', { announce: 'none' });
      assert.equal(await neighbourMac(lab, 'vm', '10.1.0.11'), mac);
      assert.equal(await carrierChanges(), before);
      assert.doesNotMatch(await fdb(), /52:54:00:00:00:09/);
      const { status } = await lab.attempt('a1', ['ping', '-c', '1', '-W', '1', '10.1.0.9']);
      assert.equal(status, 1, 'it is still reached at site a');
    }),
);

test('announcements are as hypervisors send them', { skip: cannotRun }, (t) =>
  withLab(t, bare, async (lab) => {
    const rarp = await capture(lab, 'sw-b', 'rarp');
    const others = await capture(lab, 'sw-b', 'arp or icmp6[0] == 136');
    const { announced } = await lab.move('vm', 'b', { announce: 'both' });
    await announced;
    await waitFor('five RARP frames', () => rarp.length >= 5);
    for (const line of rarp) {
      assert.match(
        line,
        /52:54:00:00:00:09 > ff:ff:ff:ff:ff:ff, ethertype Reverse ARP .*, length 60: Reverse Request/,
      );
      assert.match(line, /who-is 52:54:00:00:00:09 tell 52:54:00:00:00:09/);
    }
    const offsets = rarp.map((line) => Math.round(atMs(line) - atMs(rarp[0] ?? '')));
    for (const [i, due] of [0, 50, 200, 450, 800].entries())
      assert.ok(Math.abs((offsets[i] ?? -1) - due) < 25, `RARP frames at ${offsets.join(', ')} ms`);
    assert.ok(others.some((line) => line.includes('Request who-has 10.1.0.9 tell 10.1.0.9')));
    assert.ok(others.some((line) => line.includes('neighbor advertisement, tgt is fd00:1::9')));
  }),
);

test('the WAN: delay, loss and cut, in the direction that is asked', { skip: cannotRun }, (t) =>
  withLab(t, { ...bare, wanDelayMs: 15 }, async (lab) => {
    await ping(lab, 'vr-a', '192.0.2.2');
    const text = await lab.exec('vr-a', ['ping', '-q', '-n', '-c', '20', '-i', '0.05', '192.0.2.2']);
    const leastMs = Number(/rtt min\/avg\/max\/mdev = ([\d.]+)\//.exec(text)?.[1]);
    assert.ok(leastMs >= 30 && leastMs < 35, `round trip ${leastMs} ms`);
    await lab.wan({ delayMs: 0, lossPercent: 20, from: 'a' });
    const probe = await UdpProbe.open(lab, 'vr-a', 'vr-b', '192.0.2.2');
    await probe.mark();
    await probe.progress(1000);
    const { lost, received } = await probe.finish();
    const share = lost / (lost + received);
    assert.ok(share > 0.12 && share < 0.28, `lost ${share}`);
    const back = await UdpProbe.open(lab, 'vr-b', 'vr-a', '192.0.2.1');
    await back.mark();
    await back.progress(500);
    assert.equal((await back.finish()).lost, 0);
    await lab.wan({ lossPercent: 0, cut: true });
    assert.equal((await lab.attempt('vr-a', ['ping', '-c', '1', '-W', '1', '192.0.2.2'])).status, 1);
    await lab.wan({ cut: false });
    await ping(lab, 'vr-a', '192.0.2.2');
  }),
);

test('two labs side by side; each leaves nothing behind', { skip: cannotRun }, async () => {
  const first = await Lab.up(bare);
  const second = await Lab.up(bare);
  try {
    await second.exec('b1', ['ip', 'link', 'set', 'eth0', 'down']);
    await ping(first, 'b1', '10.2.0.12');
    await assert.rejects(Lab.up({ ...bare, name: first.name }), /is up already/);
    first.spawn('a1', ['sleep', '1000']);
  } finally {
    await first.down();
    await second.down();
  }
  for (const { name, directory } of [first, second]) {
    assert.deepEqual(namespacesOf(name), []);
    assert.ok(!existsSync(directory));
  }
});

test('a guest is live-migrated on the bare LANs', { skip: cannotRun || (Guest.missing() ?? false) }, (t) =>
  withLab(t, bare, async (lab) => {
    const { ipv4, mac } = lab.plan.guest;
    const guest = await Guest.boot(lab, 'a', { ...Guest.task(lab), guestAnnounce: false });
    await ping(lab, 'a1', ipv4);
    const rarp = await capture(lab, 'sw-b', 'rarp');
    const { downtimeMs, totalMs } = await guest.migrate('b');
    t.diagnostic(`total ${totalMs} ms, downtime ${downtimeMs} ms`);
    await waitFor('its hypervisor announces it', () => rarp.some((line) => line.includes(mac)));
    await lab.exec('b1', ['ip', 'route', 'add', ipv4, 'dev', 'eth0']);
    await waitFor('it answers ARP at site b', async () => {
      await lab.attempt('b1', ['ping', '-c', '1', '-W', '1', ipv4]);
      return (await neighbourMac(lab, 'b1', ipv4)) === mac;
    });
    await guest.stop();
  }),
);
