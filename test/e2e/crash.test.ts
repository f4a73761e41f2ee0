/**
 * Routers killed while nodes are away, a source that is down during a move, a WAN that is cut during one; and every
 * router killed at random moments of a move. Nothing may end with the node out of reach or a connection broken.
 *
 * VINE_CRASH_MOMENTS: moments a router (default 2; 20 for the full run). VINE_SEED: replays the moments of a run.
 */
import { test } from 'node:test';
import type { SiteLetter } from '../lab/plan.js';
import { pause } from '../lab/wait.js';
import { randomOf } from '../support/sim-lan-wan.js';
import { restart, told, Watched } from './crash-support.js';
import { cannotRun, withLab } from './support.js';

const wanDelayMs = 10;
const moments = Number(process.env.VINE_CRASH_MOMENTS ?? 2);
const seed = Number(process.env.VINE_SEED ?? Math.floor(Math.random() * 1_000_000));
/** A move's first announcement leaves some 5 ms after its beginning; the last ARP of the redirection 3 s later. */
const earliestMs = -10;
const soonMs = 40;
const latestMs = 400;

test('routers killed and restarted while a node is away; WAN cut and healed', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'three-site', wanDelayMs, maxMoves: 1000 }, async (lab) => {
    const watched = await Watched.open(lab);
    await told(t, 'to site b', watched, async () => void (await lab.move('vm', 'b')));
    await told(t, 'its home router killed while it is away', watched, () => restart(lab, 'a'));
    await told(t, 'the router where it is killed', watched, () => restart(lab, 'b'));
    await told(t, 'both killed', watched, async () => {
      await lab.daemon('a').kill('SIGKILL');
      await lab.daemon('b').kill('SIGKILL');
      lab.daemon('a').start();
      lab.daemon('b').start();
      await lab.waitConnected();
    });
    await told(t, 'onward to site c with the router that it leaves down', watched, async () => {
      await lab.daemon('b').kill('SIGKILL');
      await lab.move('vm', 'c', { announce: 'both' });
      lab.daemon('b').start();
      await lab.waitConnected();
    });
    await told(t, 'home with the WAN cut just before', watched, async () => {
      await lab.wan({ cut: true });
      await lab.move('vm', 'a');
      await pause(1_000);
      await lab.wan({ cut: false });
    });
    await told(t, 'to site b with its home router down', watched, async () => {
      await lab.daemon('a').kill('SIGKILL');
      await lab.move('vm', 'b');
      lab.daemon('a').start();
      await lab.waitConnected();
    });
    await told(t, 'to site c with the WAN cut 5 ms behind it', watched, async () => {
      await lab.move('vm', 'c');
      await pause(5);
      await lab.wan({ cut: true });
      await pause(500);
      await lab.wan({ cut: false });
    });
    await watched.finish();
  }),
);

test(`kill -9 at random moments of a move, seed ${seed}`, { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'three-site', wanDelayMs, maxMoves: 1000 }, async (lab) => {
    const random = randomOf(seed);
    const watched = await Watched.open(lab);
    for (let moment = 0; moment < moments; moment++)
      for (const victim of ['a', 'b', 'c'] as const) {
        const others = (['a', 'b', 'c'] as const).filter((site) => site !== watched.at);
        const to: SiteLetter = others[random() < 0.5 ? 0 : 1] ?? 'a';
        // Half of them while tables and messages are under way, half while the LANs are being redirected.
        const [from, until] = random() < 0.5 ? [earliestMs, soonMs] : [soonMs, latestMs];
        const atMs = Math.round(from + random() * (until - from));
        const announce = random() < 0.5 ? 'rarp' : 'both';
        const what = `${watched.at} → ${to} (${announce}), router ${victim} killed at ${atMs} ms`;
        await told(t, what, watched, async () => {
          const killed = pause(atMs - earliestMs).then(() => restart(lab, victim));
          await pause(-earliestMs);
          await lab.move('vm', to, { announce });
          await killed;
        });
      }
    await watched.finish();
  }),
);
