/** The calls of the control API: path, method, and what the router is asked. */
import {
  MAX_CONFIRM_SECONDS,
  type MigrationView,
  type ReloadRequest,
  type RouterActions,
  type RouterView,
} from './api.js';
import { type EventLog, MAX_FOLLOWERS } from './events.js';
import {
  CLIENT_FILTERS,
  DIRECTORY_FILTERS,
  filtered,
  filterOf,
  GNDT_FILTERS,
  HWDT_FILTERS,
  LNDT_FILTERS,
  MIGRATION_FILTERS,
  MISSING_FILTERS,
  PEER_FILTERS,
} from './filters.js';
import { type Fields, readMembers, readQuery } from './parameters.js';
import { object, type Reply, refusal, rows } from './reply.js';
import { TRAFFIC_PARAMETERS, trafficCall } from './traffic-call.js';
import { TRAFFIC_PATIENCE_MS } from './traffic-view.js';

export type Call =
  | {
      readonly method: 'GET';
      /** How long its answer may take, where that is longer than a client may be idle. */
      readonly patienceMs?: number;
      answer(query: URLSearchParams): Reply | Promise<Reply>;
    }
  | {
      readonly method: 'POST';
      /** Of its body; `MAX_BODY_BYTES` unless given. */
      readonly mostBytes?: number;
      answer(query: URLSearchParams, body: unknown): Reply | Promise<Reply>;
    };

/** A description of 4 MiB in base64, and what is around it. */
const MAX_PUBLISHED_BYTES = 6 * 1024 * 1024;

export function controlCalls(
  view: RouterView,
  actions: RouterActions,
  events: EventLog,
): readonly (readonly [path: string, call: Call])[] {
  return [
    ['/v1/status', get([], () => object(view.status()))],
    ['/v1/counters', get([], () => object(view.counters()))],
    ['/v1/route', get(['vnet', 'ip', 'from'], (fields) => route(view, fields))],
    ['/v1/events', get(['follow'], (fields) => eventsCall(events, fields))],
    ['/v1/peers', table((query) => filtered(query, PEER_FILTERS, () => view.peers()))],
    ['/v1/clients', table((query) => filtered(query, CLIENT_FILTERS, () => view.clients()))],
    ['/v1/gndt', table((query) => filtered(query, GNDT_FILTERS, () => view.gndt()))],
    ['/v1/lndt', table((query) => filtered(query, LNDT_FILTERS, () => view.lndt()))],
    ['/v1/hwdt', table((query) => filtered(query, HWDT_FILTERS, () => view.hwdt()))],
    ['/v1/directory', table((query) => filtered(query, DIRECTORY_FILTERS, () => view.directory()))],
    ['/v1/missing', table((query) => filtered(query, MISSING_FILTERS, () => view.missing()))],
    ['/v1/migrations', table((query) => migrations(view, query))],
    [
      '/v1/traffic',
      {
        ...get(TRAFFIC_PARAMETERS, (fields) => trafficCall(actions, fields)),
        patienceMs: TRAFFIC_PATIENCE_MS,
      } as Call,
    ],
    ['/v1/doctor', get([], async () => rows(await actions.doctor()))],
    ['/v1/ping', post((body) => ping(actions, body))],
    ['/v1/moves', post((body) => move(actions, body))],
    ['/v1/unfreeze', post((body) => unfreeze(actions, body))],
    ['/v1/log-level', post((body) => logLevel(actions, body))],
    ['/v1/reload', post((body) => reload(actions, body))],
    ['/v1/confirm', post((body) => confirm(actions, body))],
    ['/v1/memberships', get([], () => rows(actions.memberships()))],
    ['/v1/network', get([], () => object(actions.network()))],
    ['/v1/network', { ...post((body) => publish(actions, body)), mostBytes: MAX_PUBLISHED_BYTES } as Call],
    ['/v1/network/description', get([], () => description(actions))],
    ['/v1/role', get([], () => object(view.role()))],
    ['/v1/role', post((body) => takeRole(actions, body))],
  ];
}

function table(answer: (query: URLSearchParams) => Reply): Call {
  return { method: 'GET', answer };
}

function get(allowed: readonly string[], answer: (fields: Fields) => Reply | Promise<Reply>): Call {
  return {
    method: 'GET',
    answer(query) {
      const fields = readQuery(query, allowed);
      return typeof fields === 'string' ? refusal(400, fields) : answer(fields);
    },
  };
}

function post(answer: (body: unknown) => Reply | Promise<Reply>): Call {
  return {
    method: 'POST',
    answer(query, body) {
      const fields = readQuery(query, []);
      return typeof fields === 'string' ? refusal(400, fields) : answer(body);
    },
  };
}

function route(view: RouterView, { vnet, ip, from }: Fields): Reply {
  if (ip === undefined) return refusal(400, 'parameter "ip" is missing');
  const found = view.route({ vnet, ip, from });
  return typeof found === 'string' ? refusal(400, found) : object(found);
}

/** Oldest first; `last` takes that many from the end of what the filters let through. */
function migrations(view: RouterView, query: URLSearchParams): Reply {
  const fields = readQuery(query, [...Object.keys(MIGRATION_FILTERS), 'last']);
  if (typeof fields === 'string') return refusal(400, fields);
  const filters = new URLSearchParams(query);
  const last = filters.get('last');
  if (last !== null && !/^[1-9]\d{0,8}$/.test(last))
    return refusal(400, `last "${last}" is not a whole number from 1 on`);
  filters.delete('last');
  const test = filterOf(filters, MIGRATION_FILTERS);
  if (typeof test === 'string') return refusal(400, test);
  const byStart = (a: MigrationView, b: MigrationView): number =>
    Date.parse(a.startedAt) - Date.parse(b.startedAt);
  const found = [...view.migrations()].sort(byStart).filter(test);
  return rows(last === null ? found : found.slice(-Number(last)));
}

function eventsCall(events: EventLog, { follow = '0' }: Fields): Reply {
  if (follow === '0') return rows(events.recent());
  if (follow !== '1') return refusal(400, `follow "${follow}" is neither 0 nor 1`);
  if (events.followers >= MAX_FOLLOWERS) {
    return refusal(503, `${MAX_FOLLOWERS} clients follow the events already: end one of them`);
  }
  return { kind: 'follow' };
}

function move(actions: RouterActions, body: unknown): Reply {
  const fields = readMembers(body, ['ip'], ['vnet']);
  if (typeof fields === 'string') return refusal(400, fields);
  const moved = actions.move({ vnet: fields.vnet, ip: fields.ip ?? '' });
  return typeof moved === 'string' ? refusal(409, moved) : object(moved);
}

function unfreeze(actions: RouterActions, body: unknown): Reply {
  const fields = readMembers(body, ['ip'], ['vnet']);
  if (typeof fields === 'string') return refusal(400, fields);
  const released = actions.unfreeze({ vnet: fields.vnet, ip: fields.ip ?? '' });
  return typeof released === 'string' ? refusal(409, released) : object(released);
}

function logLevel(actions: RouterActions, body: unknown): Reply {
  const fields = readMembers(body, ['level']);
  if (typeof fields === 'string') return refusal(400, fields);
  const level = fields.level ?? '';
  const reason = actions.setLogLevel(level);
  return reason === undefined ? object({ level }) : refusal(400, reason);
}

async function ping(actions: RouterActions, body: unknown): Promise<Reply> {
  const fields = readMembers(body, ['router']);
  if (typeof fields === 'string') return refusal(400, fields);
  const answer = await actions.ping(fields.router ?? '');
  return typeof answer === 'string' ? refusal(409, answer) : object(answer);
}

async function reload(actions: RouterActions, body: unknown): Promise<Reply> {
  const request = reloadRequest(body ?? {});
  if (typeof request === 'string') return refusal(400, request);
  const answer = await actions.reload(request);
  return 'errors' in answer ? { kind: 'object', status: 409, body: answer } : object(answer);
}

function reloadRequest(body: unknown): ReloadRequest | string {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return 'the body is not a JSON object';
  const { dryRun = false, confirmSeconds, ...rest } = body as Record<string, unknown>;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) return `unknown member "${unknown}"; this call takes dryRun, confirmSeconds`;
  if (typeof dryRun !== 'boolean') return '"dryRun" is neither true nor false';
  if (confirmSeconds === undefined) return { dryRun, confirmSeconds };
  if (
    typeof confirmSeconds !== 'number' ||
    !Number.isInteger(confirmSeconds) ||
    confirmSeconds < 1 ||
    confirmSeconds > MAX_CONFIRM_SECONDS
  )
    return `"confirmSeconds" is not a whole number from 1 to ${MAX_CONFIRM_SECONDS}`;
  return { dryRun, confirmSeconds };
}

function confirm(actions: RouterActions, body: unknown): Reply {
  const fields = readMembers(body ?? {}, []);
  if (typeof fields === 'string') return refusal(400, fields);
  const answer = actions.confirm();
  return typeof answer === 'string' ? refusal(409, answer) : object(answer);
}

async function publish(actions: RouterActions, body: unknown): Promise<Reply> {
  const fields = readMembers(body, [], ['description', 'succession']);
  if (typeof fields === 'string') return refusal(400, fields);
  const description = base64(fields.description);
  const succession = base64(fields.succession);
  if (description === null || succession === null) return refusal(400, 'a member is not base64');
  if (description === undefined && succession === undefined)
    return refusal(400, 'neither "description" nor "succession" is given');
  const answer = await actions.publish({ description, succession });
  return typeof answer === 'string' ? refusal(409, answer) : object(answer);
}

/** Null: it is none. */
function base64(text: string | undefined): Uint8Array | undefined | null {
  if (text === undefined) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? new Uint8Array(bytes) : null;
}

function description(actions: RouterActions): Reply {
  const signed = actions.signedDescription();
  if (signed === undefined) return refusal(409, 'this router runs with a gndt.json that is not signed');
  return object({ description: Buffer.from(signed).toString('base64') });
}

async function takeRole(actions: RouterActions, body: unknown): Promise<Reply> {
  const fields = readMembers(body, ['role']);
  if (typeof fields === 'string') return refusal(400, fields);
  const { role } = fields;
  if (role !== 'active' && role !== 'standby')
    return refusal(400, `role "${role}" is neither active nor standby`);
  const answer = await actions.takeRole(role);
  return typeof answer === 'string' ? refusal(409, answer) : object(answer);
}
