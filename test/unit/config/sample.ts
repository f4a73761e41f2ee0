/** A small correct configuration, to be spoilt in one place by each test. */
import { type ConfigError, formatConfigError, type Outcome } from '../../../src/tables/files/error.js';
import { parseFiles, type TableConfig } from '../../../src/tables/files/parse.js';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export interface Sample {
  router: JsonObject;
  gndt: JsonObject;
  lndt: JsonObject;
}

export const KEY_A = 'AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=';
export const KEY_B = 'AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=';
export const KEY_C = 'AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=';

export function sample(): Sample {
  return {
    router: {
      id: 'vr-a',
      privateKeyFile: 'router.key',
      listen: ['udp://0.0.0.0:7700'],
      lans: [{ interface: 'lan0', vnet: 'blue' }],
    },
    gndt: {
      vnets: [
        { name: 'blue', id: 1 },
        { name: 'green', id: 2 },
      ],
      routers: [
        { id: 'vr-a', publicKey: KEY_A, endpoints: ['udp://192.0.2.1:7700'] },
        { id: 'vr-b', publicKey: KEY_B, endpoints: ['udp://192.0.2.2:7700'] },
      ],
      networks: [
        { vnet: 'blue', prefix: '10.1.0.0/24', router: 'vr-a', gateway: '10.1.0.254' },
        { vnet: 'blue', prefix: '10.2.0.0/24', router: 'vr-b', mobility: { allow: ['vr-a'] } },
      ],
    },
    lndt: { nodes: [{ vnet: 'blue', ip: '10.1.0.0/24' }] },
  };
}

export const DIRECTORY = '/etc/vine';

export function parse(written: Sample): Outcome<TableConfig> {
  const text = (value: Json): Outcome<string> => ({ value: JSON.stringify(value) });
  return parseFiles(
    { router: text(written.router), gndt: text(written.gndt), lndt: text(written.lndt) },
    DIRECTORY,
  );
}

/** Every error's line for people; none when the files are good. */
export function lines(outcome: Outcome<unknown>): string[] {
  return 'errors' in outcome ? outcome.errors.map(formatConfigError) : [];
}

export function errorsOf(outcome: Outcome<unknown>): readonly ConfigError[] {
  return 'errors' in outcome ? outcome.errors : [];
}

/** The sample with `change` put at `path`, e.g. `['gndt', 'networks', 1, 'prefix']`; undefined deletes. */
export function spoilt(path: readonly (string | number)[], change: Json | undefined): Sample {
  const written = sample();
  let place: Json = written as unknown as JsonObject;
  for (const step of path.slice(0, -1)) place = child(place, step);
  const last = path.at(-1);
  if (Array.isArray(place) && typeof last === 'number' && change !== undefined) place[last] = change;
  else if (isObject(place) && typeof last === 'string') {
    if (change === undefined) delete place[last];
    else place[last] = change;
  } else throw new Error(`no such place: ${path.join('.')}`);
  return written;
}

function child(place: Json, step: string | number): Json {
  const found =
    Array.isArray(place) && typeof step === 'number'
      ? place[step]
      : isObject(place) && typeof step === 'string'
        ? place[step]
        : undefined;
  if (found === undefined) throw new Error(`nothing at ${step}`);
  return found;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
