/**
 * Who talks to whom, what the routers advise, and that it is so: a machine whose partners are all at the other site moves to them
 * by a command of the operator's, its connections go on, and hardly anything crosses between the sites any more.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { routerDirectory } from '../configuration.js';
import { projectRoot } from '../daemon.js';
import type { Lab } from '../lab.js';
import { routerName, siteAddress } from '../plan.js';
import { TcpStream } from '../traffic/traffic.js';
import { good, heading, ms, paint, say, show, showOutput } from './tell.js';

const node = 'vmb';
const partners = ['a1', 'a2'];
const bytesPerSecond = 400_000;
const periodMs = 30_000;
/** So much of a period at least has to have the talk in it. */
const leastTalkMs = 10_000;
/** Behind the end of a period, so that both routers have it. */
const settleMs = 500;
/** For so long the bytes between the sites are counted, before and after. */
const measuredMs = 5_000;
const limitMs = 60_000;

/** Its talk with the other site, from early on, so that a period of it has ended by the time that it is asked about. */
export async function startTalk(lab: Lab): Promise<TcpStream[]> {
  const { ipv4 } = lab.mover(node);
  await lab.daemon('a').waitKnows(ipv4, routerName('b'));
  return Promise.all(partners.map((from) => TcpStream.open(lab, from, node, ipv4, bytesPerSecond)));
}

/** @param beganMs Unix time of the talk's beginning */
export async function followAdvice(lab: Lab, streams: readonly TcpStream[], beganMs: number): Promise<void> {
  const { ipv4 } = lab.mover(node);
  heading('4. Who talks to whom, and where machines should be');
  say(`  ${node} (${ipv4}, at site B) has TCP connections to ${partners.join(' and ')}, across the WAN`);
  const before = await rateBetweenSites(lab);
  say(`  between the sites: ${kilobytes(before)} kB/s`);
  await untilPeriodHasEnded(beganMs);
  const last = ['--last', '30s'];
  await show(lab, 'a', 'traffic', ...last, '--top', '6');
  writeAdviceFile(lab);
  heading('   The advice, followed by a command of whoever has the machines');
  for (const stream of streams) await stream.mark();
  const move = `scripts/lab move --name ${lab.name} {node} {site}`;
  showOutput('a', `advice ${last.join(' ')} --execute-with '${move}'`, await execute(lab, last, move));
  await lab.daemon('b').waitKnows(ipv4, routerName('a'));
  await Promise.all(streams.map((stream) => stream.progress(bytesPerSecond)));
  for (const stream of streams) good(`${stream.name} goes on; longest pause ${ms(stream.gapMs)}`);
  const after = await rateBetweenSites(lab);
  if (!(after < before / 10))
    throw new Error(`${after} bytes/s between the sites, ${before} before the move`);
  good(paint('1', `between the sites: ${kilobytes(after)} kB/s, ${kilobytes(before)} before`));
  for (const stream of streams) {
    const { client, server } = await stream.finish();
    good(`${stream.name}: ${client.sentBytes + server.sentBytes} bytes, none lost, none changed`);
  }
}

/** Bytes a second in the tunnel, both ways, as router A counts them. */
async function rateBetweenSites(lab: Lab): Promise<number> {
  const total = async (): Promise<number> =>
    (await lab.daemon('a').peers()).reduce((sum, peer) => sum + peer.bytesSent + peer.bytesReceived, 0);
  const [bytes, beganMs] = [await total(), performance.now()];
  await sleep(measuredMs);
  return (1_000 * ((await total()) - bytes)) / (performance.now() - beganMs);
}

/** One in which the talk can be seen. */
async function untilPeriodHasEnded(talkBeganMs: number): Promise<void> {
  const firstEndsMs = Math.ceil((talkBeganMs + leastTalkMs) / periodMs) * periodMs;
  const inMs = firstEndsMs + settleMs - Date.now();
  if (inMs <= 0) return;
  say(`  the routers count by periods of 30 s, of which one ends in ${Math.ceil(inMs / 1_000)} s …`);
  await sleep(inMs);
}

/** The hosts are of metal, and what moves is small. */
function writeAdviceFile(lab: Lab): void {
  const hosts = lab.plan.sites.map((site) => ({ ip: `${siteAddress(site, 0)}/24`, pinned: true }));
  const machines = [...hosts, { ip: lab.mover(node).ipv4, memoryMib: 64, dirtyMibPerSecond: 1 }];
  writeFileSync(join(routerDirectory(lab.directory, 'a'), 'advice.json'), JSON.stringify({ machines }));
}

async function execute(lab: Lab, last: readonly string[], move: string): Promise<string> {
  const directory = routerDirectory(lab.directory, 'a');
  const args = ['advice', '--config', directory, ...last, '--execute-with', `${projectRoot}${move}`];
  return (await lab.vinectl('a', args, limitMs)).replaceAll(projectRoot, '');
}

const kilobytes = (bytes: number): string => (bytes / 1_000).toFixed(0);
