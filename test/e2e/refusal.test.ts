/** Two routers that do not talk to each other: `vinectl peers` says why, at both ends. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { waitFor } from '../lab/wait.js';
import { cannotRun, withLab } from './support.js';

test(
  'a router under another name than its peers know it by is refused, with the reason at both ends',
  {
    skip: cannotRun,
  },
  (t) =>
    withLab(t, { topology: 'two-site', daemons: false }, async (lab) => {
      for (const file of ['gndt.json', 'router.json']) {
        const path = join(lab.daemon('b').directory, file);
        writeFileSync(path, readFileSync(path, 'utf8').replaceAll('"vr-b"', '"vr-z"'));
      }
      for (const site of ['a', 'b'] as const) lab.daemon(site).start();
      const shown = async (site: 'a' | 'b'): Promise<string> => {
        let out = '';
        await waitFor(`site ${site} says that it is refused`, async () => {
          out = await lab.vinectl(site, ['peers']);
          return out.includes('refused');
        });
        return out;
      };
      const reason = 'the key of vr-b is used by a router that calls itself vr-z';
      for (const [site, peer] of [
        ['a', 'vr-b'],
        ['b', 'vr-a'],
      ] as const)
        assert.match(await shown(site), new RegExp(`${peer} +refused.*${reason}`));
      for (const site of ['a', 'b'] as const) await lab.daemon(site).kill('SIGTERM');
    }),
);
