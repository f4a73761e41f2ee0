/** `vinectl traffic`: who talks to whom. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { MOST_TOP, TRAFFIC_PATIENCE_MS, type TrafficView } from '../../control/traffic-view.js';
import type { Measure } from '../../traffic/groups/weights.js';
import type { ControlClient } from '../client.js';
import { type Context, contextOf } from '../context.js';
import { CliError, REFUSED } from '../exit.js';
import type { Io } from '../io.js';
import { examples, positiveInteger } from './help.js';

/** With `--exact`: what is left of a period, and what the answers need. */
const EXACT_WAIT_SECONDS = 33;
/** Three periods. */
const LEAST_GROUP_SECONDS = 90;

interface Options {
  readonly last: number;
  readonly detail?: boolean;
  readonly weight?: string;
  readonly exact?: boolean;
  readonly approx?: boolean;
  readonly wait?: number;
  readonly by: string;
  readonly top: number;
  readonly node?: string;
  readonly vnet?: string;
  readonly threshold?: number;
  readonly measure: Measure;
}

export function addTraffic(program: Command, io: Io): void {
  const summary = 'who talks to whom: packets and bytes between nodes or sites, as all routers count them';
  const command = program
    .command('traffic')
    .summary(summary)
    .description(
      `${summary}. Counted in periods of 30 s; without --exact or --approx those that have ended. What is within a LAN no router sees.`,
    )
    .option('--last <time>', 'of the last 30s, 10m, 2h or 1d', time, 600)
    .option('--detail', 'each period by itself')
    .option('--weight <factor>', 'a period counts so many times as much as the one before it')
    .option('--exact', 'with the period that runs now: wait until it has ended')
    .option('--approx', 'with the period that runs now, estimated')
    .option(
      '--wait <time>',
      'how long to wait for the routers, and with --exact for the end of the period',
      time,
    )
    .option('--by <what>', 'pairs of what: node or site; or group, who talks mostly with each other', 'node')
    .option(
      '--threshold <share>',
      'with --by group: pairs of this share of the strongest count, 0 to 1',
      share,
    )
    .addOption(
      new Option('--measure <what>', 'with --by group: how pairs are weighed')
        .choices(['bytes', 'packets'] as const)
        .default('bytes'),
    )
    .option('--top <n>', 'the largest N pairs', positiveInteger, 20)
    .option('--node <address>', 'only what this node sends and gets')
    .option('--vnet <name>', 'only this vnet');
  examples(command, [
    'vinectl traffic',
    'vinectl traffic --last 1h --by site',
    'vinectl traffic --last 5m --by group',
    'vinectl traffic --last 5m --detail --node 10.1.0.9',
    'vinectl traffic --last 30s --exact --json',
  ]);
  command.action(async (options: Options, self: Command) => {
    if (options.exact && options.approx) self.error('error: --exact and --approx exclude each other');
    const context = contextOf(io, self);
    const client = await context.client();
    if (options.by === 'group') return printGroups(context, client, options);
    const { text, body } = await client.get<TrafficView>(
      '/v1/traffic',
      queryOf(options),
      TRAFFIC_PATIENCE_MS,
    );
    const { showTraffic } = await import('../show/traffic.js');
    context.print(context.json ? text : showTraffic(body, context.look));
  });
}

/** Found in `vinectl`: the router tells the pairs of each period. */
async function printGroups(context: Context, client: ControlClient, options: Options): Promise<void> {
  const { groupsReport, showGroups } = await import('../show/groups.js');
  if (options.last < LEAST_GROUP_SECONDS)
    throw new CliError(
      REFUSED,
      `a group is one when it is found in three periods: ask for ${LEAST_GROUP_SECONDS}s or more`,
    );
  const query = queryOf({ ...options, by: 'node', detail: true, top: MOST_TOP });
  const { body } = await client.get<TrafficView>('/v1/traffic', query, TRAFFIC_PATIENCE_MS);
  const report = groupsReport(body, options);
  context.print(context.json ? `${JSON.stringify(report)}\n` : showGroups(report, context.look));
}

function queryOf({ last, detail, weight, exact, approx, wait, by, top, node, vnet }: Options) {
  const waitSeconds = wait ?? (exact ? EXACT_WAIT_SECONDS : undefined);
  return {
    last: String(last),
    mode: exact ? 'exact' : approx ? 'approximate' : undefined,
    detail: detail ? '1' : undefined,
    weight,
    by,
    top: String(top),
    node,
    vnet,
    wait: waitSeconds?.toString(),
  };
}

function share(text: string): number {
  if (!/^(0?\.\d{1,6}|1(\.0+)?)$/.test(text) || Number(text) === 0)
    throw new InvalidArgumentError('It is a number above 0, up to 1.');
  return Number(text);
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3_600, d: 86_400 };

/** Seconds of `90`, `90s`, `10m`, `2h`, `1d`. */
export function time(text: string): number {
  const [, figures, unit = ''] = /^([1-9]\d{0,6})([smhd]?)$/.exec(text) ?? [];
  if (figures === undefined) throw new InvalidArgumentError('It is a time such as 30s, 10m, 2h or 1d.');
  return Number(figures) * (UNIT_SECONDS[unit] ?? 1);
}
