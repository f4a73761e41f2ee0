/** `vine-courier`: serves, or asks the one that serves. */
import { Command, CommanderError } from 'commander';
import { systemClock } from '../net/system-clock.js';
import { messageOf } from '../net/system-error.js';
import { type CourierConfig, loadConfig } from './config.js';
import { ask, serveControl } from './control.js';
import { Courier, type CourierView } from './courier.js';
import type { DiskView } from './disk/view.js';
import { OUR_CODECS } from './job/codecs.js';
import type { JobView } from './job/job.js';
import type { StoreView } from './store/page-store.js';

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

type Show = (text: string) => string;

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heads, ...rows];
  const widths = heads.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

function showDisks(disks: readonly DiskView[]): string {
  return table(
    ['DISK', 'ROLE', 'STATE', 'SIZE', 'WRITTEN', 'ZEROES', 'WAITING', 'WAN', 'AGAIN', 'SECONDS', 'WHY'],
    disks.map((disk) => [
      ...[disk.destination, disk.role, disk.state, disk.sizeBytes === null ? '-' : String(disk.sizeBytes)],
      ...[disk.bytesWritten, disk.bytesZeroed, disk.bytesWaiting].map(String),
      ...[String(disk.wanBytesSent + disk.wanBytesReceived), String(disk.bytesSentAgain)],
      ...[disk.seconds.toFixed(1), disk.reason || disk.whyStalled],
    ]),
  );
}

const SHOWN: Readonly<Record<string, Show>> = {
  status: (text) => pairs(JSON.parse(text) as CourierView),
  store: (text) => pairs(JSON.parse(text) as StoreView),
  disks: (text) => showDisks(JSON.parse(text) as DiskView[]),
  jobs: (text) =>
    table(
      ['JOB', 'ROLE', 'DESTINATION', 'STATE', 'STREAM', 'WAN', 'SAVED', 'SECONDS', 'IDENTICAL', 'WHY'],
      (JSON.parse(text) as JobView[]).map((job) => [
        ...[job.job, job.role, job.destination, job.state, String(job.streamBytes)],
        ...[String(job.wanBytesSent + job.wanBytesReceived), `${job.savedPercent} %`, job.seconds.toFixed(1)],
        ...[job.identical === null ? '-' : job.identical ? 'yes' : 'NO', job.reason],
      ]),
    ),
};

function pairs(view: object): string {
  const flat = Object.entries(view).flatMap(([name, value]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.entries(value as object)
      : [[name, value] as const],
  );
  return table(
    ['', ''],
    flat.map(([name, value]) => [String(name), value === null ? '-' : String(value)]),
  ).trimStart();
}

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
  for (const verb of ['status', 'jobs', 'disks', 'store'] as const)
    program
      .command(verb)
      .description(
        {
          status: 'what it is',
          jobs: 'migrations, now and before',
          disks: 'disks, now and before',
          store: 'pages that it keeps',
        }[verb],
      )
      .option('-c, --config <file>', 'its configuration', DEFAULT_CONFIG)
      .option('--json', 'for programs')
      .action(async ({ config, json }: Options) => {
        const text = await ask(load(config).control, `/v1/${verb}`);
        process.stdout.write(json === true ? text : (SHOWN[verb]?.(text) ?? text));
        if (verb !== 'jobs' || json === true) return;
        const disks = JSON.parse(await ask(load(config).control, '/v1/disks')) as DiskView[];
        if (disks.length > 0) process.stdout.write(`\n${showDisks(disks)}`);
      });
  return program;
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
