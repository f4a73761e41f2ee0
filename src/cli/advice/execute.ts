/**
 * Hands the moves of an advice to the operator's own command, one at a time: each has to have arrived before the next one
 * begins. The first that fails ends it; what was moved by then has been worth it by itself.
 */

import type { AdvisedMoveView } from '../../control/advice-view.js';
import type { DirectoryView, MigrationView } from '../../control/api.js';
import type { ControlClient } from '../client.js';
import { CliError, REFUSED, USAGE } from '../exit.js';
import type { Io } from '../io.js';

const LOOK_MS = 1_000;
/** Names, addresses and MACs are made of nothing else: nothing of it means anything to a shell. */
const HARMLESS = /^[A-Za-z0-9][A-Za-z0-9.:_-]*$/;

export interface Execution {
  readonly client: ControlClient;
  readonly io: Io;
  /** With `{node}` and `{site}`; `{from}`, `{vnet}` and `{mac}` too. */
  readonly command: string;
  /** From the end of the command until the routers have seen the machine arrive. */
  readonly patienceMs: number;
  readonly signal: AbortSignal;
  /** Before each command, and when the machine has arrived. */
  onBegin(move: AdvisedMoveView, command: string): void;
  onArrived(move: AdvisedMoveView, tookMs: number): void;
}

/** @throws CliError when the command cannot say what is to move where */
export function checkCommand(command: string): void {
  for (const place of ['{node}', '{site}'])
    if (!command.includes(place))
      throw new CliError(USAGE, `the command of --execute-with has no ${place}: 'migrate {node} {site}'`);
}

/** @throws CliError with what has failed, and how many have arrived */
export async function execute(moves: readonly AdvisedMoveView[], execution: Execution): Promise<void> {
  for (const [done, move] of moves.entries()) {
    if (execution.signal.aborted) throw stopped('interrupted', done, moves.length);
    try {
      await carryOut(move, execution);
    } catch (failure) {
      if (!(failure instanceof CliError) || failure.status !== REFUSED) throw failure;
      throw stopped(failure.message, done, moves.length);
    }
  }
}

function stopped(why: string, done: number, all: number): CliError {
  return new CliError(REFUSED, `${why}; ${done} of ${all} moves were made, and nothing is tried after it`);
}

async function carryOut(move: AdvisedMoveView, execution: Execution): Promise<void> {
  const { client, io, signal } = execution;
  const before = await placeOf(move, client);
  if (before.router !== move.from)
    throw failed(move, `is at ${before.router} meanwhile, not at ${move.from}: ask for another advice`);
  const command = filledIn(execution.command, move);
  execution.onBegin(move, command);
  const beganMs = io.nowMs();
  const status = await io.run(command);
  if (status !== 0) throw failed(move, `was not moved: the command ended with status ${status}`);
  const giveUpMs = io.nowMs() + execution.patienceMs;
  for (;;) {
    const arrival = await arrivalOf(move, before.seq, client);
    if (arrival === 'arrived') return execution.onArrived(move, io.nowMs() - beganMs);
    if (arrival !== undefined) throw failed(move, arrival);
    if (signal.aborted)
      throw failed(move, 'is not seen at its new site yet, and nobody waits for it any more');
    if (io.nowMs() >= giveUpMs)
      throw failed(
        move,
        `has not been seen at ${move.to} within ${execution.patienceMs / 1000} s of the command's end`,
      );
    await io.sleep(LOOK_MS, signal);
  }
}

/** Undefined: nothing is known yet. Moves are told apart from earlier ones by their sequence numbers. */
async function arrivalOf(
  move: AdvisedMoveView,
  seq: number,
  client: ControlClient,
): Promise<'arrived' | string | undefined> {
  const { body } = await client.get<readonly MigrationView[]>('/v1/migrations', {
    vnet: move.vnet,
    mac: move.mac,
  });
  const last = body.filter((migration) => migration.seq > seq).at(-1);
  if (last?.verdict === 'accepted')
    return last.to === move.to ? 'arrived' : `has arrived at ${last.to}, and not at ${move.to}`;
  if (last?.verdict === 'refused' || last?.verdict === 'undone')
    return `is not believed to be at ${last.to}: its move was ${last.verdict} (${last.reason})`;
  // A router that was started again has forgotten its moves, and knows where nodes are.
  const now = await placeOf(move, client);
  return now.seq > seq && now.router === move.to ? 'arrived' : undefined;
}

async function placeOf(move: AdvisedMoveView, client: ControlClient): Promise<DirectoryView> {
  const query = { vnet: move.vnet, ip: move.ips[0] };
  const { body } = await client.get<readonly DirectoryView[]>('/v1/directory', query);
  const here = body.find(({ state }) => state === 'here');
  if (here === undefined) throw failed(move, 'is in no directory any more');
  return here;
}

const failed = ({ ips }: AdvisedMoveView, why: string): CliError => new CliError(REFUSED, `${ips[0]} ${why}`);

function filledIn(command: string, { ips, to, from, vnet, mac }: AdvisedMoveView): string {
  const values: Readonly<Record<string, string>> = { node: ips[0] ?? '', site: to, from, vnet, mac };
  return command.replace(/\{(node|site|from|vnet|mac)\}/g, (_, name: string) => {
    const value = values[name] ?? '';
    if (!HARMLESS.test(value))
      throw new CliError(REFUSED, `${JSON.stringify(value)} is not handed to a shell`);
    return value;
  });
}
