/** `vine-sensor`: counts on a hypervisor who talks to whom on its bridge, for the router of the site. */
import { connect, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { EX_CONFIG } from '../config/exit.js';
import { readPresharedKey } from '../config/keys.js';
import { loadNative } from '../dataplane/native.js';
import { systemClock } from '../net/system-clock.js';
import { isSensorName } from '../traffic/sensors/greeting.js';
import { Captures } from './captures.js';
import { Counting } from './counting.js';
import { RouterLink } from './router-link.js';
import { Sensor } from './sensor.js';

const EX_USAGE = 2;

interface Arguments {
  readonly interface: readonly string[];
  readonly router: () => Socket;
  readonly tokenFile: string;
  readonly name: string;
}

/** `tcp://10.1.0.2:7701`, `tcp://[fd00::2]:7701` or `unix:/run/vine/sensor.sock`. */
function readRouter(text: string): () => Socket {
  const path = /^unix:(\/.+)$/.exec(text)?.[1];
  if (path !== undefined) return () => connect({ path });
  const [, six, four, port] = /^tcp:\/\/(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(text) ?? [];
  const host = six ?? four;
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw new InvalidArgumentError('expected tcp://ADDRESS:PORT or unix:/PATH');
  return () => connect({ host, port: Number(port) });
}

function readName(text: string): string {
  if (!isSensorName(text))
    throw new InvalidArgumentError('expected letters, digits, ".", "_" and "-", 64 at most');
  return text;
}

function parseArguments(): Arguments {
  const program = new Command('vine-sensor')
    .description("counts who talks to whom on this host's bridge, for the site's router")
    .requiredOption(
      '-i, --interface <names...>',
      'the bridge; or the machines\' own interfaces ("vnet*" for all that begin so), of which what comes in counts',
    )
    .requiredOption('-r, --router <where>', "traffic.sensors.listen of the router's router.json", readRouter)
    .option('-t, --token-file <file>', 'the same key as on the router, mode 0600', '/etc/vine/sensor.key')
    .option('-n, --name <name>', 'by which the router tells sensors apart', readName, ownName());
  program.exitOverride().parse();
  return program.opts<Arguments>();
}

function ownName(): string {
  const name = hostname();
  return isSensorName(name) ? name : 'sensor';
}

function log(text: string): void {
  process.stderr.write(`vine-sensor: ${text}\n`);
}

function run({ interface: interfaces, router: connectTo, tokenFile, name }: Arguments): void {
  const token = readPresharedKey(tokenFile);
  if ('problem' in token) {
    log(token.problem);
    process.exitCode = EX_CONFIG;
    return;
  }
  const counter = loadNative().createPairCounter();
  const counting = new Counting(counter);
  const captures = new Captures({ counter, interfaces, log });
  const link = new RouterLink({
    clock: systemClock,
    connect: connectTo,
    token: token.value,
    name,
    log,
    accepted: (links) => sensor.accepted(links),
  });
  const sensor = new Sensor({ clock: systemClock, counting, captures, link, log });
  const ended = (): void => {
    const { user, system } = process.cpuUsage();
    log(`counted ${counting.frames} frames in ${((user + system) / 1e6).toFixed(2)} s of processor time`);
  };
  const end = (): void => sensor.stop(ended);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, end);
  sensor.start();
}

export function runSensor(): void {
  try {
    run(parseArguments());
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EX_USAGE;
    else throw error;
  }
}
