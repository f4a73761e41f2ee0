/** The command `scripts/lab`. */
import { spawnSync } from 'node:child_process';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { NatKind } from './build.js';
import { Lab } from './lab.js';
import { knownLabs, readState } from './ledger.js';
import { type Cut, cutLink, healLink, type Side } from './links.js';
import { type Announcement, announcements } from './mover.js';
import { type Topology, topologies } from './plan.js';
import { inNamespace } from './shell.js';
import type { WanSettings } from './wan.js';

const defaultName = 'lab';

function numberArgument(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new InvalidArgumentError('not a number ≥ 0');
  return value;
}

function topologyArgument(text: string): Topology {
  const found = topologies.find((topology) => topology === text);
  if (found === undefined) throw new InvalidArgumentError(`one of ${topologies.join(', ')}`);
  return found;
}

interface UpOptions {
  readonly name: string;
  readonly delay: number;
  readonly vms: number;
  readonly daemons: boolean;
  readonly nat: NatKind;
}

async function up(topology: Topology, options: UpOptions): Promise<void> {
  const lab = await Lab.up({
    topology,
    name: options.name,
    wanDelayMs: options.delay,
    moreVms: options.vms,
    daemons: options.daemons,
    nat: options.nat,
    keep: true,
  });
  console.log(`Lab "${lab.name}" is up. Nodes: ${lab.plan.nodes.map(({ name }) => name).join(' ')}`);
  console.log(
    `Try: scripts/lab exec a1 ping -c3 10.2.0.11 · scripts/lab move vm b · scripts/lab vinectl ${lab.plan.routers[0]?.tag} peers`,
  );
}

/** Hands the terminal over to the program and ends as it ended. */
function execute(node: string, command: readonly string[], options: { name: string }): void {
  const [program = '', ...args] = inNamespace(Lab.attach(options.name).namespace(node), command);
  const result = spawnSync(program, args, { stdio: 'inherit' });
  process.exitCode = result.status ?? 1;
}

async function vinectl(router: string, args: readonly string[], options: { name: string }): Promise<void> {
  const outcome = await Lab.attach(options.name).router(router).vinectl(args);
  process.stdout.write(outcome.stdout);
  process.stderr.write(outcome.stderr);
  process.exitCode = outcome.status;
}

async function status(): Promise<void> {
  const names = knownLabs().filter((name) => readState(name) !== undefined);
  if (names.length === 0) console.log('no lab is up');
  for (const name of names) {
    const lab = Lab.attach(name);
    console.log(`${name}: ${lab.plan.topology}, in ${lab.directory}`);
    for (const daemon of lab.routers.values())
      console.log(
        `  site ${daemon.site}: ${daemon.id} ${daemon.running ? `runs (pid ${daemon.pid})` : 'does not run'}`,
      );
    const places = Object.entries(lab.places).map(([mover, site]) => `${mover} at ${site}`);
    console.log(`  ${places.join(', ')}`);
    console.log(`  WAN: ${await lab.wanStatus()}`);
  }
}

/** `delay MS`, `jitter MS`, `loss %`, `rate Mbit`, `cut`, `heal` in any order. */
function parseWan(words: readonly string[]): WanSettings {
  let settings: WanSettings = {};
  const rest = [...words];
  const value = (): number => numberArgument(rest.shift() ?? '');
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === 'delay') settings = { ...settings, delayMs: value() };
    else if (word === 'jitter') settings = { ...settings, jitterMs: value() };
    else if (word === 'loss') settings = { ...settings, lossPercent: value() };
    else if (word === 'rate') settings = { ...settings, rateMbit: value() };
    else if (word === 'cut' || word === 'heal') settings = { ...settings, cut: word === 'cut' };
    else throw new InvalidArgumentError(`"${word}": delay MS, jitter MS, loss %, rate Mbit, cut or heal`);
  }
  return settings;
}

async function wan(words: readonly string[], options: { name: string }): Promise<void> {
  const lab = Lab.attach(options.name);
  if (words.length > 0) await lab.wan(parseWan(words));
  console.log(await lab.wanStatus());
}

interface CutOptions {
  readonly name: string;
  readonly silent?: boolean;
}

function sideArgument(text: string): Side {
  if (text === 'lan' || text === 'wan') return text;
  throw new InvalidArgumentError('lan or wan');
}

const cutOf = ({ silent }: CutOptions): Cut => (silent ? 'silent' : 'unplugged');
const cut = (router: string, side: Side, options: CutOptions): Promise<void> =>
  cutLink(Lab.attach(options.name), router, side, cutOf(options));
const heal = (router: string, side: Side, options: CutOptions): Promise<void> =>
  healLink(Lab.attach(options.name), router, side, cutOf(options));

interface CliMoveOptions {
  readonly name: string;
  readonly announce: Announcement;
  readonly downtime: number;
}

/** Of whoever knows a node by its address and a site by what the routers call it: `vinectl advice --execute-with`. */
async function move(nodeOrAddress: string, toSite: string, options: CliMoveOptions): Promise<void> {
  const lab = Lab.attach(options.name);
  const { movers, sites } = lab.plan;
  const mover = movers.find(({ ipv4, ipv6 }) => [ipv4, ipv6].includes(nodeOrAddress));
  const node = mover?.name ?? nodeOrAddress;
  const to = sites.find(({ letter }) => [letter, lab.siteName(letter)].includes(toSite))?.letter;
  if (to === undefined) throw new Error(`no site "${toSite}" in this lab`);
  const { announced } = await lab.move(node, to, {
    announce: options.announce,
    downtimeMs: options.downtime,
  });
  console.log(`${node} is at site ${to}; announcement: ${options.announce}`);
  await announced;
}

const nameOption = (): Option => new Option('--name <name>', 'which lab').default(defaultName);

function program(): Command {
  const lab = new Command('lab').description(
    'Sites, routers and nodes that move, in namespaces of this machine.',
  );
  lab.enablePositionalOptions();
  lab
    .command('up')
    .argument('<topology>', topologies.join(' | '), topologyArgument)
    .addOption(nameOption())
    .option('--delay <ms>', 'one-way delay of the WAN', numberArgument, 0)
    .option('--vms <n>', 'nodes that can move besides vm', numberArgument, 0)
    .addOption(
      new Option('--nat <kind>', 'what the NAT boxes of topology nat are like')
        .choices(['easy', 'hard'])
        .default('hard'),
    )
    .option('--no-daemons', 'do not start the routers')
    .action(up);
  lab
    .command('down')
    .addOption(nameOption())
    .action((options: { name: string }) => Lab.attach(options.name).down());
  lab
    .command('exec')
    .passThroughOptions()
    .addOption(nameOption())
    .argument('<node>')
    .argument('<command...>')
    .action(execute);
  lab
    .command('vinectl')
    .passThroughOptions()
    .addOption(nameOption())
    .argument('<router>', 'a, b or c; a1 or a2 of a pair')
    .argument('<args...>')
    .action(vinectl);
  lab.command('status').action(status);
  lab
    .command('wan')
    .addOption(nameOption())
    .argument('[settings...]', 'delay MS · jitter MS · loss % · rate Mbit · cut · heal')
    .action(wan);
  for (const [name, action, what] of [
    ['cut', cut, "unplugs a router's LAN or WAN"],
    ['heal', heal, 'plugs it in again'],
  ] as const)
    lab
      .command(name)
      .description(what)
      .addOption(nameOption())
      .option('--silent', 'the carrier stays, but nothing passes')
      .argument('<router>', 'a, b or c; a1 or a2 of a pair')
      .argument('<side>', 'lan or wan', sideArgument)
      .action(action);
  lab
    .command('move')
    .addOption(nameOption())
    .argument('<node>', 'its name or an address of it')
    .argument('<site>', 'a, b or c, or as the routers call it')
    .addOption(new Option('--announce <kind>').choices(announcements).default('rarp'))
    .option('--downtime <ms>', 'how long it is plugged in nowhere', numberArgument, 0)
    .action(move);
  lab
    .command('sweep')
    .description('take down labs whose test died')
    .action(() => {
      for (const name of Lab.sweep()) console.log(`taken down: lab "${name}", whose test died`);
    });
  return lab;
}

try {
  await program().parseAsync();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
