/** `vinectl network init`: the network's key; with a LAN also this machine as its first router. */
import type { Command } from 'commander';
import { type Context, contextOf } from '../context.js';
import { CliError, REFUSED } from '../exit.js';
import type { Io } from '../io.js';
import { examples } from './help.js';
import { DEFAULT_LISTEN, startService } from './join.js';
import { gather } from './token.js';

interface InitOptions {
  readonly name?: string;
  readonly network: readonly string[];
  readonly lan: readonly string[];
  readonly endpoint: readonly string[];
  readonly listen: readonly string[];
  readonly config: string;
  readonly stateDir: string;
  readonly now?: boolean;
}

export function addInit(network: Command, io: Io): void {
  const summary = "make the network's key; with --lan also this machine as its first router";
  const command = network
    .command('init')
    .summary(summary)
    .description(
      `${summary}. Writes DIR/network.key (keep it; no router ever needs it) and DIR/network.pub. Without --lan that is all, for a ` +
        "network that has routers already; it prints the line for every router's router.json. With --lan it also writes and signs " +
        "DIR/gndt.json, from which tokens are made, and this machine's router.json, lndt.json, gndt.json and router.key; it writes over nothing.",
    )
    .argument('[DIR]', 'where', '.')
    .option(
      '--lan <interface>',
      "the first site's LAN, with =VNET behind it when there are several vnets; may be given again",
      gather,
      [],
    )
    .option('--name <router>', "the first router's name, which is also its site's")
    .option(
      '--network <vnet=prefix>',
      'a network that is native at the first site; may be given again',
      gather,
      [],
    )
    .option(
      '--endpoint <url>',
      'where other routers reach the first one, such as udp://192.0.2.1:7700; may be given again',
      gather,
      [],
    )
    .option(
      '--listen <url>',
      'where it listens (default: port 7700 of all addresses); may be given again',
      gather,
      [],
    )
    .option('--config <dir>', "where the router's files go", '/etc/vine')
    .option('--state-dir <dir>', 'where its state is kept', '/var/lib/vine')
    .option('--now', 'start it now and at each boot (systemctl enable --now vined)');
  examples(command, [
    'vinectl network init /root/vine-network',
    'vinectl network init /root/vine-network --name vr-a --network blue=10.1.0.0/24 --lan eth1 --endpoint udp://192.0.2.1:7700 --now',
  ]);
  command.action(async (directory: string, options: InitOptions, self: Command) => {
    const context = contextOf(io, self);
    if (isKeyAlone(options)) await keyAlone(context, directory);
    else {
      const { socket } = self.optsWithGlobals<{ socket?: string }>();
      await firstRouter(context, directory, options, socket ?? (io.env.VINE_SOCKET || undefined));
    }
  });
}

function isKeyAlone({ lan, name, network, endpoint, listen, now }: InitOptions): boolean {
  return [...lan, ...network, ...endpoint, ...listen].length === 0 && name === undefined && now !== true;
}

async function keyAlone(context: Context, directory: string): Promise<void> {
  const { makeNetworkKey } = await import('../network-files.js');
  const made = makeNetworkKey(directory);
  if (context.json) {
    context.print(`${JSON.stringify({ keyFile: made.path, publicKey: made.publicKey })}\n`);
    return;
  }
  context.print(
    `${keepIt(made.path)}put into every router's router.json:\n  "network": { "publicKey": "${made.publicKey}" }\n`,
  );
}

async function firstRouter(
  context: Context,
  office: string,
  options: InitOptions,
  socket: string | undefined,
): Promise<void> {
  const { name, network, lan, endpoint, listen, config, stateDir, now } = options;
  if (name === undefined || network.length === 0 || lan.length === 0 || endpoint.length === 0)
    throw new CliError(
      REFUSED,
      'the first router needs --name, --lan, --network and --endpoint (without any of them only the key is made)',
    );
  const { makeFirstRouter } = await import('../joining/first-router.js');
  const made = makeFirstRouter({
    office,
    directory: config,
    stateDir,
    socket,
    name,
    networks: network,
    endpoints: endpoint,
    listen: listen.length === 0 ? DEFAULT_LISTEN : listen,
    lans: lan,
  });
  if (now === true) startService("the router's files are written");
  if (context.json) {
    context.print(`${JSON.stringify(made)}\n`);
    return;
  }
  context.print(
    `${keepIt(made.keyFile)}"${made.router}" is the first router of the network, with ${made.networks.join(', ')}\n` +
      `written: ${made.files.join(', ')}\n` +
      `${now === true ? 'it serves\n' : 'start it with: systemctl enable --now vined\n'}` +
      `for each other site, in ${office}: vinectl token create --site SITE --network VNET=PREFIX\n`,
  );
}

function keepIt(path: string): string {
  return `the network's key is in ${path}: keep it here, with a copy where nothing burns with it\n`;
}
