/** A control server with a fake router behind it, on a socket of its own; and the means to speak to it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  type ControlServer,
  type ControlServerOptions,
  startControlServer,
} from '../../../src/control/server.js';
import { FakeRouter } from './fake-router.js';

export interface Fixture {
  readonly socket: string;
  readonly router: FakeRouter;
  readonly server: ControlServer;
  readonly faults: { readonly call: string; readonly fault: unknown }[];
}

/** A directory that is gone after the test. */
export async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'vine-control-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export async function startFixture(t: TestContext, group = 'root'): Promise<Fixture> {
  const socket = join(await temporaryDirectory(t), 'control.sock');
  const router = new FakeRouter();
  const faults: { call: string; fault: unknown }[] = [];
  const onFault = (call: string, fault: unknown): void => {
    faults.push({ call, fault });
  };
  const server = await startControlServer({ socket, group, ...facesOf(router), onFault });
  t.after(() => server.close());
  return { socket, router, server, faults };
}

/** What the server is given of a router, which is all three in one. */
export function facesOf(router: FakeRouter): Pick<ControlServerOptions, 'view' | 'actions' | 'events'> {
  return { view: router, actions: router, events: router };
}

export interface Response {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;
}

export function call(socketPath: string, method: string, path: string, body?: string): Promise<Response> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part) => {
        text += part;
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Sends bytes as they are; what came back until the server closed. */
export function raw(socketPath: string, bytes: string | Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(socketPath, () => socket.write(bytes));
    socket.setEncoding('utf8');
    socket.on('data', (part) => {
      text += part;
    });
    // The server may close while we still send; what it said before counts.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') reject(error);
    });
    socket.on('close', () => resolve(text));
  });
}

/** Waits until `holds`, looking in each turn of the event loop; the test runner's timeout ends a vain wait. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
