/** Nodes that announce themselves while a site has no active router, or just before it loses it: they are followed. */
import { test } from 'node:test';
import { pause } from '../lab/wait.js';
import { WatchedNode, withPair } from './pair-support.js';
import { cannotRun } from './support.js';

/** Time from the kill: the move comes before it, or while nobody is active yet. */
const MOMENTS_MS = [-10, 50, 150] as const;

for (const momentMs of MOMENTS_MS)
  test(
    `to the pair and away, ${Math.abs(momentMs)} ms ${momentMs < 0 ? 'before' : 'after'} the kill`,
    { skip: cannotRun },
    (t) =>
      withPair(t, async (lab, pair) => {
        const node = await WatchedNode.open(lab);
        for (const announce of ['rarp', 'both'] as const)
          for (let way = 0; way < 2; way++) {
            const { active, standby } = await pair.whole();
            const to = node.elsewhere;
            const began = performance.now();
            const move = async (): Promise<void> => void (await lab.move('vm', to, { announce }));
            if (momentMs < 0) {
              await move();
              await pause(-momentMs);
              await active.kill('SIGKILL');
            } else {
              await active.kill('SIGKILL');
              await pause(momentMs);
              await move();
            }
            await pair.taken(standby);
            await node.isReached();
            t.diagnostic(
              `${announce} to site ${to}: reached after ${Math.round(performance.now() - began)} ms`,
            );
            active.start();
            await pair.whole();
          }
        await node.finish();
      }),
  );
