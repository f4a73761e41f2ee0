/** What the page is told beside the router's own answers: groups and advice, made as `vinectl traffic` and `vinectl advice` make them. */
import type { AdviceView } from '../../control/advice-view.js';
import { type Fields, readQuery } from '../../control/parameters.js';
import { type ObjectReply, object, refusal } from '../../control/reply.js';
import { MOST_TOP, TRAFFIC_PATIENCE_MS, type TrafficView } from '../../control/traffic-view.js';
import type { Made } from '../../control/web/server.js';
import type { AboutView, GroupsView } from '../../control/web/views.js';
import { OBJECTIVES } from '../../traffic/advice/input.js';
import { makeAdvice } from '../advice/make.js';
import type { ControlClient } from '../client.js';
import { CliError, REFUSED } from '../exit.js';
import { groupsReport } from '../show/groups.js';

const DEFAULT_SECONDS = 3_600;
const DEFAULT_GROUP_SECONDS = 600;
const MOST_SECONDS = 604_800;
const DAY_SECONDS = 86_400;
/** Of one kind, with the one that is being made. */
const MOST_WAITING = 8;

type Make = (fields: Fields, client: ControlClient) => Promise<ObjectReply>;

export interface Makers {
  readonly client: ControlClient;
  /** With gndt.json and advice.json. */
  readonly directory: string;
  readonly allowChanges: boolean;
  nowMs(): number;
}

export function madeCalls(makers: Makers): ReadonlyMap<string, Made> {
  const { client, allowChanges } = makers;
  const about = object({ allowChanges } satisfies AboutView);
  const made = (allowed: readonly string[], make: Make): Made => oneAtATime(guarded(client, allowed, make));
  return new Map<string, Made>([
    ['/page/about', guarded(client, [], async () => about)],
    ['/page/advice', made(['objective', 'last'], (fields, until) => advice(until, makers, fields))],
    ['/page/groups', made(['last', 'vnet'], (fields, until) => groups(until, fields))],
  ]);
}

async function advice(
  client: ControlClient,
  { directory, nowMs }: Makers,
  fields: Fields,
): Promise<ObjectReply> {
  const objective = OBJECTIVES.find((one) => one === (fields.objective ?? 'traffic'));
  if (objective === undefined)
    return refusal(400, `objective "${fields.objective}" is not one of ${OBJECTIVES.join(', ')}`);
  const lastSeconds = secondsOf(fields.last, DEFAULT_SECONDS);
  if (typeof lastSeconds === 'string') return refusal(400, lastSeconds);
  const wanted = { objective, horizonSeconds: DAY_SECONDS, lastSeconds, directory, nowMs: nowMs() };
  return object((await makeAdvice(client, wanted)) satisfies AdviceView);
}

async function groups(client: ControlClient, fields: Fields): Promise<ObjectReply> {
  const last = secondsOf(fields.last, DEFAULT_GROUP_SECONDS);
  if (typeof last === 'string') return refusal(400, last);
  const query = { last: String(last), by: 'node', detail: '1', top: String(MOST_TOP), vnet: fields.vnet };
  const { body } = await client.get<TrafficView>('/v1/traffic', query, TRAFFIC_PATIENCE_MS);
  return object(groupsReport(body, { measure: 'bytes' }) satisfies GroupsView);
}

function secondsOf(text: string | undefined, usual: number): number | string {
  if (text === undefined) return usual;
  if (/^[1-9]\d{0,6}$/.test(text) && Number(text) <= MOST_SECONDS) return Number(text);
  return `last "${text}" is not a whole number of seconds from 1 to ${MOST_SECONDS}`;
}

/** Checks the parameters; what the router refuses, and what it cannot be asked, is told the page in the same words. */
function guarded(client: ControlClient, allowed: readonly string[], make: Make): Made {
  return async (query, signal) => {
    const fields = readQuery(query, allowed);
    if (typeof fields === 'string') return refusal(400, fields);
    try {
      return await make(fields, client.until(signal));
    } catch (failure) {
      if (!(failure instanceof CliError)) throw failure;
      return refusal(failure.status === REFUSED ? 409 : 502, failure.message);
    }
  };
}

/** An advice takes this process for a moment: a page that asks again and again waits for its turn, of which there are few. */
function oneAtATime(make: Made): Made {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return (query, signal) => {
    if (waiting === MOST_WAITING)
      return Promise.resolve(
        refusal(503, `${MOST_WAITING} of these are asked for already: ask again in a moment`),
      );
    waiting++;
    const next = last.then(() =>
      signal.aborted ? refusal(503, 'nobody waits for it') : make(query, signal),
    );
    last = next
      .catch(() => undefined)
      .then(() => {
        waiting--;
      });
    return next;
  };
}
