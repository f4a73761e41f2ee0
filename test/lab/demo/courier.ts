/** Two guests of one image go to the other site through couriers: what crosses the WAN, beside what plain migration would send. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JobView } from '../../../src/courier/job/job.js';
import { bytes } from '../../../src/net/sizes.js';
import { LabCouriers } from '../../e2e/courier-support.js';
import { routerDirectory, vnet } from '../configuration.js';
import type { Lab } from '../lab.js';
import { routerName } from '../plan.js';
import { Guest } from '../qemu/guest.js';
import { EchoStream } from '../traffic/traffic.js';
import { good, heading, ms, paint, say, show } from './tell.js';

const vms = ['vm1', 'vm2'] as const;
/** Of the first one's address; it is nobody else's. */
const firstHost = 150;
const enoughBytes = 25_000;

export async function throughCouriers(lab: Lab): Promise<void> {
  heading('3. Two QEMU guests of one image are live-migrated through couriers');
  const missing = Guest.missing();
  if (missing !== undefined) {
    say(paint('33', `  LEFT OUT: ${missing}`));
    return;
  }
  const tasks = vms.map((_, number) => taskOf(lab, number));
  await admit(
    lab,
    tasks.map(({ ip }) => ip),
  );
  const couriers = await LabCouriers.start(lab, vms);
  say('  a courier runs at each site, on another machine than the router; both guests boot at site A …');
  const guests = await Promise.all(tasks.map((task) => Guest.boot(lab, 'a', task)));
  for (const task of tasks) await talk(lab, task);
  for (const { ip } of tasks) await lab.daemon('b').waitKnows(ip, routerName('a'));
  for (const [number, { mac }] of tasks.entries()) {
    const send = ['courier', 'send', '--vm', vms[number] ?? '', '--to', 'site-b', '--mac', mac];
    const args = [...send, '--config', couriers.file('a')];
    if (number === 0) await show(lab, 'a', ...args);
    else await lab.vinectl('a', args);
  }
  say('\n  QEMU migrates both to site B, to the socket of the courier as it says there …');
  const results = await Promise.all(
    guests.map((guest, number) => {
      const through = { ...couriers.through(vms[number] ?? '', 'a'), returnPath: true };
      return guest.migrate('b', false, through);
    }),
  );
  const jobs = await couriers.allOver('a', 0, vms.length);
  for (const { ip } of tasks) await lab.daemon('a').waitKnows(ip, routerName('b'));
  for (const { downtimeMs, totalMs } of results)
    good(`migrated in ${ms(totalMs)}; the hypervisor held the guest still for ${ms(downtimeMs)}`);
  for (const task of tasks) await talk(lab, task);
  good('a1 reaches both where they are now');
  showBytes(jobs);
  await show(lab, 'a', 'migrations', '--last', '1', '--courier', couriers.file('a'));
  for (const guest of guests) await guest.stop();
  for (const site of ['a', 'b'] as const) await couriers.kill(site);
}

/**
 * Before and after, not meanwhile: QEMU 7.2 without hardware acceleration loses writes of a busy guest while its memory is being
 * sent, through couriers or not (docs/courier.md).
 */
async function talk(lab: Lab, { ip, echoPort }: ReturnType<typeof taskOf>): Promise<void> {
  const stream = await EchoStream.open(lab, 'a1', ip, echoPort);
  await stream.progress(enoughBytes);
  await stream.finish();
}

/** The site's LNDT lists who may take part. */
async function admit(lab: Lab, ips: readonly string[]): Promise<void> {
  const file = join(routerDirectory(lab.directory, 'a'), 'lndt.json');
  const lndt = JSON.parse(readFileSync(file, 'utf8')) as { nodes: object[] };
  writeFileSync(
    file,
    JSON.stringify({ ...lndt, nodes: [...lndt.nodes, ...ips.map((ip) => ({ vnet, ip }))] }),
  );
  await lab.vinectl('a', ['reload']);
}

function taskOf(lab: Lab, number: number): ReturnType<typeof Guest.task> & { readonly ip: string } {
  const task = Guest.task(lab);
  const host = firstHost + number;
  const ip = lab.plan.guest.ipv4.replace(/\d+$/, String(host));
  return {
    ...task,
    ...{ ip, ipv4: `${ip}/24`, ipv6: task.ipv6.replace(/:[0-9a-f]+\//, `:${host}/`) },
    mac: task.mac.replace(/..$/, host.toString(16)),
  };
}

function showBytes(jobs: readonly JobView[]): void {
  const wanOf = (job: JobView): number => job.wanBytesSent + job.wanBytesReceived;
  const all = jobs.map((job) => [job.destination, job.streamBytes, wanOf(job)] as const);
  const sum = (column: 1 | 2): number => all.reduce((total, row) => total + row[column], 0);
  const rows = [...all, ['both', sum(1), sum(2)] as const];
  say(
    `\n  ${'guest'.padEnd(6)} ${'plain migration'.padStart(16)} ${'on the WAN'.padStart(12)} ${'saved'.padStart(7)}`,
  );
  for (const [name, plain, wan] of rows) {
    const line = `  ${name.padEnd(6)} ${bytes(plain).padStart(16)} ${bytes(wan).padStart(12)} ${saved(plain, wan).padStart(7)}`;
    say(name === 'both' ? paint('1', line) : line);
  }
  const wrong = jobs.filter(({ state, identical }) => state !== 'complete' || identical !== true);
  if (wrong.length > 0) throw new Error(`a courier says: ${wrong.map(({ reason }) => reason).join(', ')}`);
  good('what came out at site B has the SHA-256 of what went in at site A');
}

const saved = (plain: number, wan: number): string => `${((1 - wan / plain) * 100).toFixed(1)} %`;
