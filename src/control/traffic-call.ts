/** The parameters of `GET /v1/traffic`. */
import type { RouterActions } from './api.js';
import type { Fields } from './parameters.js';
import { object, type Reply, refusal } from './reply.js';
import { MOST_TOP, MOST_WAIT_SECONDS, TRAFFIC_BY, type TrafficRequest } from './traffic-view.js';

export const TRAFFIC_PARAMETERS = [
  'last',
  'mode',
  'detail',
  'weight',
  'by',
  'top',
  'node',
  'vnet',
  'wait',
] as const;

const MODES: readonly TrafficRequest['mode'][] = ['ended', 'exact', 'approximate'];
const DEFAULTS = { last: '600', weight: '1', top: '20', wait: '5' } as const;
const MOST_SECONDS = 604_800;

export async function trafficCall(actions: RouterActions, fields: Fields): Promise<Reply> {
  const request = trafficRequest(fields);
  if (typeof request === 'string') return refusal(400, request);
  const answer = await actions.traffic(request);
  return typeof answer === 'string' ? refusal(409, answer) : object(answer);
}

export function trafficRequest(fields: Fields): TrafficRequest | string {
  const { last = DEFAULTS.last, weight = DEFAULTS.weight, top = DEFAULTS.top, wait = DEFAULTS.wait } = fields;
  const mode = MODES.find((one) => one === (fields.mode ?? 'ended'));
  if (mode === undefined) return `mode "${fields.mode}" is not one of ${MODES.join(', ')}`;
  const by = TRAFFIC_BY.find((one) => one === (fields.by ?? 'node'));
  if (by === undefined) return `by "${fields.by}" is not one of ${TRAFFIC_BY.join(', ')}`;
  const { detail = '0' } = fields;
  if (detail !== '0' && detail !== '1') return `detail "${detail}" is neither 0 nor 1`;
  const lastSeconds = wholeNumber('last', last, MOST_SECONDS, ' of seconds');
  if (typeof lastSeconds === 'string') return lastSeconds;
  const rows = wholeNumber('top', top, MOST_TOP);
  if (typeof rows === 'string') return rows;
  const waitSeconds = wholeNumber('wait', wait, MOST_WAIT_SECONDS, ' of seconds');
  if (typeof waitSeconds === 'string') return waitSeconds;
  if (!/^\d{1,6}(\.\d{1,3})?$/.test(weight) || Number(weight) === 0)
    return `weight "${weight}" is not a number above 0, with three decimals at most`;
  return {
    lastSeconds,
    mode,
    detail: detail === '1',
    weight: Number(weight),
    by,
    top: rows,
    node: fields.node,
    vnet: fields.vnet,
    waitSeconds,
  };
}

function wholeNumber(name: string, text: string, most: number, of = ''): number | string {
  if (/^[1-9]\d{0,8}$/.test(text) && Number(text) <= most) return Number(text);
  return `${name} "${text}" is not a whole number${of} from 1 to ${most}`;
}
