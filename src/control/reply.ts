/** What a call answers, and how it goes out. */
import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ErrorView } from './api.js';

export type Reply =
  | { readonly kind: 'object'; readonly status: number; readonly body: object; readonly allow?: string }
  | { readonly kind: 'rows'; readonly rows: readonly object[] }
  | { readonly kind: 'follow' };

/** A fraction of a millisecond of JSON: a table of 100,000 rows must not hold up a migration. */
const ROWS_PER_TURN = 200;

const JSON_TYPE = { 'content-type': 'application/json' };

export function object(body: object): Reply {
  return { kind: 'object', status: 200, body };
}

export function rows(list: readonly object[]): Reply {
  return { kind: 'rows', rows: list };
}

/** @param status 4xx or 5xx */
export function refusal(status: number, error: string): Reply {
  return { kind: 'object', status, body: { error } satisfies ErrorView };
}

/** An object, indented, with a line feed at the end. */
export function sendObject(response: ServerResponse, reply: Extract<Reply, { kind: 'object' }>): void {
  const text = `${JSON.stringify(reply.body, null, 2)}\n`;
  response.writeHead(
    reply.status,
    reply.allow === undefined ? JSON_TYPE : { ...JSON_TYPE, allow: reply.allow },
  );
  response.end(text);
}

/** An array with one row a line, written in slices between which the event loop goes on. */
export async function sendRows(response: ServerResponse, list: readonly object[]): Promise<void> {
  let text = `[${slice(list, 0)}`;
  response.writeHead(200, JSON_TYPE);
  for (let start = ROWS_PER_TURN; start < list.length; start += ROWS_PER_TURN) {
    if (!response.write(`${text},\n`)) await drained(response);
    // There may have been room at once, within this turn.
    await nextTurn();
    if (response.destroyed) return;
    text = slice(list, start);
  }
  response.end(`${text}]\n`);
}

function slice(list: readonly object[], start: number): string {
  return list
    .slice(start, start + ROWS_PER_TURN)
    .map((row) => JSON.stringify(row))
    .join(',\n');
}

/** Settles when there is room again, or when nobody is there any more. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
    if (response.destroyed) done();
  });
}
