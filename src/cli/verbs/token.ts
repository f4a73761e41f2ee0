/** `vinectl token`: one line that lets one machine join once. */
import { type Command, InvalidArgumentError } from 'commander';
import { contextOf } from '../context.js';
import type { Io } from '../io.js';
import { examples } from './help.js';

interface CreateOptions {
  readonly site: string;
  readonly network: readonly string[];
  readonly ttl: number;
  readonly bootstrap: readonly string[];
  readonly key: string;
  readonly gndt: string;
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
/** A token that lies around is a key that lies around. */
const LONGEST_TTL_S = 30 * 86_400;

export function addTokenVerbs(program: Command, io: Io): void {
  const token = program.command('token').summary('tokens, with which new gateways join');
  const summary = 'make a token for a new site, on the machine that has the network key';
  const command = token
    .command('create')
    .summary(summary)
    .description(
      `${summary}. Prints one line, once: whoever has it may join with it, once, until it expires. Beside the key only what ` +
        'it is for is kept (tokens.json). On the new gateway: vinectl join TOKEN.',
    )
    .requiredOption('--site <name>', 'name of the new site')
    .requiredOption(
      '--network <vnet=prefix>',
      'a network that is native there; may be given again',
      gather,
      [],
    )
    .option('--ttl <time>', 'for how long it can be used, such as 30m, 1h, 2d', readTtl, UNITS.h)
    .option(
      '--bootstrap <router>',
      'router that admits the new one; may be given up to three times',
      gather,
      [],
    )
    .option('--key <file>', "the network's key", 'network.key')
    .option('--gndt <file>', 'the description of the network', 'gndt.json');
  examples(command, [
    'vinectl token create --site site-c --network blue=10.3.0.0/24',
    'vinectl token create --site site-c --network blue=10.3.0.0/24 --ttl 15m --bootstrap vr-a --key /root/vine-network/network.key --gndt /etc/vine/gndt.json',
  ]);
  command.action(async (options: CreateOptions, self: Command) => {
    const context = contextOf(io, self);
    const { readGndtFile } = await import('../network-files.js');
    const { makeToken } = await import('../joining/make-token.js');
    const made = makeToken({
      file: readGndtFile(options.gndt).file,
      site: options.site,
      networks: options.network,
      ttlS: options.ttl,
      bootstraps: options.bootstrap,
      keyFile: options.key,
      nowS: Math.floor(io.nowMs() / 1000),
    });
    if (context.json) {
      context.print(`${JSON.stringify(made)}\n`);
      return;
    }
    context.print(`${made.token}\n`);
    io.stderr.write(
      `vinectl: for "${made.site}" with ${made.networks.join(', ')}, to be used once before ${made.expires} at ${made.bootstraps.join(', ')}; id ${made.id.slice(0, 12)}\n` +
        'vinectl: it is shown this once; on the new gateway: vinectl join TOKEN (or --token-file, which "ps" does not show)\n',
    );
  });
}

export function gather(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function readTtl(text: string): number {
  const [, count = '', unit = ''] = /^([1-9]\d{0,8})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * (UNITS[unit] ?? 0);
  if (seconds < 1 || seconds > LONGEST_TTL_S)
    throw new InvalidArgumentError('It is a number with s, m, h or d behind it, at most 30d.');
  return seconds;
}
