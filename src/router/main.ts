/** `vined`: reads its command line and configuration, starts the router, and stops it on a signal. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { Logger } from 'pino';
import { EX_CONFIG, EX_NOPERM } from '../config/exit.js';
import { checkGatewayAddresses, checkInterfaces } from '../config/interfaces.js';
import { type LoadOutcome, loadConfigDirectory, type VineConfig } from '../config/load.js';
import { loadNative } from '../dataplane/native.js';
import { compactHeap } from '../dataplane/worker/heap.js';
import type { Description } from '../membership/description.js';
import { systemClock } from '../net/system-clock.js';
import { formatConfigError } from '../tables/files/error.js';
import { DEFAULT_TIMES, type TunnelTimes } from '../tunnel/times.js';
import { Ending } from './life/ending.js';
import { RealTimePrecedence } from './life/real-time.js';
import { ServiceManager } from './life/service-manager.js';
import { Supervision } from './life/supervision.js';
import { cpuSeconds } from './life/thread-time.js';
import { warmUp } from './life/warm-up.js';
import { YoungGeneration, youngSpace } from './life/young-generation.js';
import { createLog, ERROR, isJournal, journalLine } from './log.js';
import { LogStream } from './log-stream.js';
import { checkPrivileges } from './machine/capabilities.js';
import { Router } from './router.js';

const DEFAULT_CONFIG = '/etc/vine';
const EX_USAGE = 2;

interface Arguments {
  readonly config: string;
  readonly check: boolean;
  readonly testTimes?: Partial<TunnelTimes>;
}

/** `{"rekeyAfterMs":3000}`: times of src/tunnel/times.ts, as a lab that must not wait for two minutes wants them. */
function readTimes(text: string): Partial<TunnelTimes> {
  let times: unknown;
  try {
    times = JSON.parse(text);
  } catch {
    throw new InvalidArgumentError('not JSON');
  }
  if (typeof times !== 'object' || times === null) throw new InvalidArgumentError('not a JSON object');
  for (const [name, value] of Object.entries(times)) {
    const known = Object.entries(DEFAULT_TIMES).find(([key]) => key === name)?.[1];
    if (typeof known !== 'number') throw new InvalidArgumentError(`there is no time ${name}`);
    if (typeof value !== 'number' || !(value > 0)) throw new InvalidArgumentError(`${name}: expected ms > 0`);
  }
  return times;
}

function readVersion(): string {
  // From dist/src/router to the package's root.
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function parseArguments(version: string): Arguments {
  const program = new Command('vined')
    .description('ViNe router: joins this site’s LAN to the overlay of all sites')
    .version(version)
    .option('-c, --config <dir>', 'directory with router.json, gndt.json and lndt.json', DEFAULT_CONFIG)
    .option(
      '--check',
      'validate the configuration and exit: status 0 when it is good, 78 when it is not',
      false,
    )
    // Shorter times make a router chatty, longer ones weaken its keys: for labs, and so in no help text.
    .addOption(new Option('--test-times <json>').argParser(readTimes).hideHelp())
    .addHelpText('after', '\nExamples:\n  vined --check --config /etc/vine\n  vined --config /etc/vine')
    .exitOverride();
  try {
    return program.parse().opts<Arguments>();
  } catch (error) {
    if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : EX_USAGE);
    throw error;
  }
}

const logsToJournal = isJournal(process.stderr.fd, process.env);

function complain(lines: readonly string[]): void {
  for (const line of lines) {
    const text = `vined: ${line}\n`;
    process.stderr.write(logsToJournal ? journalLine(ERROR, text) : text);
  }
}

interface Loaded {
  readonly config: VineConfig;
  readonly warnings: readonly string[];
}

function load(dir: string): Loaded {
  const result = loadConfigDirectory(dir);
  const errors =
    'errors' in result
      ? result.errors
      : [...checkInterfaces(result.config), ...checkGatewayAddresses(result.config)];
  if ('errors' in result || errors.length > 0) {
    complain(errors.map(formatConfigError));
    process.exit(EX_CONFIG);
  }
  return result;
}

function supervise(logger: Logger): Supervision {
  const manager = new ServiceManager(process.env, process.pid, {
    send: (path, text) => loadNative().notifySystemd(path, text),
    nowMs: systemClock.nowMs,
    onLost: (reason) =>
      logger.error({ event: 'service_manager_lost', reason }, 'the service manager is not told'),
  });
  // Whatever is started from here is not the service.
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete process.env[name];
  return new Supervision(manager, systemClock, (worker) =>
    logger.error(
      { event: 'worker_stalled', worker },
      'a packet worker makes no progress: the watchdog is not fed',
    ),
  );
}

/** For the control thread, which is the process's first, and the packet workers. */
function takeRealTime(router: Router, logger: Logger): readonly RealTimePrecedence[] {
  const ports = { ...loadNative(), cpuSeconds };
  const threads = [process.pid, ...router.workerThreads()];
  const precedences = threads.map((thread) => new RealTimePrecedence(systemClock, ports, thread));
  const reason = precedences.map((one) => one.start()).find((problem) => problem !== undefined);
  if (reason !== undefined) logger.info({ event: 'no_real_time', reason }, 'moves may wait for a processor');
  return precedences;
}

function collectBetweenMoves(): readonly YoungGeneration[] {
  const space = youngSpace();
  if (space === undefined) return [];
  const young = new YoungGeneration(systemClock, space);
  young.start();
  return [young];
}

async function run(
  { config: directory, testTimes: times }: Arguments,
  { config, warnings }: Loaded,
  version: string,
): Promise<void> {
  const lines = new LogStream(process.stderr.fd, systemClock);
  const log = createLog(config.router.id, config.router.log.level, lines, logsToJournal);
  process.on('exit', () => lines.writeNow());
  const ending = new Ending({
    clock: systemClock,
    logger: log,
    logged: () => lines.idle(),
    exit: (status) => process.exit(status),
  });
  process.on('uncaughtException', (error) => ending.fail(error));
  process.on('unhandledRejection', (error) => ending.fail(error));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => ending.ask(signal));
  const supervision = supervise(log);
  let router: Router | undefined;
  let helpers: readonly { stop(): void }[] = [];
  ending.before('supervision', () => supervision.stopping());
  ending.before('helpers', () => {
    for (const helper of helpers) helper.stop();
  });
  ending.before('router', () => router?.stop());
  // What comes of a reload goes to the log; nobody waits for an answer.
  process.on('SIGHUP', () => {
    supervision.reloading();
    void router?.reload({ dryRun: false, confirmSeconds: undefined }).finally(() => supervision.reloaded());
  });
  const load = (description?: Description): LoadOutcome => loadConfigDirectory(directory, description);
  if (times !== undefined) log.warn({ event: 'test_times', ...times }, 'running with times for a lab');
  // Before the warm-up, which brings back what the router will use.
  loadNative().unmapPrograms();
  // Before the router's own objects: they are then made as use makes them.
  warmUp(systemClock.wallMs());
  compactHeap();
  router = new Router({
    config,
    warnings,
    version,
    load,
    log,
    logStream: lines,
    times: times ?? {},
    onFailure: (error) => ending.fail(error),
  });
  if (!(await router.start()) || ending.isEnding) return;
  loadNative().trimMemory();
  helpers = [...takeRealTime(router, log), ...collectBetweenMoves()];
  supervision.ready(router);
}

const version = readVersion();
const options = parseArguments(version);
const loaded = load(options.config);
if (options.check) {
  complain(loaded.warnings.map((warning) => `warning: ${warning}`));
  process.stdout.write(`${options.config}: the configuration of ${loaded.config.router.id} is good\n`);
} else {
  const { problem, warnings } = checkPrivileges();
  if (problem !== undefined) {
    complain([problem]);
    process.exit(EX_NOPERM);
  }
  await run(options, { ...loaded, warnings: [...loaded.warnings, ...warnings] }, version);
}
