/** `vine-courier`: serves, or asks the one that serves. */
import { Command, CommanderError } from 'commander';
import { systemClock } from '../net/system-clock.js';
import { messageOf } from '../net/system-error.js';
import { type CourierConfig, loadConfig } from './config.js';
import { ask, serveControl } from './control.js';
import { Courier } from './courier.js';
import { volumePlaces } from './disk-places.js';
import { OUR_CODECS } from './job/codecs.js';
import { openVolume } from './volume/files/opening.js';
import { addMoveVerbs } from './volume-verbs.js';

const DEFAULT_CONFIG = '/etc/vine-courier/courier.json';
const FAILED = 1;
const USAGE = 2;
/** As sysexits.h has it, and vined. */
const EX_CONFIG = 78;

interface Options {
  readonly config: string;
  readonly json?: boolean;
  readonly check?: boolean;
}

function complain(text: string): void {
  process.stderr.write(`vine-courier: ${text}\n`);
}

function load(path: string): CourierConfig {
  const config = loadConfig(path);
  if (!('errors' in config)) return config;
  for (const error of config.errors) complain(error);
  process.exit(EX_CONFIG);
}

async function serve({ config: path, check }: Options): Promise<void> {
  const config = load(path);
  if (check === true) {
    process.stdout.write(`${path}: the configuration of ${config.name} is good\n`);
    return;
  }
  if (!OUR_CODECS.includes('zstd'))
    complain(
      `this Node.js (${process.version}) has no zstd (22.15, 23.8 and later have): deflate is used, which saves less`,
    );
  const courier = await Courier.start(config, systemClock, (line) => process.stderr.write(`${line}\n`));
  const control = await serveControl(courier, config.control).catch(async (error: unknown) => {
    await courier.stop();
    throw error;
  });
  process.stderr.write(`vine-courier ${config.name}: ready\n`);
  const stop = (): void => {
    control.close();
    control.closeAllConnections();
    courier.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        complain(messageOf(error));
        process.exit(FAILED);
      },
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stop);
}

const VERBS = {
  status: 'what it is',
  jobs: 'migrations, now and before',
  disks: 'disks, now and before',
  store: 'pages that it keeps',
} as const;

function createProgram(): Command {
  const program = new Command('vine-courier')
    .description('Carries live migrations over the WAN: pages that the other site has are not sent again')
    .exitOverride();
  program
    .command('serve')
    .description('serve hypervisors and other couriers (stops on SIGTERM)')
    .option('-c, --config <file>', 'configuration', DEFAULT_CONFIG)
    .option('--check', 'only check the configuration: status 0 when it is good, 78 when it is not')
    .action(serve);
  for (const [verb, description] of Object.entries(VERBS))
    asking(program.command(verb).description(description)).action((options: Options) =>
      show(options, `/v1/${verb}`),
    );
  addSend(program);
  addReceive(program);
  addDisk(program);
  return program;
}

function asking(command: Command): Command {
  return command
    .option('-c, --config <file>', 'its configuration', DEFAULT_CONFIG)
    .option('--json', 'for programs');
}

async function show({ config, json }: Options, path: string): Promise<void> {
  const accept = json === true ? 'application/json' : 'text/plain';
  process.stdout.write(await ask(load(config).control, { path, accept }));
}

interface CommandOptions extends Options {
  readonly vm: string;
  readonly disk: boolean;
  readonly node?: readonly string[];
}

interface SendOptions extends CommandOptions {
  readonly to: string;
  readonly virsh?: boolean;
  readonly mac?: readonly string[];
}

function ofGuest(command: Command): Command {
  return asking(command)
    .requiredOption('--vm <name>', 'the guest, by its name in "send" and "receive"')
    .option('--no-disk', 'without its disk: the other site has it already')
    .option('--node <name...>', 'QEMU’s names of the nodes of its disks (disk0, disk1, …)');
}

function addSend(program: Command): void {
  const command = program.command('send').description('the commands that send a guest to another site');
  ofGuest(command)
    .requiredOption('--to <courier>', 'the other courier, by its name in "peers"')
    .option('--virsh', 'for libvirt')
    .option('--mac <address...>', 'the guest’s MAC: its jobs are found beside its moves from now on')
    .action(async (options: SendOptions) => {
      const { vm, to, mac: macs, virsh } = options;
      if (macs !== undefined)
        await ask(load(options.config).control, { path: '/v1/macs', body: { vm, to, macs } });
      const more = { to, form: virsh === true ? 'virsh' : 'qmp' };
      await show(options, `/v1/send?${new URLSearchParams([...queryOf(options), ...Object.entries(more)])}`);
    });
}

function addReceive(program: Command): void {
  const command = program.command('receive').description('what is run here for a guest that comes');
  ofGuest(command).action((options: CommandOptions) =>
    show(options, `/v1/receive?${new URLSearchParams([...queryOf(options)])}`),
  );
}

function queryOf({ vm, disk, node = [] }: CommandOptions): [name: string, value: string][] {
  return [
    ['vm', vm],
    ['disks', disk ? 'yes' : 'no'],
    ...node.map((name): [string, string] => ['node', name]),
  ];
}

function addDisk(program: Command): void {
  const disk = program.command('disk').description('volumes: disks that follow their guests');
  asking(disk.command('status').description('volumes, and what is wrong with them')).action(
    (options: Options) => show(options, '/v1/volumes'),
  );
  disk
    .command('check')
    .argument('<name>', 'of the volume')
    .description('compare a volume that is not served with its checksums: status 1 when it is damaged')
    .option('-c, --config <file>', 'its configuration', DEFAULT_CONFIG)
    .action(async (name: string, { config }: Options) => {
      const place = volumePlaces(load(config)).find((volume) => volume.name === name);
      if (place === undefined) throw new Error(`there is no volume ${name}`);
      const volume = await openVolume({ ...place, clock: systemClock });
      const verified = await volume.verify();
      const [problem, modified] = [volume.problem, volume.modified.size];
      await volume.close();
      if (problem !== null) throw new Error(`${name}: ${problem}`);
      process.stdout.write(
        `${name}: ${verified} of ${modified} modified chunks have a checksum, all match\n`,
      );
    });
  addMoveVerbs(disk, (config) => load(config).control, DEFAULT_CONFIG);
}

export async function runCourier(): Promise<void> {
  try {
    await createProgram().parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : USAGE);
    complain(messageOf(error));
    process.exit(FAILED);
  }
}
