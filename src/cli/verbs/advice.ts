/** `vinectl advice`: which machines should be elsewhere. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { AdviceView, AdvisedMoveView } from '../../control/advice-view.js';
import { OBJECTIVES, type Objective } from '../../traffic/advice/input.js';
import type { ControlClient } from '../client.js';
import { type Context, contextOf } from '../context.js';
import type { Io } from '../io.js';
import { examples } from './help.js';
import { time } from './traffic.js';

const HOUR_SECONDS = 3_600;
const MOST_HORIZON_SECONDS = 366 * 24 * HOUR_SECONDS;
const DAY_SECONDS = 24 * HOUR_SECONDS;
const PATIENCE_SECONDS = 300;

interface Options {
  readonly objective: Objective;
  readonly horizon: number;
  readonly last: number;
  readonly config: string;
  readonly executeWith?: string;
  readonly timeout: number;
}

export function addAdvice(program: Command, io: Io): void {
  const summary =
    'which machines should move where: what it saves, what it costs, when it has paid for itself';
  const command = program
    .command('advice')
    .summary(summary)
    .description(
      `${summary}. From the traffic between nodes as it was lately, and what advice.json says. Each move pays within the ` +
        'horizon, with half as much to spare. Moves nothing unless --execute-with says how.',
    )
    .addOption(
      new Option('--objective <what>', 'bytes between sites, the same by round trip, or by price')
        .choices(OBJECTIVES)
        .default('traffic'),
    )
    .option('--horizon <time>', 'how soon a move has to have paid for itself', horizon, DAY_SECONDS)
    .option(
      '--last <time>',
      'the traffic of the last 10m, 2h or 1d is taken for that of tomorrow',
      time,
      HOUR_SECONDS,
    )
    .option('--config <dir>', 'directory with gndt.json and advice.json', '/etc/vine')
    .option(
      '--execute-with <command>',
      'have a shell run this for one move after the other, with {node} and {site} filled in ({from}, {vnet}, {mac} too); ' +
        'the first that fails ends it',
    )
    .option(
      '--timeout <time>',
      'with --execute-with: from the end of the command until the machine has arrived',
      time,
      PATIENCE_SECONDS,
    );
  examples(command, [
    'vinectl advice',
    'vinectl advice --objective cost --horizon 7d --json',
    "vinectl advice --last 2h --execute-with 'virsh migrate --live {node} qemu+ssh://{site}/system'",
  ]);
  command.action(async (options: Options, self: Command) => {
    const context = contextOf(io, self);
    if (options.executeWith !== undefined)
      (await import('../advice/execute.js')).checkCommand(options.executeWith);
    const client = await context.client();
    const { makeAdvice } = await import('../advice/make.js');
    const report = await makeAdvice(client, {
      objective: options.objective,
      horizonSeconds: options.horizon,
      lastSeconds: options.last,
      directory: options.config,
      nowMs: io.nowMs(),
    });
    if (context.json) context.print(`${JSON.stringify(report)}\n`);
    else context.print((await import('../show/advice.js')).showAdvice(report, context.look));
    if (options.executeWith !== undefined)
      await carryOut(context, client, report, options.executeWith, options.timeout);
  });
}

function horizon(text: string): number {
  const seconds = time(text);
  if (seconds < HOUR_SECONDS || seconds > MOST_HORIZON_SECONDS)
    throw new InvalidArgumentError('It is a time from 1h to 366d.');
  return seconds;
}

async function carryOut(
  context: Context,
  client: ControlClient,
  { steps }: AdviceView,
  command: string,
  timeout: number,
): Promise<void> {
  const { execute } = await import('../advice/execute.js');
  const { io, json } = context;
  const interrupted = new AbortController();
  const forget = io.onInterrupt(() => interrupted.abort());
  const tell = ({ ips, to }: AdvisedMoveView, what: string, more: object): void =>
    context.print(
      json ? `${JSON.stringify({ node: ips[0], site: to, ...more })}\n` : `${ips[0]} -> ${to}: ${what}\n`,
    );
  try {
    await execute(
      steps.flatMap(({ moves }) => moves),
      {
        client,
        io,
        command,
        patienceMs: timeout * 1000,
        signal: interrupted.signal,
        onBegin: (move, filled) => tell(move, filled, { command: filled }),
        onArrived: (move, tookMs) =>
          tell(move, `arrived after ${(tookMs / 1000).toFixed(1)} s`, { arrivedAfterMs: tookMs }),
      },
    );
  } finally {
    forget();
  }
}
