/** What a call answers, and how it goes out. */
import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ErrorView } from './api.js';

/** Rows that are made while they are taken; undefined: one was looked at and left out. */
export type Rows = Iterable<object | undefined>;

export type Reply =
  | { readonly kind: 'object'; readonly status: number; readonly body: object; readonly allow?: string }
  | { readonly kind: 'rows'; readonly rows: Rows }
  | { readonly kind: 'follow' };

/** A fraction of a millisecond of rows and JSON: a table of 100,000 must not hold up a migration. */
const ROWS_PER_TURN = 200;

const JSON_TYPE = { 'content-type': 'application/json' };

export type ObjectReply = Extract<Reply, { kind: 'object' }>;

export function object(body: object): ObjectReply {
  return { kind: 'object', status: 200, body };
}

export function rows(list: Rows): Reply {
  return { kind: 'rows', rows: list };
}

/** @param status 4xx or 5xx */
export function refusal(status: number, error: string): ObjectReply {
  return { kind: 'object', status, body: { error } satisfies ErrorView };
}

/** An object, indented, with a line feed at the end. */
export function sendObject(response: ServerResponse, reply: ObjectReply): void {
  const text = `${JSON.stringify(reply.body, null, 2)}\n`;
  response.writeHead(
    reply.status,
    reply.allow === undefined ? JSON_TYPE : { ...JSON_TYPE, allow: reply.allow },
  );
  response.end(text);
}

/** An array with one row a line, made and written in slices between which the event loop goes on. */
export async function sendRows(response: ServerResponse, list: Rows): Promise<void> {
  const rows = list[Symbol.iterator]();
  let text = '[';
  let separator = '';
  for (let slice = take(rows); ; slice = take(rows)) {
    if (!response.headersSent) response.writeHead(200, JSON_TYPE);
    for (const line of slice.lines) {
      text += separator + line;
      separator = ',\n';
    }
    if (slice.isLast) break;
    if (text !== '' && !response.write(text)) await drained(response);
    text = '';
    // There may have been room at once, within this turn.
    await nextTurn();
    if (response.destroyed) return;
  }
  response.end(`${text}]\n`);
}

/** Looks at so many rows; the lines are of those that are let through. */
function take(rows: Iterator<object | undefined>): { readonly lines: string[]; readonly isLast: boolean } {
  const lines: string[] = [];
  for (let looked = 0; looked < ROWS_PER_TURN; looked++) {
    const next = rows.next();
    if (next.done === true) return { lines, isLast: true };
    if (next.value !== undefined) lines.push(JSON.stringify(next.value));
  }
  return { lines, isLast: false };
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
