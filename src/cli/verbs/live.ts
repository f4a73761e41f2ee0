/** Verbs that go on until they are interrupted: `ping` and `top`. */
import { type Command, InvalidArgumentError } from 'commander';
import type { CountersView, MigrationView, PeerView, PingView, StatusView } from '../../control/api.js';
import type { ControlClient } from '../client.js';
import { type Context, contextOf } from '../context.js';
import { CliError, REFUSED } from '../exit.js';
import type { Io } from '../io.js';
import { rates, type Sample, showTop } from '../show/top.js';
import { examples, positiveInteger } from './help.js';

const PING_INTERVAL_MS = 1_000;
const DEFAULT_PINGS = 4;
const MOVES_SHOWN = 5;
/** ECMA-48: cursor home, erase to the end of the screen. */
const CLEAR = '\x1b[H\x1b[J';

export function addLiveVerbs(program: Command, io: Io): void {
  addPing(program, io);
  addTop(program, io);
}

function seconds(text: string): number {
  if (!/^\d{1,4}(\.\d{1,3})?$/.test(text) || Number(text) < 0.1)
    throw new InvalidArgumentError('It is a number of seconds from 0.1 on.');
  return Number(text);
}

function addPing(program: Command, io: Io): void {
  const summary = 'measure the round trip to another router, through the tunnel';
  const command = program
    .command('ping')
    .summary(summary)
    .description(`${summary}. Exit status 1 when no ping was answered.`)
    .argument('<PEER>', "the other router's id")
    .option('-c, --count <n>', 'how many pings', positiveInteger, DEFAULT_PINGS);
  examples(command, ['vinectl ping vr-b', 'vinectl ping vr-b --count 1 --json']);
  command.action(async (peer: string, { count }: { count: number }, self: Command) => {
    const context = contextOf(io, self);
    const client = await context.client();
    let answered = 0;
    let refusal: unknown;
    await repeat(context, count, PING_INTERVAL_MS, async () => {
      try {
        const { text, body } = await client.post<PingView>('/v1/ping', { router: peer });
        answered++;
        context.print(context.json ? text : pong(body));
      } catch (failure) {
        if (!(failure instanceof CliError) || failure.status !== REFUSED) throw failure;
        refusal = failure;
        if (!context.json) context.print(`${failure.message}\n`);
      }
    });
    if (answered === 0 && refusal !== undefined) throw refusal;
  });
}

function pong({ router, endpoint, rttMs }: PingView): string {
  return `${router} (${endpoint ?? 'endpoint unknown'}): ${rttMs.toFixed(3)} ms\n`;
}

function addTop(program: Command, io: Io): void {
  const summary = 'what passes now: peers, rates, drops, moves';
  const command = program
    .command('top')
    .summary(summary)
    .description(`${summary}; until Ctrl-C`)
    .option('-i, --interval <seconds>', 'how often to look', seconds, 1)
    .option('-n, --count <n>', 'end after so many', positiveInteger);
  examples(command, ['vinectl top', 'vinectl top --interval 5', 'vinectl top --count 1 --json']);
  command.action(async ({ interval, count }: { interval: number; count?: number }, self: Command) => {
    const context = contextOf(io, self);
    const client = await context.client();
    let before = await sample(client, io);
    const step = async (): Promise<void> => {
      const now = await sample(client, io);
      const view = rates(before, now);
      before = now;
      const clear = io.isTerminal ? CLEAR : '';
      context.print(context.json ? `${JSON.stringify(view)}\n` : `${clear}${showTop(view, context.look)}`);
    };
    await io.sleep(interval * 1000, new AbortController().signal);
    await repeat(context, count ?? Number.POSITIVE_INFINITY, interval * 1000, step);
  });
}

async function sample(client: ControlClient, io: Io): Promise<Sample> {
  const [status, peers, counters, moves] = await Promise.all([
    client.get<StatusView>('/v1/status'),
    client.get<readonly PeerView[]>('/v1/peers'),
    client.get<CountersView>('/v1/counters'),
    client.get<readonly MigrationView[]>('/v1/migrations', { last: String(MOVES_SHOWN) }),
  ]);
  return {
    atMs: io.nowMs(),
    status: status.body,
    peers: peers.body,
    counters: counters.body,
    moves: moves.body,
  };
}

/** Does `step` so often, with pauses; Ctrl-C ends it in order. */
async function repeat(
  context: Context,
  count: number,
  pauseMs: number,
  step: () => Promise<void>,
): Promise<void> {
  const interrupted = new AbortController();
  const forget = context.io.onInterrupt(() => interrupted.abort());
  const { signal } = interrupted;
  try {
    for (let done = 0; done < count && !signal.aborted; done++) {
      if (done > 0) await context.io.sleep(pauseMs, signal);
      if (!signal.aborted) await step();
    }
  } finally {
    forget();
  }
}
