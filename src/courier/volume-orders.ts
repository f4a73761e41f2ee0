/** What operators order of a volume, by HTTP: POST /v1/volumes/NAME/move, /abandon, /take. What is refused is answered with why. */
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { z } from 'zod';
import { NAME } from '../net/name.js';
import { messageOf } from '../net/system-error.js';
import type { Moves } from './volume/move/moves.js';

const MOST_BODY_BYTES = 4096;
/** Above it whoever asks gives up first: control may take as long as a volume's `stallSeconds`. */
const TAKE_MS = 86_400_000;
const ORDER_MS = 5_000;
const PATH = /^\/v1\/volumes\/([A-Za-z0-9._-]{1,63})\/(move|abandon|take)$/;
const REFUSED = 409;

export const DEFAULT_THRESHOLD = 3;

const MOVE = z.strictObject({
  peer: z.string().regex(NAME),
  name: z.string().regex(NAME),
  threshold: z.int().min(1).max(1_000_000),
  completeFirst: z.int().min(0).nullable(),
});

export type Verb = 'move' | 'abandon' | 'take';
export type MoveOrder = z.infer<typeof MOVE>;

/** Never rejects. */
export async function orderVolume(moves: Moves, call: IncomingMessage, reply: ServerResponse): Promise<void> {
  const [, name, verb] = PATH.exec(call.url ?? '') ?? [];
  if (name === undefined) {
    reply.writeHead(404).end();
    return;
  }
  try {
    const body = await bodyOf(call);
    if (verb === 'move') await moves.move(name, MOVE.parse(JSON.parse(body)));
    else if (verb === 'abandon') await moves.abandon(name);
    else await moves.take(name);
    reply.writeHead(200, { 'content-type': 'application/json' }).end('{}\n');
  } catch (error) {
    const why =
      error instanceof z.ZodError ? `${error.issues[0]?.path.join('.')}: not as expected` : messageOf(error);
    reply
      .writeHead(REFUSED, { 'content-type': 'application/json' })
      .end(`${JSON.stringify({ error: why })}\n`);
  }
}

async function bodyOf(call: IncomingMessage): Promise<string> {
  let text = '';
  call.setEncoding('utf8');
  for await (const piece of call) {
    text += String(piece);
    if (text.length > MOST_BODY_BYTES) throw new Error('the order is too long');
  }
  return text;
}

/** Rejects with why not. */
export function order(socketPath: string, name: string, verb: Verb, body?: MoveOrder): Promise<void> {
  return new Promise((resolve, reject) => {
    const path = `/v1/volumes/${encodeURIComponent(name)}/${verb}`;
    const timeout = verb === 'take' ? TAKE_MS : ORDER_MS;
    const call = request({ socketPath, path, method: 'POST', timeout }, (reply) => {
      let text = '';
      reply.setEncoding('utf8');
      reply.on('data', (piece: string) => {
        text += piece;
      });
      reply.on('end', () =>
        reply.statusCode === 200 ? resolve() : reject(new Error(whyOf(text, reply.statusCode))),
      );
    });
    call.on('timeout', () => call.destroy(new Error('no answer')));
    call.on('error', (error) =>
      reject(new Error(`${socketPath}: ${error.message}: is vine-courier running?`)),
    );
    call.end(body === undefined ? '' : JSON.stringify(body));
  });
}

function whyOf(text: string, status: number | undefined): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    if (typeof error === 'string') return error;
  } catch {
    // Not of this program.
  }
  return `answer ${status}`;
}
