/** Verbs that need no router: keys and configuration directories. */
import type { Command } from 'commander';
import { type ConfigError, formatConfigError } from '../../tables/files/error.js';
import { type Context, contextOf } from '../context.js';
import { CliError, REFUSED } from '../exit.js';
import type { Io } from '../io.js';
import { clean } from '../show/text.js';
import { examples } from './help.js';

/** Far more than a key and its line end. */
const MAX_KEY_CHARACTERS = 4096;

export function addConfigVerbs(program: Command, io: Io): void {
  addGenkey(program, io);
  addGenpsk(program, io);
  addPubkey(program, io);
  addCheck(program, io);
}

function addGenkey(program: Command, io: Io): void {
  const summary = 'make a private key for a router';
  const command = program.command('genkey').summary(summary).description(summary);
  examples(command, ['(umask 077; vinectl genkey > /etc/vine/router.key)']);
  command.action(async (_options: object, self: Command) => {
    const { generatePrivateKey } = await import('../../config/keys.js');
    printSecret(contextOf(io, self), 'privateKey', generatePrivateKey());
  });
}

function addGenpsk(program: Command, io: Io): void {
  const summary = 'make a preshared key for two routers';
  const command = program.command('genpsk').summary(summary).description(summary);
  examples(command, ['(umask 077; vinectl genpsk > /etc/vine/psk-vr-b.key)']);
  command.action(async (_options: object, self: Command) => {
    const { generatePresharedKey } = await import('../../config/keys.js');
    printSecret(contextOf(io, self), 'presharedKey', generatePresharedKey());
  });
}

function printSecret(context: Context, name: string, secret: string): void {
  context.print(context.json ? `${JSON.stringify({ [name]: secret })}\n` : `${secret}\n`);
  if (context.io.isReadableByOthers) {
    context.io.stderr.write(
      'vinectl: warning: others may read this file, and vined will refuse it: chmod 600 it\n',
    );
  }
}

function addPubkey(program: Command, io: Io): void {
  const summary = 'read a private key from standard input, print its public key';
  const command = program.command('pubkey').summary(summary).description(summary);
  examples(command, ['vinectl pubkey < /etc/vine/router.key']);
  command.action(async (_options: object, self: Command) => {
    const context = contextOf(io, self);
    const { publicKeyOf } = await import('../../config/keys.js');
    const publicKey = publicKeyOf(await readKey(io));
    if (publicKey === undefined) {
      throw new CliError(
        REFUSED,
        'what came on standard input is no private key: it is 44 characters of base64',
      );
    }
    context.print(context.json ? `${JSON.stringify({ publicKey })}\n` : `${publicKey}\n`);
  });
}

async function readKey(io: Io): Promise<string> {
  let text = '';
  for await (const part of io.stdin) {
    text += typeof part === 'string' ? part : Buffer.from(part).toString('latin1');
    if (text.length > MAX_KEY_CHARACTERS) break;
  }
  return text;
}

function addCheck(program: Command, io: Io): void {
  const summary = 'check a configuration directory without touching anything';
  const command = program
    .command('check')
    .summary(summary)
    .description(`${summary}; prints "file: path: message" for each error`)
    .argument('<DIR>', 'directory with router.json, gndt.json and lndt.json');
  examples(command, ['vinectl check /etc/vine', 'vinectl check ./new-config && systemctl restart vined']);
  command.action(async (directory: string, _options: object, self: Command) => {
    const { loadConfigDirectory } = await import('../../config/load.js');
    const outcome = loadConfigDirectory(directory);
    const { adviceErrors } = await import('../advice/files.js');
    const errors = 'errors' in outcome ? outcome.errors : adviceErrors(directory, outcome.config.file);
    const warnings = 'errors' in outcome ? [] : outcome.warnings;
    const context = contextOf(io, self);
    if (context.json) context.print(`${JSON.stringify({ errors, warnings }, null, 2)}\n`);
    else showFindings(context, directory, errors, warnings);
    if (errors.length > 0) throw new CliError(REFUSED, `${directory}: ${plural(errors.length, 'error')}`);
  });
}

function showFindings(
  context: Context,
  directory: string,
  errors: readonly ConfigError[],
  warnings: readonly string[],
): void {
  const { paint } = context.look;
  for (const error of errors) context.print(`${clean(formatConfigError(error))}\n`);
  for (const warning of warnings) context.print(`${paint('yellow', 'warning')}: ${clean(warning)}\n`);
  if (errors.length === 0) context.print(`${clean(directory)}: ${paint('green', 'no errors')}\n`);
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
