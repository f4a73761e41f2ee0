/** What a site with one router keeps on disk: nothing new without a pair in the network, and its own files beside one. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Daemon } from '../lab/daemon.js';
import { PairTraffic, withPair } from './pair-support.js';
import { cannotRun, ping, untilKnownAt, withLab } from './support.js';

/** By path below the router's directory, without its log and its socket. */
function filesOf(daemon: Daemon): Map<string, string> {
  const entries = readdirSync(daemon.directory, { recursive: true, withFileTypes: true });
  return new Map(
    entries
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.log'))
      .map(({ parentPath, name }) => {
        const path = join(parentPath, name);
        return [path.slice(daemon.directory.length + 1), readFileSync(path, 'utf8')];
      }),
  );
}

const RECORD_KEYS = ['vnet', 'ip', 'mac', 'router', 'seq', 'state', 'stamp'];
const CONFIGURATION = ['gndt.json', 'lndt.json', 'router.json', 'router.key'];

test('a network without a pair: the files are those of before', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site' }, async (lab) => {
    await ping(lab, 'a1', '10.2.0.11');
    await lab.move('vm', 'b');
    for (const asked of ['a', 'b'] as const) await untilKnownAt(lab, asked, lab.mover('vm').ipv4, 'b');
    for (const letter of ['a', 'b'] as const) {
      const daemon = lab.daemon(letter);
      await daemon.kill('SIGTERM');
      const files = filesOf(daemon);
      assert.deepEqual([...files.keys()].sort(), [...CONFIGURATION, 'state/directory.json']);
      const state = JSON.parse(files.get('state/directory.json') ?? '') as { records: object[] };
      assert.deepEqual(Object.keys(state), ['version', 'records']);
      assert.ok(state.records.length > 0);
      for (const record of state.records)
        assert.deepEqual(
          Object.keys(record).filter((key) => key !== 'previous'),
          RECORD_KEYS,
        );
    }
  }),
);

test(
  'beside a pair: its configuration and its directory stay as they are through kills and hand-overs',
  { skip: cannotRun },
  (t) =>
    withPair(t, async (lab, pair) => {
      const traffic = await PairTraffic.open(lab);
      await pair.handOver();
      const alone = lab.daemon('b');
      const before = filesOf(alone);
      const { active, standby } = await pair.whole();
      await active.kill('SIGKILL');
      await pair.taken(standby);
      active.start();
      await pair.handOver();
      await traffic.goesOn();
      const after = filesOf(alone);
      for (const name of [...CONFIGURATION, 'state/directory.json'])
        assert.equal(after.get(name), before.get(name), name);
      await traffic.finish();
    }),
);
