/** `vinectl migrations`: the router's moves, and beside them the jobs of the courier, if there is one. */
import type { Command } from 'commander';
import type { MigrationView } from '../../control/api.js';
import { codeOf } from '../../net/system-error.js';
import type { Query } from '../client.js';
import { type Context, contextOf } from '../context.js';
import { CliError } from '../exit.js';
import type { Io } from '../io.js';
import type { CourierClient } from '../jobs/courier-client.js';
import type { CourierJob } from '../jobs/jobs.js';
import { examples, positiveInteger } from './help.js';

interface MigrationOptions {
  readonly vnet?: string;
  readonly ip?: string;
  readonly mac?: string;
  readonly router?: string;
  readonly last?: number;
  readonly courier?: string;
}

export function addMigrations(program: Command, io: Io): void {
  const summary = 'moves of nodes between sites, with the time of each step';
  const command = program
    .command('migrations')
    .summary(summary)
    .description(
      `${summary}. Where a courier runs on this machine, the job that carried a guest stands with its move, and jobs without a move by themselves.`,
    )
    .option('--vnet <name>', 'only this vnet')
    .option('--ip <address>', 'only what holds this address')
    .option('--mac <address>', 'only this MAC')
    .option('--router <id>', 'only what concerns this router')
    .option('--last <n>', 'only the last N', positiveInteger)
    .option('--courier <path>', "the courier's control socket, or its file (ends in .json)");
  examples(command, ['vinectl migrations --last 1', 'vinectl migrations --ip 10.1.0.9 --json']);
  command.action(async (options: MigrationOptions, self: Command) =>
    migrations(contextOf(io, self), await courierOf(io, options.courier), options),
  );
}

async function courierOf(io: Io, named: string | undefined): Promise<CourierClient> {
  const { CourierClient } = await import('../jobs/courier-client.js');
  const isFile = named?.endsWith('.json') === true;
  return CourierClient.find(
    isFile ? { socket: undefined, config: named } : { socket: named, config: undefined },
    io.env,
  );
}

async function migrations(
  context: Context,
  courier: CourierClient,
  { vnet, ip, mac, router, last }: MigrationOptions,
): Promise<void> {
  const query: Query = { vnet, ip, mac, router, last: last?.toString() };
  const client = await context.client();
  const { text, body } = await client.get<readonly MigrationView[]>('/v1/migrations', query);
  const jobs = await jobsOf(context, courier);
  if (jobs === undefined) {
    const { showMigrations } = await import('../show/migrations.js');
    return context.print(context.json ? text : showMigrations(body, context.look));
  }
  const { jobsOfMoves, withJobs, withOthers } = await import('../jobs/jobs.js');
  const all = (await client.get<readonly MigrationView[]>('/v1/migrations')).body;
  const carriers = jobsOfMoves(all, jobs);
  const entries = withJobs(body, carriers);
  if (context.json) {
    const rows = entries.map(({ move, job }) => ({ ...move, courier: job ?? null }));
    return context.print(`${JSON.stringify(rows)}\n`);
  }
  // A job has a MAC at most: whether another filter would let it through nobody can tell.
  const others = vnet === undefined && ip === undefined && router === undefined;
  const asked = mac === undefined ? jobs : jobs.filter(({ macs }) => macs.includes(mac.toLowerCase()));
  const shown = others ? withOthers(entries, asked, carriers) : entries;
  const { showEntries } = await import('../show/migrations.js');
  context.print(showEntries(last === undefined ? shown : shown.slice(-last), context.look));
}

/** Undefined: there is no courier, and nobody has said that there is one. */
async function jobsOf(context: Context, courier: CourierClient): Promise<readonly CourierJob[] | undefined> {
  const { courierJobs } = await import('../jobs/jobs.js');
  try {
    return await courierJobs(courier);
  } catch (error) {
    if (courier.isNamed || !(error instanceof CliError)) throw error;
    const code = codeOf(error.cause);
    if (code !== 'ENOENT' && code !== 'ECONNREFUSED')
      context.io.stderr.write(`vinectl: the courier's jobs are not shown: ${error.message}\n`);
    return undefined;
  }
}
