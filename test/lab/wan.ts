/**
 * The lab's wide-area network. Without any shaping the routers' WAN interfaces are ports of one bridge, so that a
 * throughput test is not limited by the lab. With the first setting, the program `lab-wan` (wan.c says why it is in C)
 * takes the bridge's place; it stays until the lab goes.
 */
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { namespaceOf } from './build.js';
import { projectRoot } from './daemon.js';
import { type ProcessEntry, startLogged } from './ledger.js';
import { type Plan, type RouterPlan, wanPort } from './plan.js';
import { inNamespace, ipBatch, runSync } from './shell.js';
import { waitFor } from './wait.js';

export interface WanSettings {
  readonly delayMs?: number;
  readonly jitterMs?: number;
  /** 0 … 100 */
  readonly lossPercent?: number;
  /** 0 = no limit. */
  readonly rateMbit?: number;
  readonly cut?: boolean;
  /** Only frames from the router with this tag (its site's letter, where that has one), or to that one; default: all. */
  readonly from?: string;
  readonly to?: string;
}

/** What carries the frames, as the lab needs to know it. */
export interface WanPlace {
  readonly lab: string;
  readonly directory: string;
  readonly plan: Plan;
  readonly onStart: (entry: ProcessEntry) => void;
}

const socketOf = (place: WanPlace): string => join(place.directory, 'wan.sock');
const machinesOf = ({ plan }: WanPlace): readonly RouterPlan[] => [...plan.routers, ...plan.spares];
const whole = (n: number): string => String(Math.round(n));

/** One line for the program; see the head of wan.c. */
function settingLine(settings: WanSettings): string {
  const port = (tag: string | undefined): string => (tag === undefined ? '*' : wanPort({ tag }));
  const words = ['set', port(settings.from), port(settings.to)];
  if (settings.delayMs !== undefined) words.push('delay_us', whole(settings.delayMs * 1000));
  if (settings.jitterMs !== undefined) words.push('jitter_us', whole(settings.jitterMs * 1000));
  if (settings.lossPercent !== undefined) words.push('loss_ppm', whole(settings.lossPercent * 10_000));
  if (settings.rateMbit !== undefined) words.push('rate_kbit', whole(settings.rateMbit * 1000));
  if (settings.cut !== undefined) words.push('cut', settings.cut ? '1' : '0');
  return words.join(' ');
}

/** Sends one line to the program and answers its one line. */
function ask(place: WanPlace, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketOf(place), () => socket.write(`${line}\n`));
    let answer = '';
    socket.setTimeout(3_000, () => socket.destroy(new Error('lab-wan does not answer')));
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
      if (answer.endsWith('\n')) socket.end();
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(answer.trim()));
  });
}

/** Segmentation is done before the wire, so that what is lost or delayed is one datagram. */
function switchSegmentationOff(place: WanPlace): void {
  const features = ['gso', 'off', 'tso', 'off', 'gro', 'off', 'tx-udp-segmentation', 'off'];
  for (const router of machinesOf(place)) {
    const machine = namespaceOf(place.lab, router.id);
    runSync(inNamespace(machine, ['ethtool', '-K', 'wan0', ...features]));
    runSync(inNamespace(namespaceOf(place.lab, 'wan'), ['ethtool', '-K', wanPort(router), ...features]));
  }
}

async function startProgram(place: WanPlace): Promise<void> {
  const namespace = namespaceOf(place.lab, 'wan');
  const ports = machinesOf(place).map(wanPort);
  switchSegmentationOff(place);
  const command = [`${projectRoot}build/lab-wan`, socketOf(place), ...ports];
  place.onStart(startLogged('lab-wan', namespace, command, join(place.directory, 'wan.log')));
  await waitFor('lab-wan listening', () => existsSync(socketOf(place)) && ask(place, 'stats'), 3_000);
  ipBatch(
    namespace,
    ports.map((port) => `link set ${port} nomaster`),
  );
}

/** Changes what is given, in both directions of every pair unless `from` or `to` says otherwise. */
export async function setWan(place: WanPlace, settings: WanSettings): Promise<void> {
  if (!existsSync(socketOf(place))) await startProgram(place);
  const answer = await ask(place, settingLine(settings));
  if (answer !== 'ok') throw new Error(`lab-wan: ${answer}`);
}

/** The program's own counts, or what it says when it is not needed. */
export async function wanStatus(place: WanPlace): Promise<string> {
  return existsSync(socketOf(place)) ? ask(place, 'stats') : 'a bridge: no delay, no loss, no limit';
}
