/** `vinectl web`, until it is interrupted. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { StatusView } from '../../control/api.js';
import { PAGE_DIRECTORY, readPage } from '../../control/web/files.js';
import { startWebServer, type WebServer, type WebServerOptions } from '../../control/web/server.js';
import { type ControlClient, explain } from '../client.js';
import type { Context } from '../context.js';
import { CliError, REFUSED } from '../exit.js';
import { madeCalls } from './made.js';

const SECRET_BYTES = 32;

export interface WebOptions {
  readonly port: number;
  readonly allowChanges?: boolean;
  readonly config: string;
}

export async function serveWeb(context: Context, options: WebOptions, page = PAGE_DIRECTORY): Promise<void> {
  const { io } = context;
  const client = await context.client();
  const { body: status } = await client.get<StatusView>('/v1/status');
  const files = readPage(page);
  if (files === undefined)
    throw new CliError(REFUSED, 'the page is not built: run scripts/setup in the checkout');
  const interrupted = new AbortController();
  const forget = io.onInterrupt(() => interrupted.abort());
  try {
    const server = await start(optionsOf(client, files, context, options));
    announce(context, server, status.id, options);
    if (!interrupted.signal.aborted) await once(interrupted.signal, 'abort');
    await server.close();
  } finally {
    forget();
  }
}

function optionsOf(
  client: ControlClient,
  files: WebServerOptions['files'],
  { io }: Context,
  { port, allowChanges = false, config }: WebOptions,
): WebServerOptions {
  return {
    port,
    token: randomBytes(SECRET_BYTES).toString('base64url'),
    session: randomBytes(SECRET_BYTES).toString('base64url'),
    key: randomBytes(SECRET_BYTES).toString('base64url'),
    files,
    made: madeCalls({ client, directory: config, allowChanges, nowMs: () => io.nowMs() }),
    socket: client.socket,
    allowChanges,
    explain: (error) => explain(error, client.socket),
  };
}

async function start(options: WebServerOptions): Promise<WebServer> {
  try {
    return await startWebServer(options);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const reason =
      code === 'EADDRINUSE'
        ? 'another program has it'
        : code === 'EACCES'
          ? 'only root may have it'
          : String(error);
    throw new CliError(
      REFUSED,
      `cannot have port ${options.port} of 127.0.0.1: ${reason}; leave --port out for any that is free`,
    );
  }
}

function announce(
  context: Context,
  { address, port }: WebServer,
  router: string,
  { allowChanges }: WebOptions,
): void {
  if (context.json) context.print(`${JSON.stringify({ router, url: address, port })}\n`);
  else
    context.print(
      [
        `${router}, to look at${allowChanges ? ' and to steer' : ''} in a browser on this machine (the address opens once):`,
        `  ${address}`,
        `From another machine: ssh -L ${port}:127.0.0.1:${port} to this one first. Ctrl-C ends it.`,
        '',
      ].join('\n'),
    );
  if (context.io.isReadableByOthers)
    context.io.stderr.write('vinectl: warning: others may read this file, and open the page in your place\n');
}
