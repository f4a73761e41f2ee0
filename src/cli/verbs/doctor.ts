/** `vinectl doctor`: what operators get wrong. */
import type { Command } from 'commander';
import type { Finding } from '../../config/finding.js';
import type { FindingView } from '../../control/api.js';
import { type Context, contextOf } from '../context.js';
import { CliError, REFUSED, UNREACHABLE } from '../exit.js';
import type { Io } from '../io.js';
import { showFindings } from '../show/doctor.js';
import { examples } from './help.js';

const DEFAULT_DIRECTORY = '/etc/vine';

export function addDoctor(program: Command, io: Io): void {
  const summary = 'look for what operators get wrong: machine, files, keys, peers, paths, clocks';
  const command = program
    .command('doctor')
    .summary(summary)
    .description(
      `${summary}. The router itself looks when one runs; else the machine and the files are looked at from here. Exit status 1 when an error was found.`,
    )
    .option(
      '--config <dir>',
      `also look at the files in this directory (without a router: ${DEFAULT_DIRECTORY})`,
    );
  examples(command, ['vinectl doctor', 'vinectl doctor --config /etc/vine', 'vinectl doctor --json']);
  command.action(async ({ config }: { config?: string }, self: Command) => {
    const context = contextOf(io, self);
    const asked = await askRouter(context);
    const { examineDirectory, examineMachine } = await import('../examine.js');
    const findings: Finding[] = [
      ...asked.findings,
      ...(config !== undefined || !asked.runs ? examineDirectory(config ?? DEFAULT_DIRECTORY) : []),
      ...(asked.runs ? [] : await examineMachine(config ?? DEFAULT_DIRECTORY)),
    ];
    context.print(
      context.json ? `${JSON.stringify(findings, null, 2)}\n` : showFindings(findings, context.look),
    );
    const errors = findings.filter(({ level }) => level === 'error').length;
    if (errors > 0) throw new CliError(REFUSED, `${errors} ${errors === 1 ? 'error' : 'errors'} found`);
  });
}

/** A router that does not answer is itself a finding; the rest is then looked at from here. */
async function askRouter(context: Context): Promise<{ runs: boolean; findings: readonly FindingView[] }> {
  try {
    const client = await context.client();
    const { body } = await client.get<readonly FindingView[]>('/v1/doctor');
    return { runs: true, findings: body };
  } catch (failure) {
    if (!(failure instanceof CliError) || failure.status !== UNREACHABLE) throw failure;
    const finding = {
      check: 'router',
      subject: 'vined',
      message: failure.message,
      remedy: 'journalctl -u vined says why it ended',
    };
    return { runs: false, findings: [{ ...finding, level: 'error' }] };
  }
}
