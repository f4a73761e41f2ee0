/**
 * The main job, told as it happens: two sites, a connection, a migration, and the connection goes on. Twice: with a
 * namespace as the machine that moves, and with a real QEMU guest where that is installed. Two guests go through couriers. Then who
 * talks to whom, and an advice that is followed.
 */
import { followAdvice, startTalk } from './demo/advice.js';
import { throughCouriers } from './demo/courier.js';
import { good, heading, ms, paint, say, show } from './demo/tell.js';
import { Lab } from './lab.js';
import { routerName } from './plan.js';
import { Guest } from './qemu/guest.js';
import { EchoStream, TcpStream, UdpProbe } from './traffic/traffic.js';

const wanDelayMs = 20;
const enoughBytes = 100_000;

const picture = `
   site A  10.1.0.0/24                                     site B  10.2.0.0/24

   a1 ──┐                                                                   ┌── b1
        ├── switch ── vr-a ═════ WAN, ${wanDelayMs} ms each way ═════ vr-b ── switch ──┤
   vm ──┘             vined           encrypted            vined            ├── vmb
                                                                            └── (vm goes here)
`;

async function showTables(lab: Lab, ip: string, mac: string): Promise<void> {
  await show(lab, 'b', 'gndt');
  await show(lab, 'a', 'lndt');
  await show(lab, 'b', 'route', 'get', ip);
  say(paint('2', `\n  the node is ${ip}, MAC ${mac}`));
}

async function moveNamespace(lab: Lab): Promise<void> {
  const { ipv4, mac } = lab.mover('vm');
  heading('1. A node with open connections moves from site A to site B');
  await lab.daemon('b').waitKnows(ipv4, routerName('a'));
  const streams = [await TcpStream.open(lab, 'a1', 'vm', ipv4), await TcpStream.open(lab, 'b1', 'vm', ipv4)];
  await Promise.all(streams.map((stream) => stream.progress(enoughBytes)));
  const probe = await UdpProbe.open(lab, 'a1', 'vm', ipv4);
  good('TCP connections are open from a1 (its neighbour) and b1 (the other site); every byte is checked');
  heading('   Before');
  await showTables(lab, ipv4, mac);
  await probe.mark();
  for (const stream of streams) await stream.mark();
  heading(
    '   It moves. Its hypervisor announces it on the LAN of site B with RARP, as QEMU does; no one else is told.',
  );
  await lab.move('vm', 'b', { announce: 'rarp' });
  await Promise.all(streams.map((stream) => stream.progress(enoughBytes)));
  await lab.daemon('a').waitKnows(ipv4, routerName('b'));
  await probe.progress(200);
  const { gap } = await probe.finish();
  for (const stream of streams)
    good(`${stream.name} goes on; longest pause in the TCP stream ${ms(stream.gapMs)}`);
  for (const stream of streams) {
    const { client, server } = await stream.finish();
    good(`${stream.name}: ${client.sentBytes + server.sentBytes} bytes, none lost, none changed`);
  }
  good(
    paint(
      '1',
      `blackout from a1 to the node: ${ms(gap.longestMs)} (1 kHz UDP probe; the WAN alone is ${wanDelayMs} ms)`,
    ),
  );
  heading('   After');
  await showTables(lab, ipv4, mac);
  await show(lab, 'b', 'migrations');
}

async function migrateGuest(lab: Lab): Promise<void> {
  heading('2. The real thing: a QEMU guest is live-migrated');
  const missing = Guest.missing();
  if (missing !== undefined) {
    say(paint('33', `  LEFT OUT: ${missing}`));
    return;
  }
  const task = Guest.task(lab);
  const { ipv4 } = lab.plan.guest;
  say('  it boots at site A (no hardware acceleration, a few seconds) …');
  const guest = await Guest.boot(lab, 'a', task);
  const streams = [
    await EchoStream.open(lab, 'a1', ipv4, task.echoPort),
    await EchoStream.open(lab, 'b1', ipv4, task.echoPort),
  ];
  await Promise.all(streams.map((stream) => stream.progress(enoughBytes / 4)));
  // A router learns of a machine that has just booted when that first speaks or is spoken to.
  await lab.daemon('b').waitKnows(ipv4, routerName('a'));
  good(`${ipv4} has booted; a1 and b1 have TCP connections to it`);
  for (const stream of streams) await stream.mark();
  say('  QEMU migrates it to site B …');
  const { downtimeMs, totalMs } = await guest.migrate('b');
  await Promise.all(streams.map((stream) => stream.progress(enoughBytes / 4)));
  await lab.daemon('a').waitKnows(ipv4, routerName('b'));
  for (const stream of streams) good(`${stream.name} goes on; longest pause ${ms(stream.gapMs)}`);
  good(
    paint(
      '1',
      `migrated in ${ms(totalMs)}; the hypervisor itself held the guest still for ${ms(downtimeMs)}`,
    ),
  );
  for (const stream of streams) {
    const { sentBytes } = await stream.finish();
    good(`${stream.name}: ${sentBytes} bytes there and back, none lost, none changed`);
  }
  await show(lab, 'a', 'migrations');
  await guest.stop();
}

async function main(): Promise<void> {
  heading('Two sites are set up in network namespaces, each with its router');
  say(picture);
  const lab = await Lab.up({ topology: 'two-site', name: `demo${process.pid % 10_000}`, wanDelayMs });
  try {
    good('both routers run and have found each other');
    await show(lab, 'a', 'peers');
    await moveNamespace(lab);
    const streams = await startTalk(lab);
    const beganMs = Date.now();
    await migrateGuest(lab);
    await throughCouriers(lab);
    await followAdvice(lab, streams, beganMs);
  } catch (error) {
    say(lab.report());
    throw error;
  } finally {
    await lab.down();
  }
  heading('Done: the connections went on, and nothing is left behind.');
  say('To play with it yourself: scripts/lab up two-site --delay 20');
}

try {
  await main();
} catch (error) {
  console.error(
    `\n${paint('31', '✗')} The demo failed: ${error instanceof Error ? error.message : String(error)}`,
  );
  process.exitCode = 1;
}
