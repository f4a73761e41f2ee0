/** `vinectl web`: the network as a page, for who would rather look than read. */
import { type Command, InvalidArgumentError } from 'commander';
import { contextOf } from '../context.js';
import type { Io } from '../io.js';
import type { WebOptions } from '../web/serve.js';
import { examples } from './help.js';

const MOST_PORT = 65_535;

export function addWeb(program: Command, io: Io): void {
  const summary = 'the network as a page in a browser: sites, traffic, moves, advice, findings; live';
  const command = program
    .command('web')
    .summary(summary)
    .description(
      `${summary}. Served on 127.0.0.1 until Ctrl-C, to the browser that first opens the address that is printed; nothing is asked of any other machine.`,
    )
    .option('--port <n>', 'port on 127.0.0.1; 0 for any that is free', port, 0)
    .option('--allow-changes', 'let the page ping routers and end freezes')
    .option('--config <dir>', 'directory with gndt.json and advice.json, for the advice', '/etc/vine');
  examples(command, ['vinectl web', 'vinectl web --port 8787 --allow-changes']);
  command.action(async (options: WebOptions, self: Command) => {
    const { serveWeb } = await import('../web/serve.js');
    await serveWeb(contextOf(io, self), options);
  });
}

function port(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > MOST_PORT)
    throw new InvalidArgumentError(`It is a port from 0 to ${MOST_PORT}.`);
  return Number(text);
}
