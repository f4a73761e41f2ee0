/** Verbs that change something in the running router. */
import { type Command, InvalidArgumentError } from 'commander';
import {
  type ConfirmView,
  type DirectoryView,
  MAX_CONFIRM_SECONDS,
  type MigrationView,
  type ReloadView,
} from '../../control/api.js';
import { contextOf } from '../context.js';
import type { Io } from '../io.js';
import { examples } from './help.js';

export function addSteeringVerbs(program: Command, io: Io): void {
  addMove(program, io);
  addUnfreeze(program, io);
  addLogLevel(program, io);
  addReload(program, io);
  addConfirm(program, io);
}

function addReload(program: Command, io: Io): void {
  const summary = 'read the configuration again and apply what differs, all of it or nothing';
  const command = program
    .command('reload')
    .summary(summary)
    .description(summary)
    .option('-n, --dry-run', 'only show what would change')
    .option(
      '--confirm <seconds>',
      'go back to the configuration of before unless "vinectl confirm" follows in time',
      confirmSeconds,
    );
  examples(command, ['vinectl reload --dry-run', 'vinectl reload --confirm 60', 'vinectl reload']);
  command.action(async ({ dryRun, confirm }: { dryRun?: boolean; confirm?: number }, self: Command) => {
    const context = contextOf(io, self);
    const client = await context.client();
    const request = {
      dryRun: dryRun === true,
      ...(confirm === undefined ? {} : { confirmSeconds: confirm }),
    };
    const { text, body } = await client.post<ReloadView>('/v1/reload', request);
    const { showReload } = await import('../show/reload.js');
    context.print(context.json ? text : showReload(body, request.dryRun, context.look));
  });
}

function confirmSeconds(text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text) || Number(text) > MAX_CONFIRM_SECONDS)
    throw new InvalidArgumentError(`It is a whole number of seconds from 1 to ${MAX_CONFIRM_SECONDS}.`);
  return Number(text);
}

function addConfirm(program: Command, io: Io): void {
  const summary = 'keep what "vinectl reload --confirm" has applied';
  const command = program.command('confirm').summary(summary).description(summary);
  examples(command, ['vinectl reload --confirm 60 && vinectl peers && vinectl confirm']);
  command.action(async (_options: object, self: Command) => {
    const context = contextOf(io, self);
    const client = await context.client();
    const { text } = await client.post<ConfirmView>('/v1/confirm', {});
    context.print(context.json ? text : 'the new configuration stays\n');
  });
}

function addMove(program: Command, io: Io): void {
  const summary = 'tell the router that a node has moved to its LAN (for hypervisors that announce nothing)';
  const command = program
    .command('move')
    .summary(summary)
    .description(summary)
    .argument('<IP>', "the node's address")
    .option('--vnet <name>', 'its vnet; needed when several have the address');
  examples(command, ['vinectl move 10.1.0.9', 'vinectl move 10.1.0.9 --vnet blue']);
  command.action(async (ip: string, { vnet }: { vnet?: string }, self: Command) => {
    const context = contextOf(io, self);
    const client = await context.client();
    const { text, body } = await client.post<MigrationView>('/v1/moves', { ip, ...(vnet && { vnet }) });
    const { showMigration } = await import('../show/migrations.js');
    context.print(context.json ? text : showMigration(body, context.look));
  });
}

function addUnfreeze(program: Command, io: Io): void {
  const summary = "release a node that is frozen at this router's LAN";
  const command = program
    .command('unfreeze')
    .summary(summary)
    .description(
      `${summary}. A node is frozen when two machines answer for it, or when it moves too often; after 180 s it is released by itself`,
    )
    .argument('<IP>', "the node's address")
    .option('--vnet <name>', 'its vnet; needed when several have the address');
  examples(command, ['vinectl unfreeze 10.1.0.9']);
  command.action(async (ip: string, { vnet }: { vnet?: string }, self: Command) => {
    const context = contextOf(io, self);
    const client = await context.client();
    const { text, body } = await client.post<DirectoryView>('/v1/unfreeze', { ip, ...(vnet && { vnet }) });
    context.print(context.json ? text : `${body.ip} at ${body.router} is no longer frozen\n`);
  });
}

function addLogLevel(program: Command, io: Io): void {
  const summary = "change the router's log level until it restarts";
  const command = program
    .command('log-level')
    .summary(summary)
    .description(summary)
    .argument('<LEVEL>', 'trace, debug, info, warn, error or fatal');
  examples(command, ['vinectl log-level debug']);
  command.action(async (level: string, _options: object, self: Command) => {
    const context = contextOf(io, self);
    const client = await context.client();
    const { text, body } = await client.post<{ readonly level: string }>('/v1/log-level', { level });
    context.print(context.json ? text : `log level is now ${body.level}\n`);
  });
}
