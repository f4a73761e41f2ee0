/** Which query parameters a table call takes, and which rows each lets through. */
import { Ip } from '../net/ip.js';
import { formatMac, parseMac } from '../net/mac.js';
import { Prefix } from '../net/prefix.js';
import type {
  ClientView,
  DirectoryView,
  GndtView,
  HwdtView,
  LndtView,
  MigrationView,
  MissingView,
  PeerView,
} from './api.js';
import { readQuery } from './parameters.js';
import { type Reply, refusal, rows } from './reply.js';

type Test<Row> = (row: Row) => boolean;
/** Makes the test from the parameter's text, or says why the text makes no sense. */
type Filter<Row> = (text: string) => Test<Row> | string;
export type Filters<Row> = Readonly<Record<string, Filter<Row>>>;

export const PEER_FILTERS: Filters<PeerView> = {
  router: equal((row) => row.id),
  state: oneOf(['up', 'connecting', 'down', 'refused'], (row) => row.state),
};

export const CLIENT_FILTERS: Filters<ClientView> = {
  vnet: equal((row) => row.vnet),
  ip: amongIps((row) => [row.ip]),
  state: oneOf(['connected', 'away'], (row) => row.state),
};

export const GNDT_FILTERS: Filters<GndtView> = {
  vnet: equal((row) => row.vnet),
  ip: inPrefix((row) => row.prefix),
  router: equal((row) => row.router),
};

export const LNDT_FILTERS: Filters<LndtView> = {
  vnet: equal((row) => row.vnet),
  ip: inPrefix((row) => row.node),
  mac: sameMac((row) => row.mac),
  router: equal((row) => row.router),
  state: oneOf(['static', 'visiting', 'departed', 'client', 'unauthorised'], (row) => row.state),
};

export const HWDT_FILTERS: Filters<HwdtView> = {
  vnet: equal((row) => row.vnet),
  ip: amongIps((row) => [row.ip]),
  mac: sameMac((row) => row.mac),
};

export const DIRECTORY_FILTERS: Filters<DirectoryView> = {
  vnet: equal((row) => row.vnet),
  ip: amongIps((row) => [row.ip]),
  mac: sameMac((row) => row.mac),
  router: equal((row) => row.router),
  state: oneOf(['here', 'withdrawn'], (row) => row.state),
};

export const MISSING_FILTERS: Filters<MissingView> = {
  vnet: equal((row) => row.vnet),
  ip: amongIps((row) => row.ips),
  mac: sameMac((row) => row.mac),
};

/** `router` is either end of the move. */
export const MIGRATION_FILTERS: Filters<MigrationView> = {
  vnet: equal((row) => row.vnet),
  ip: amongIps((row) => row.ips),
  mac: sameMac((row) => row.mac),
  router: (text) => (row) => row.from === text || row.to === text,
};

/** What lets through the rows that the parameters name. A text says what is wrong with them. */
export function filterOf<Row>(query: URLSearchParams, filters: Filters<Row>): Test<Row> | string {
  const fields = readQuery(query, Object.keys(filters));
  if (typeof fields === 'string') return fields;
  const tests: Test<Row>[] = [];
  for (const [name, text] of Object.entries(fields)) {
    const test = filters[name]?.(text ?? '') ?? `unknown parameter "${name}"`;
    if (typeof test === 'string') return test;
    tests.push(test);
  }
  return (row) => tests.every((test) => test(row));
}

/** Reads the parameters before it asks for the table, and looks at a row when it is its turn to be sent. */
export function filtered<Row extends object>(
  query: URLSearchParams,
  filters: Filters<Row>,
  table: () => Iterable<Row>,
): Reply {
  const test = filterOf(query, filters);
  return typeof test === 'string' ? refusal(400, test) : rows(only(table(), test));
}

/** Undefined stands for a row that is left out: looking at it has taken its time too. */
function* only<Row>(table: Iterable<Row>, test: Test<Row>): Generator<Row | undefined> {
  for (const row of table) yield test(row) ? row : undefined;
}

function equal<Row>(field: (row: Row) => string | null): Filter<Row> {
  return (text) => (row) => field(row) === text;
}

function oneOf<Row>(values: readonly string[], field: (row: Row) => string): Filter<Row> {
  return (text) =>
    values.includes(text)
      ? (row) => field(row) === text
      : `state "${text}" is not one of ${values.join(', ')}`;
}

function sameMac<Row>(field: (row: Row) => string | null): Filter<Row> {
  return (text) => {
    const wanted = parseMac(text);
    if (wanted === undefined) return `"${text}" is not a MAC address such as 52:54:00:00:00:09`;
    const canonical = formatMac(wanted);
    return (row) => field(row) === canonical;
  };
}

function amongIps<Row>(field: (row: Row) => readonly string[]): Filter<Row> {
  return (text) => {
    const wanted = Ip.parse(text);
    if (wanted === undefined) return notAnAddress(text);
    return (row) => field(row).includes(wanted.key);
  };
}

/** Rows whose prefix holds the address. */
function inPrefix<Row>(field: (row: Row) => string): Filter<Row> {
  return (text) => {
    const wanted = Ip.parse(text);
    if (wanted === undefined) return notAnAddress(text);
    const ending = `/${wanted.bits}`;
    return (row) => {
      const shown = field(row);
      // Most rows of a large table are host routes: comparing their text is much cheaper than parsing it.
      if (shown.endsWith(ending)) return shown === wanted.key + ending;
      return Prefix.parse(shown, true)?.contains(wanted) ?? false;
    };
  };
}

function notAnAddress(text: string): string {
  return `"${text}" is not an IP address`;
}
