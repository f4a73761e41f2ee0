/**
 * Moves that nobody announces, of a node that says nothing by itself: it is pinged from its old LAN and from a third site,
 * and what counts is when it answers again. Nothing but the routers' own search can find it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MigrationView } from '../../src/control/api.js';
import type { Lab } from '../../test/lab/lab.js';
import { routerName, type SiteLetter } from '../../test/lab/plan.js';
import { pause, waitFor } from '../../test/lab/wait.js';
import { type Distribution, distributionOf, inShort } from '../lib/distribution.js';
import { table } from '../lib/table.js';
import type { Check } from './budget.js';
import { SILENT_MS } from './limits.js';

const PINGERS = ['a1', 'c1'] as const;
const PING_EVERY_S = '0.02';
const PAUSE_MS = 20;
/** A node that has been asked and has answered is left in peace for 5 s. */
const BETWEEN_MS = 6_500;
const FOUND_WITHIN_MS = 20_000;

type Pinger = (typeof PINGERS)[number];

export interface SilentMove {
  readonly to: SiteLetter;
  /** By whom, and from its being plugged in until its first answer; milliseconds. */
  readonly againMs: Readonly<Record<Pinger, number>>;
  /** What the destination router says set it off. */
  readonly trigger: string;
}

export interface SilentResult {
  readonly delayMs: number;
  readonly moves: readonly SilentMove[];
}

/** Unix milliseconds of each answer that `ping -D` has printed. */
export function parseAnswers(text: string): number[] {
  // The last line may be half written.
  const lines = text.split('\n').slice(0, -1);
  return lines.flatMap((line) => {
    const [, seconds] = /^\[(\d+\.\d+)\] \d+ bytes from/.exec(line) ?? [];
    return seconds === undefined ? [] : [Number(seconds) * 1000];
  });
}

/** The node goes from site to site. */
export async function silentMoves(
  lab: Lab,
  delayMs: number,
  count: number,
  progress: (done: number) => void,
): Promise<SilentResult> {
  const { ipv4 } = lab.mover('vm');
  for (const { letter } of lab.plan.sites) await lab.daemon(letter).waitKnows(ipv4, routerName('a'));
  const files = new Map(PINGERS.map((host) => [host, join(lab.directory, `ping-${host}.txt`)]));
  for (const [host, file] of files)
    lab.start(`ping-${host}`, host, ['ping', '-D', '-n', '-i', PING_EVERY_S, ipv4], file);
  const answersOf = (host: Pinger): number[] => parseAnswers(readFileSync(files.get(host) ?? '', 'utf8'));
  for (const host of PINGERS)
    await waitFor(`pings of ${host} are answered`, () => answersOf(host).length > 9);
  const moves: SilentMove[] = [];
  for (let n = 0; n < count; n++) {
    await pause(BETWEEN_MS);
    const to = (['b', 'c', 'a'] as const)[n % 3] ?? 'a';
    const { pluggedInAtMs } = await lab.move('vm', to, { announce: 'none', downtimeMs: PAUSE_MS });
    const again = (host: Pinger): number | undefined => answersOf(host).find((atMs) => atMs > pluggedInAtMs);
    const isBack = (): boolean => PINGERS.every((host) => again(host) !== undefined);
    await waitFor(`silent move ${n + 1} is found`, isBack, FOUND_WITHIN_MS);
    const againMs = Object.fromEntries(
      PINGERS.map((host) => [host, (again(host) ?? Number.NaN) - pluggedInAtMs]),
    ) as SilentMove['againMs'];
    const views = await lab.daemon(to).get<readonly MigrationView[]>('/v1/migrations');
    const trigger = views.findLast(({ role }) => role === 'destination')?.trigger ?? 'unknown';
    moves.push({ to, againMs, trigger });
    progress(n + 1);
  }
  return { delayMs, moves };
}

export function silentSummary({ moves }: SilentResult): Readonly<Record<Pinger | 'all', Distribution>> {
  const of = (host: Pinger): number[] => moves.map(({ againMs }) => againMs[host]);
  return {
    a1: distributionOf(of('a1')),
    c1: distributionOf(of('c1')),
    all: distributionOf(PINGERS.flatMap(of)),
  };
}

/** Two answers a move: from its old LAN (or its new one), and from a third site. */
export function silentChecks(result: SilentResult): Check[] {
  const { all } = silentSummary(result);
  const measured = `${all.p99.toFixed(0)} ms (median ${all.median.toFixed(0)} ms)`;
  const what = `${result.moves.length} moves that nobody announces: answers again, p99`;
  return [{ what, measured, limit: `≤ ${SILENT_MS} ms`, holds: all.p99 <= SILENT_MS }];
}

export function silentTable(result: SilentResult): string {
  const summary = silentSummary(result);
  const found = new Map<string, number>();
  for (const { trigger } of result.moves) found.set(trigger, (found.get(trigger) ?? 0) + 1);
  const by = [...found].map(([trigger, count]) => `${count} by ${trigger}`).join(', ');
  const rows = [
    [`${result.delayMs} ms, ${result.moves.length}`, inShort(summary.a1), inShort(summary.c1), by],
  ];
  return table(['moves in silence', 'pinged by a1', 'pinged by c1', 'found'], rows);
}
