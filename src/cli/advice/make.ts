/** An advice from what the router knows now and the files of a directory. */

import type { AdviceView } from '../../control/advice-view.js';
import { advise } from '../../traffic/advice/advise.js';
import type { Objective } from '../../traffic/advice/input.js';
import type { ControlClient } from '../client.js';
import { gather } from './gather.js';
import { reportOf } from './report.js';

export interface Wanted {
  readonly objective: Objective;
  readonly horizonSeconds: number;
  /** The traffic of this time counts. */
  readonly lastSeconds: number;
  /** With gndt.json and advice.json. */
  readonly directory: string;
  readonly nowMs: number;
}

/** @throws CliError when the files or the router's answers are no good for it */
export async function makeAdvice(client: ControlClient, wanted: Wanted): Promise<AdviceView> {
  const { objective, horizonSeconds, nowMs } = wanted;
  const gathered = await gather(client, wanted.directory, wanted.lastSeconds);
  const { most, restMinutes } = gathered.file;
  const advice = advise(gathered.input, {
    objective,
    horizonMs: horizonSeconds * 1000,
    nowMs,
    most,
    restMs: restMinutes * 60_000,
  });
  return reportOf(gathered, advice, { objective, horizonSeconds });
}
