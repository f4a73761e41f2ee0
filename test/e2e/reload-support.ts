/** What the tests of live reload share: other files for a router, and the calls. */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Daemon } from '../lab/daemon.js';

export interface GndtText {
  vnets: { name: string; id: number; subnet?: string }[];
  routers: { id: string; publicKey: string; endpoints: string[] }[];
  networks: {
    vnet: string;
    prefix: string;
    router: string;
    gateway?: string;
    mobility?: { allow: string[] };
  }[];
}

export function readGndt(daemon: Daemon): GndtText {
  return JSON.parse(readFileSync(join(daemon.directory, 'gndt.json'), 'utf8')) as GndtText;
}

export function writeConfig(daemon: Daemon, file: 'router' | 'gndt' | 'lndt', value: unknown): void {
  writeFileSync(join(daemon.directory, `${file}.json`), JSON.stringify(value, undefined, 2));
}

export function readConfig(daemon: Daemon, file: 'router' | 'gndt' | 'lndt'): Record<string, unknown> {
  return JSON.parse(readFileSync(join(daemon.directory, `${file}.json`), 'utf8')) as Record<string, unknown>;
}

/** A site that nobody answers for, before the others in every list, so that all positions change. */
export function withSite(gndt: GndtText, name: string, number: number): GndtText {
  const publicKey = randomBytes(32).toString('base64');
  return {
    ...gndt,
    routers: [{ id: name, publicKey, endpoints: [`udp://192.0.2.${number}:7700`] }, ...gndt.routers],
    networks: [
      { vnet: 'blue', prefix: `10.${number}.0.0/24`, router: name, gateway: `10.${number}.0.254` },
      ...gndt.networks,
    ],
  };
}

export interface Posted {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

export function post(daemon: Daemon, path: string, body: object = {}): Promise<Posted> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: daemon.socket, method: 'POST', path, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as Record<string, unknown> }),
      );
    });
    call.once('error', reject).end(JSON.stringify(body));
  });
}
