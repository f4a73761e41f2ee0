/** `vinectl node add`: a WireGuard client's configuration, made from gndt.json; no router is asked. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { Ip } from '../../net/ip.js';
import { formatConfigError } from '../../tables/files/error.js';
import type { GndtFile } from '../../tables/files/gndt-file.js';
import { type Context, contextOf } from '../context.js';
import { CliError, REFUSED } from '../exit.js';
import type { Io } from '../io.js';
import { examples } from './help.js';

/** Light modules around a QR code that a reader may count on (ISO/IEC 18004). */
const QUIET_ZONE = 4;

interface AddOptions {
  readonly vnet: string;
  readonly ip?: string;
  readonly network?: string;
  readonly via?: string;
  readonly config: string;
  readonly write?: string;
}

interface ReadGndt {
  readonly path: string;
  readonly text: string;
  readonly file: GndtFile;
}

export function addNodeVerbs(program: Command, io: Io): void {
  const node = program.command('node').summary('ordinary WireGuard clients that join a vnet as nodes');
  const summary = 'make a WireGuard client: print a configuration for wg-quick, and the line for gndt.json';
  const command = node
    .command('add')
    .summary(summary)
    .description(
      `${summary}. On a terminal a QR code follows, for the phone's app. Every router needs the line; nothing is ` +
        'changed unless --write says so. The private key is in the output and nowhere else.',
    )
    .requiredOption('--vnet <name>', 'vnet that it joins')
    .option(
      '--ip <address>',
      'its address, in a network of the vnet (default: one that gndt.json has nothing on)',
    )
    .option(
      '--network <prefix>',
      'the network to take that from (default: the first of the router of --via, else of the vnet)',
    )
    .option('--via <router>', "router that it connects to (default: the address's home router)")
    .option('--config <dir>', 'directory with gndt.json', '/etc/vine')
    .option('--write <dir>', 'append the line to gndt.json in this directory, in one step');
  examples(command, [
    '(umask 077; vinectl node add --vnet blue --ip 10.1.0.201 > laptop.conf)',
    'vinectl node add --vnet blue --ip 10.9.0.2 --via vr-b --write /etc/vine',
    'vinectl node add --vnet blue --network 10.1.0.0/24 --write /etc/vine',
  ]);
  command.action(async (options: AddOptions, self: Command) => {
    await add(contextOf(io, self), io, options);
  });
}

async function add(context: Context, io: Io, options: AddOptions): Promise<void> {
  const given = options.ip === undefined ? undefined : Ip.parse(options.ip);
  if (options.ip !== undefined && given === undefined)
    throw new CliError(REFUSED, `"${options.ip}" is not an IP address`);
  const gndt = await readGndt(options.write ?? options.config);
  const ip = given ?? (await freeAddress(gndt.file, options));
  const { newClient } = await import('../../config/client-file.js');
  const made = newClient({ gndt: gndt.file, vnet: options.vnet, ip, via: options.via });
  if (typeof made === 'string') throw new CliError(REFUSED, made);
  const { appendNode, replaceFile } = await import('../../config/append-node.js');
  const changed = appendNode(gndt.text, made.node);
  // What a router would say to the new file is said now, whether it is written or not.
  await parseGndt(gndt.path, changed);
  if (options.write !== undefined) replaceFile(gndt.path, changed);
  if (context.json) context.print(`${JSON.stringify(made, null, 2)}\n`);
  else context.print(made.configuration);
  if (io.isReadableByOthers)
    io.stderr.write('vinectl: warning: others may read this file and the key in it: chmod 600 it\n');
  if (io.isTerminal && !context.json) {
    const { renderUnicodeCompact } = await import('uqr');
    context.print(`\n${renderUnicodeCompact(withoutComments(made.configuration), { border: QUIET_ZONE })}\n`);
  }
  io.stderr.write(
    options.write === undefined
      ? `vinectl: put the line into "nodes" of gndt.json on every router: ${JSON.stringify(made.node)}\n`
      : `vinectl: ${gndt.path} has the client now; copy the file to every other router, then "vinectl reload" on each\n`,
  );
}

/** Machines have addresses that no file knows: whoever runs the network should leave its end to clients. */
async function freeAddress(file: GndtFile, { vnet, network, via }: AddOptions): Promise<Ip> {
  const { pickAddress } = await import('../../config/free-address.js');
  const picked = pickAddress(file, { vnet, network, via });
  if (typeof picked === 'string') throw new CliError(REFUSED, picked);
  return picked;
}

async function readGndt(directory: string): Promise<ReadGndt> {
  const path = join(directory, 'gndt.json');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new CliError(
      REFUSED,
      `cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  return { path, text, file: await parseGndt(path, text) };
}

/** Throws with the first mistakes of the file. */
async function parseGndt(path: string, text: string): Promise<GndtFile> {
  const { GNDT_FILE, gndtSchema } = await import('../../tables/files/gndt-file.js');
  const { checkGndt } = await import('../../tables/files/gndt-checks.js');
  const { parseFile } = await import('../../tables/files/schema.js');
  const outcome = parseFile(GNDT_FILE, text, gndtSchema);
  const errors = 'errors' in outcome ? outcome.errors : checkGndt(outcome.value);
  if ('errors' in outcome || errors.length > 0) {
    throw new CliError(REFUSED, `${path}:\n${errors.map(formatConfigError).join('\n')}`);
  }
  return outcome.value;
}

/** The app needs no comments, and a smaller code is easier to scan. */
function withoutComments(text: string): string {
  return text.replace(/^#.*\n/gm, '');
}
