/** The active router of a site loses its LAN or its WAN, with its carrier and without: the sound one takes over. */
import { test } from 'node:test';
import { type Fault, strike } from '../lab/pair.js';
import { PairTraffic, withOutage, withPair } from './pair-support.js';
import { cannotRun } from './support.js';

for (const [title, faults] of [
  ['unplugged', ['lan', 'wan']],
  ['silent', ['wan-silent', 'lan-silent']],
] as const)
  test(`links that are cut: ${title}`, { skip: cannotRun }, (t) =>
    withPair(t, async (lab, pair) => {
      const traffic = await PairTraffic.open(lab);
      for (const fault of faults satisfies readonly Fault[]) {
        const { active, standby } = await pair.whole();
        let heal = async (): Promise<void> => {};
        await withOutage(t, traffic, `${fault} of ${active.id}`, async () => {
          heal = await strike(lab, active, fault);
          await pair.taken(standby);
        });
        await withOutage(t, traffic, `${fault} is healed`, async () => {
          await heal();
          await pair.whole();
        });
      }
      await traffic.finish();
    }),
  );
