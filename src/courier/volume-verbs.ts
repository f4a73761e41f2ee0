/** `vine-courier disk move`, `abandon`, `take`: orders to the courier that runs. */
import { type Command, InvalidArgumentError } from 'commander';
import { systemClock } from '../net/system-clock.js';
import { ask } from './control.js';
import { type MoveView, moveLine } from './volume/move/view.js';
import { DEFAULT_THRESHOLD, order } from './volume-orders.js';

const LOOK_MS = 500;

interface Options {
  readonly config: string;
}

interface MoveOptions extends Options {
  readonly to: string;
  readonly as?: string;
  readonly threshold: number;
  readonly completeFirst?: number;
  readonly background?: boolean;
}

/** @param controlOf the control socket's path, by the configuration */
export function addMoveVerbs(
  disk: Command,
  controlOf: (config: string) => string,
  defaultConfig: string,
): void {
  disk
    .command('move')
    .argument('<name>', 'of the volume')
    .description(
      'move a volume to another courier: its content goes there, and control when its guest writes there',
    )
    .requiredOption('--to <peer>', 'the other courier, a name in peers')
    .option('--as <name>', 'of the volume there (the same name)')
    .option('--threshold <writes>', 'chunks written to as often are not pushed', countOf, DEFAULT_THRESHOLD)
    .option('--complete-first <chunks>', 'control moves only when at most so many chunks remain', countOf)
    .option('--background', 'do not wait, and show nothing')
    .option('-c, --config <file>', 'its configuration', defaultConfig)
    .action(async (name: string, options: MoveOptions) => {
      const control = controlOf(options.config);
      const { to, as = name, threshold, completeFirst = null } = options;
      await order(control, name, 'move', { peer: to, name: as, threshold, completeFirst });
      if (options.background !== true) await follow(control, name);
    });
  disk
    .command('abandon')
    .argument('<name>', 'of the volume')
    .description('give up a move before control has moved: nothing changes for the guest where the volume is')
    .option('-c, --config <file>', 'its configuration', defaultConfig)
    .action((name: string, { config }: Options) => order(controlOf(config), name, 'abandon'));
  disk
    .command('take')
    .argument('<name>', 'of the volume')
    .description('ask for control of a volume that comes, as the first write does')
    .option('-c, --config <file>', 'its configuration', defaultConfig)
    .action((name: string, { config }: Options) => order(controlOf(config), name, 'take'));
}

function countOf(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw new InvalidArgumentError('expected a number.');
  return Number(text);
}

/** A line as long as it goes on. Whoever interrupts it interrupts nothing else. */
async function follow(control: string, name: string): Promise<void> {
  const interrupted = new Promise<'interrupted'>((resolve) =>
    process.once('SIGINT', () => resolve('interrupted')),
  );
  const show = progress();
  for (;;) {
    const view = await viewOf(control, name);
    if (view === null) throw new Error(`the courier knows nothing of a move of ${name}`);
    show(moveLine(name, view));
    if (view.state === 'abandoned') throw new Error(`the move of ${name} was given up: ${view.reason}`);
    if (view.state === 'released') break;
    const pause = new Promise<void>((resolve) => systemClock.after('look', LOOK_MS, resolve));
    if ((await Promise.race([pause, interrupted])) === 'interrupted') {
      process.stderr.write(
        `\nthe move of ${name} goes on: vine-courier disk status shows it, disk abandon stops it\n`,
      );
      return;
    }
  }
  process.stderr.write(`\n${name} is at the other courier, and this one is not needed any more\n`);
}

async function viewOf(control: string, name: string): Promise<MoveView | null> {
  const volumes = JSON.parse(await ask(control, '/v1/volumes')) as { name: string; move: MoveView | null }[];
  return volumes.find((volume) => volume.name === name)?.move ?? null;
}

/** On a terminal one line that changes, else one for each change. */
function progress(): (line: string) => void {
  let last = '';
  return (line) => {
    if (line === last) return;
    last = line;
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
  };
}
