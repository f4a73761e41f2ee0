/** Asks the server that the page came from. */
import type { ErrorView, EventView } from '../../api.js';
import { Lines } from '../model/lines.js';
import { KEY_HEADER } from '../views.js';

/** Where the session's key is: of this origin alone, port included, and of all its tabs. */
const KEPT_KEY = KEY_HEADER;

/** The server says no; the message is for people. */
class Refusal extends Error {}

/** Nobody says anything, or not to the end. */
class Silence extends Error {}

/**
 * The key stands in the address after the token was shown, once. It is tried before it is kept: anybody can make such a link, and
 * a key that is none would take the place of the right one.
 */
export async function takeKey(): Promise<void> {
  const [, key] = /^#key=([\w-]+)$/.exec(location.hash) ?? [];
  if (key === undefined) return;
  const { ok } = await ask('/page/about', {}, key);
  if (ok) localStorage.setItem(KEPT_KEY, key);
  history.replaceState(null, '', '/');
}

export async function get<Body>(path: string, query: Readonly<Record<string, string>> = {}): Promise<Body> {
  const asked = new URLSearchParams(query).toString();
  return answerOf(await ask(asked === '' ? path : `${path}?${asked}`));
}

export async function post<Body>(path: string, body: object): Promise<Body> {
  return answerOf(await ask(path, { method: 'POST', body: JSON.stringify(body) }));
}

async function ask(
  path: string,
  how: RequestInit = {},
  key = localStorage.getItem(KEPT_KEY) ?? '',
): Promise<Response> {
  return unlessSilent(fetch(path, { ...how, headers: { [KEY_HEADER]: key } }));
}

async function answerOf<Body>(response: Response): Promise<Body> {
  const body: unknown = await unlessSilent(response.json());
  if (!response.ok) throw new Refusal((body as ErrorView).error);
  return body as Body;
}

async function unlessSilent<Result>(heard: Promise<Result>): Promise<Result> {
  try {
    return await heard;
  } catch (failure) {
    throw new Silence(String(failure));
  }
}

/** Settles when the stream ends; rejects when it cannot be had, breaks off, or `signal` ends it. */
export async function follow(
  onOpen: () => void,
  onEvent: (event: EventView) => void,
  signal: AbortSignal,
): Promise<void> {
  const response = await ask('/v1/events?follow=1', { signal });
  if (!response.ok || response.body === null) return answerOf(response);
  onOpen();
  const lines = new Lines();
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  const read = (): ReturnType<typeof reader.read> => unlessSilent(reader.read());
  for (let piece = await read(); !piece.done; piece = await read())
    for (const line of lines.push(decoder.decode(piece.value, { stream: true })))
      onEvent(JSON.parse(line) as EventView);
}

export function messageOf(failure: unknown): string {
  if (failure instanceof Refusal) return failure.message;
  if (failure instanceof Silence)
    return 'vinectl web does not answer: it was ended, or this machine was asleep';
  return `fault in the page: ${String(failure)}`;
}
