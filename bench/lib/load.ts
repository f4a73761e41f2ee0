/** The third router as a load: it gives both routers many host routes and then changes them all the time. */
import { readFileSync } from 'node:fs';
import type { CountersView } from '../../src/control/api.js';
import { getJson, projectRoot } from '../../test/lab/daemon.js';
import { isAlive } from '../../test/lab/ledger.js';
import { waitFor } from '../../test/lab/wait.js';
import type { ChurnReport } from './churn.js';
import type { Topology } from './topology.js';
import { configDirectory, controlSocket } from './vine.js';

export const counters = (topology: Topology, place: 'ra' | 'rb'): Promise<CountersView> =>
  getJson<CountersView>(controlSocket(topology, place), '/v1/counters');

/** What the third router has said last; undefined before its first word. */
export function churnReport(topology: Topology): ChurnReport | undefined {
  const lines = readFileSync(topology.logFile('churn'), 'utf8').trimEnd().split('\n');
  const last = lines.findLast((line) => line.startsWith('{'));
  return last === undefined ? undefined : (JSON.parse(last) as ChurnReport);
}

/** Records that the router has taken over so far. */
export const accepted = async (topology: Topology, place: 'ra' | 'rb'): Promise<number> =>
  (await counters(topology, place)).mobility_records_accepted ?? 0;

/**
 * Settles when both routers have all the routes; from then on they change. Nothing changes before, so that what they have
 * taken over is so many nodes. Answers what makes the changes stand still, and go on again, and the process that makes them.
 */
export async function startChurn(
  topology: Topology,
  routes: number,
  updatesPerSecond: number,
): Promise<{ readonly turn: () => void; readonly pid: number }> {
  const churn = topology.start('rc', 'churn', [
    ...[process.execPath, '--enable-source-maps', `${projectRoot}dist/bench/lib/churn.js`],
    ...[configDirectory(topology, 'rc'), String(routes), String(updatesPerSecond)],
  ]);
  await waitFor(
    'all host routes at both routers',
    async () => {
      if (!isAlive(churn)) throw new Error(topology.logs());
      return (await accepted(topology, 'ra')) >= routes && (await accepted(topology, 'rb')) >= routes;
    },
    60_000 + routes * 2,
  );
  const turn = (): void => void process.kill(churn.pid, 'SIGUSR2');
  turn();
  return { turn, pid: churn.pid };
}
