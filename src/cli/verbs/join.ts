/** `vinectl join`: makes this machine a router of a network, with a token. */
import { spawnSync } from 'node:child_process';
import type { Command } from 'commander';
import type { PeerView } from '../../control/api.js';
import { type Context, contextOf } from '../context.js';
import { CliError, REFUSED } from '../exit.js';
import type { Io } from '../io.js';
import type { Joined } from '../joining/join.js';
import { examples } from './help.js';
import { gather } from './token.js';

interface JoinOptions {
  readonly tokenFile?: string;
  readonly lan: readonly string[];
  readonly name?: string;
  readonly endpoint: readonly string[];
  readonly listen: readonly string[];
  readonly config: string;
  readonly stateDir: string;
  readonly now?: boolean;
}

export const DEFAULT_LISTEN = ['udp://0.0.0.0:7700', 'udp://[::]:7700'];
/** From the start of the service to the first peer. */
const COMING_UP_MS = 15_000;
const LOOK_AGAIN_MS = 100;

export function addJoin(program: Command, io: Io): void {
  const summary = 'make this machine a router of a network, with a token';
  const command = program
    .command('join')
    .summary(summary)
    .description(
      `${summary}. Makes the router's key, which never leaves, has one of the token's routers admit it, and writes router.json, ` +
        'gndt.json and lndt.json; it writes over nothing. Refused: nothing is left but the key, for another try.',
    )
    .argument('[TOKEN]', 'what "vinectl token create" has printed; "ps" shows it to others of this machine')
    .option('--token-file <file>', 'where the token is instead; "-" is standard input')
    .option(
      '--lan <interface>',
      "the site's LAN, with =VNET behind it when the token is for several vnets; may be given again",
      gather,
      [],
    )
    .option('--name <router>', "the router's name (default: the site's)")
    .option(
      '--endpoint <url>',
      'where other routers reach it, such as udp://192.0.2.3:7700; may be given again',
      gather,
      [],
    )
    .option(
      '--listen <url>',
      'where it listens (default: port 7700 of all addresses); may be given again',
      gather,
      [],
    )
    .option('--config <dir>', 'where its files go', '/etc/vine')
    .option('--state-dir <dir>', 'where its state is kept', '/var/lib/vine')
    .option('--now', 'start it now and at each boot (systemctl enable --now vined)');
  examples(command, [
    'vinectl join vine1-AbC... --lan eth1 --now',
    'vinectl join --token-file - --lan eth1 --name vr-c --endpoint udp://vr-c.example.net:7700 --now < token',
  ]);
  command.action(async (given: string | undefined, options: JoinOptions, self: Command) => {
    const context = contextOf(io, self);
    const tell = (line: string): void => {
      io.stderr.write(`vinectl: ${line}\n`);
    };
    const { join, readToken } = await import('../joining/join.js');
    const { socket } = self.optsWithGlobals<{ socket?: string }>();
    const joined = await join({
      token: await readToken(given, options.tokenFile, io.stdin),
      directory: options.config,
      stateDir: options.stateDir,
      socket: socket ?? (io.env.VINE_SOCKET || undefined),
      name: options.name,
      endpoints: options.endpoint,
      listen: options.listen.length === 0 ? DEFAULT_LISTEN : options.listen,
      lans: options.lan,
      nowMs: io.nowMs(),
      tell,
    });
    if (options.now !== true) {
      show(context, joined, undefined);
      return;
    }
    startService('the router was admitted and its files are written');
    show(context, joined, await cameUp(context, io, joined));
  });
}

/** @param done what is done already, for people, when it fails */
export function startService(done: string): void {
  const { status, error, stderr } = spawnSync('systemctl', ['enable', '--now', 'vined'], {
    encoding: 'utf8',
  });
  if (status === 0) return;
  const why = error?.message ?? stderr.trim();
  throw new CliError(
    REFUSED,
    `${done}, but it could not be started: ${why}; "journalctl -u vined" says more`,
  );
}

interface CameUp {
  readonly peers: readonly string[];
  readonly firstPing: { readonly router: string; readonly rttMs: number } | null;
}

/** Waits for the first of the bootstrap routers. */
async function cameUp(context: Context, io: Io, { bootstraps }: Joined): Promise<CameUp> {
  const client = await context.client();
  const untilMs = io.nowMs() + COMING_UP_MS;
  const never = new AbortController().signal;
  for (;;) {
    try {
      const { body } = await client.get<readonly PeerView[]>('/v1/peers');
      const up = body.filter(({ state }) => state === 'up').map(({ id }) => id);
      const [first] = up.filter((router) => bootstraps.includes(router));
      if (first !== undefined) {
        const ping = await client.post<{ rttMs: number }>('/v1/ping', { router: first });
        return { peers: up, firstPing: { router: first, rttMs: ping.body.rttMs } };
      }
    } catch (error) {
      // It is starting.
      if (!(error instanceof CliError)) throw error;
    }
    if (io.nowMs() >= untilMs)
      throw new CliError(
        REFUSED,
        `the router runs, but none of ${bootstraps.join(', ')} is up after ${COMING_UP_MS / 1000} s: "vinectl doctor" says more`,
      );
    await io.sleep(LOOK_AGAIN_MS, never);
  }
}

function show(context: Context, joined: Joined, up: CameUp | undefined): void {
  if (context.json) {
    context.print(`${JSON.stringify({ ...joined, ...(up ?? {}) })}\n`);
    return;
  }
  const { router, site, networks, admittedBy, files } = joined;
  context.print(`"${router}" is a router of site "${site}" now, admitted by ${admittedBy}\n`);
  context.print(`networks: ${networks.join(', ')}\nwritten: ${files.join(', ')}\n`);
  if (up === undefined) {
    context.print('start it with: systemctl enable --now vined\n');
    return;
  }
  context.print(`peers: ${up.peers.join(', ')}\n`);
  if (up.firstPing !== null)
    context.print(`first ping: ${up.firstPing.router} in ${up.firstPing.rttMs.toFixed(1)} ms\n`);
}
