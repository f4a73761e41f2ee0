/** What the page is told beside the router's own answers: groups and advice, made as `vinectl traffic` and `vinectl advice` make them. */
import { type Fields, readQuery } from '../../control/parameters.js';
import { type ObjectReply, object, refusal } from '../../control/reply.js';
import { MOST_TOP, TRAFFIC_PATIENCE_MS, type TrafficView } from '../../control/traffic-view.js';
import type { AboutView, AdviceView, GroupsView } from '../../control/web/views.js';
import { makeAdvice } from '../advice/make.js';
import type { ControlClient } from '../client.js';
import { CliError, REFUSED } from '../exit.js';
import { groupsReport } from '../show/groups.js';
import { OBJECTIVES } from '../verbs/advice.js';

const DEFAULT_SECONDS = 3_600;
const DEFAULT_GROUP_SECONDS = 600;
const MOST_SECONDS = 604_800;
const DAY_SECONDS = 86_400;

type Made = (query: URLSearchParams) => Promise<ObjectReply>;

export interface Makers {
  readonly client: ControlClient;
  /** With gndt.json and advice.json. */
  readonly directory: string;
  readonly allowChanges: boolean;
  nowMs(): number;
}

export function madeCalls(makers: Makers): ReadonlyMap<string, Made> {
  const about = object({ allowChanges: makers.allowChanges } satisfies AboutView);
  return new Map<string, Made>([
    ['/page/about', guarded([], async () => about)],
    ['/page/advice', oneAtATime(guarded(['objective', 'last'], (fields) => advice(makers, fields)))],
    ['/page/groups', oneAtATime(guarded(['last', 'vnet'], (fields) => groups(makers, fields)))],
  ]);
}

async function advice({ client, directory, nowMs }: Makers, fields: Fields): Promise<ObjectReply> {
  const objective = OBJECTIVES.find((one) => one === (fields.objective ?? 'traffic'));
  if (objective === undefined)
    return refusal(400, `objective "${fields.objective}" is not one of ${OBJECTIVES.join(', ')}`);
  const lastSeconds = secondsOf(fields.last, DEFAULT_SECONDS);
  if (typeof lastSeconds === 'string') return refusal(400, lastSeconds);
  const wanted = { objective, horizonSeconds: DAY_SECONDS, lastSeconds, directory, nowMs: nowMs() };
  return object((await makeAdvice(client, wanted)) satisfies AdviceView);
}

async function groups({ client }: Makers, fields: Fields): Promise<ObjectReply> {
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
function guarded(allowed: readonly string[], make: (fields: Fields) => Promise<ObjectReply>): Made {
  return async (query) => {
    const fields = readQuery(query, allowed);
    if (typeof fields === 'string') return refusal(400, fields);
    try {
      return await make(fields);
    } catch (failure) {
      if (!(failure instanceof CliError)) throw failure;
      return refusal(failure.status === REFUSED ? 409 : 502, failure.message);
    }
  };
}

/** An advice takes this process for a moment: a page that asks again and again waits for its turn. */
function oneAtATime(make: Made): Made {
  let last: Promise<unknown> = Promise.resolve();
  return (query) => {
    const next = last.then(() => make(query));
    last = next.catch(() => undefined);
    return next;
  };
}
