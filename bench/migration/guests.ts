/** The same with real guests: QEMU migrates them, A → B → C → A, and their own kernels answer the probe. */
import { Lab } from '../../test/lab/lab.js';
import type { SiteLetter } from '../../test/lab/plan.js';
import { routerName } from '../../test/lab/plan.js';
import { Guest } from '../../test/lab/qemu/guest.js';
import { EchoStream } from '../../test/lab/traffic/traffic.js';
import { type Distribution, distributionOf, inShort } from '../lib/distribution.js';
import { table } from '../lib/table.js';

export interface GuestsOptions {
  readonly delays: readonly number[];
  readonly moves: number;
  readonly say: (text: string) => void;
  readonly progress: (text: string) => void;
}

interface GuestMove {
  readonly to: SiteLetter;
  /** As QEMU measured it. */
  readonly downtimeMs: number;
  readonly totalMs: number;
  /** Longest gap of each echoed TCP stream beyond the downtime and the round trip that an echo takes. */
  readonly beyondMs: number;
}

interface GuestSeries {
  readonly delayMs: number;
  readonly guestAnnounce: boolean;
  readonly moves: readonly GuestMove[];
  readonly downtimeMs: Distribution;
  readonly beyondMs: Distribution;
}

const ROUND: readonly SiteLetter[] = ['b', 'c', 'a'];
const BYTES_BETWEEN = 20_000;

async function series(delayMs: number, guestAnnounce: boolean, options: GuestsOptions): Promise<GuestSeries> {
  const lab = await Lab.up({ topology: 'three-site', wanDelayMs: delayMs, maxMoves: 1000 });
  try {
    const task = Guest.task(lab);
    const { ipv4 } = lab.plan.guest;
    const guest = await Guest.boot(lab, 'a', { ...task, guestAnnounce });
    const streams = [
      await EchoStream.open(lab, 'a1', ipv4, task.echoPort),
      await EchoStream.open(lab, 'b1', ipv4, task.echoPort),
    ];
    for (const { letter } of lab.plan.sites) await lab.daemon(letter).waitKnows(ipv4, routerName('a'));
    const moves: GuestMove[] = [];
    for (let n = 0; n < options.moves; n++) {
      const to = ROUND[n % ROUND.length] ?? 'a';
      options.progress(`delay ${delayMs} ms, guest announces: ${guestAnnounce}: migration ${n + 1}`);
      for (const stream of streams) await stream.mark();
      const { downtimeMs, totalMs } = await guest.migrate(to);
      await Promise.all(streams.map((stream) => stream.progress(BYTES_BETWEEN)));
      for (const { letter } of lab.plan.sites) await lab.daemon(letter).waitKnows(ipv4, routerName(to));
      const gapMs = Math.max(...streams.map((stream) => stream.gapMs));
      moves.push({ to, downtimeMs, totalMs, beyondMs: Math.max(0, gapMs - downtimeMs - 2 * delayMs) });
    }
    for (const stream of streams) await stream.finish();
    await guest.stop();
    const of = (value: (move: GuestMove) => number): Distribution => distributionOf(moves.map(value));
    return {
      delayMs,
      guestAnnounce,
      moves,
      downtimeMs: of((move) => move.downtimeMs),
      beyondMs: of((move) => move.beyondMs),
    };
  } finally {
    await lab.down();
  }
}

/** Throws when guests cannot be run here, and when a connection breaks. */
export async function runGuests(options: GuestsOptions): Promise<{ guests: readonly GuestSeries[] }> {
  const missing = Guest.missing();
  if (missing !== undefined) throw new Error(missing);
  const guests: GuestSeries[] = [];
  for (const delayMs of options.delays)
    for (const guestAnnounce of [true, false]) guests.push(await series(delayMs, guestAnnounce, options));
  options.progress('');
  options.say('\nMilliseconds: median / p99 / highest. No connection broke (the run would have ended).');
  const rows = guests.map(({ delayMs, guestAnnounce, moves, downtimeMs, beyondMs }) => [
    `${delayMs} ms, ${guestAnnounce ? 'hypervisor and guest announce' : 'RARP only'}`,
    String(moves.length),
    inShort(downtimeMs),
    inShort(beyondMs),
  ]);
  const head = ['one-way delay', 'migrations', 'QEMU downtime', 'TCP echo gap beyond downtime + round trip'];
  options.say(table(head, rows));
  return { guests };
}
