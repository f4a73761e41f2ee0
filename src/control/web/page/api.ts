/** Asks the server that the page came from. */
import type { ErrorView, EventView } from '../../api.js';
import { Lines } from '../model/lines.js';

/** The server says no; the message is for people. */
export class Refusal extends Error {}

export async function get<Body>(path: string, query: Readonly<Record<string, string>> = {}): Promise<Body> {
  const asked = new URLSearchParams(query).toString();
  return answerOf(await fetch(asked === '' ? path : `${path}?${asked}`));
}

export async function post<Body>(path: string, body: object): Promise<Body> {
  return answerOf(await fetch(path, { method: 'POST', body: JSON.stringify(body) }));
}

async function answerOf<Body>(response: Response): Promise<Body> {
  const body: unknown = await response.json();
  if (!response.ok) throw new Refusal((body as ErrorView).error);
  return body as Body;
}

/** Settles when the stream ends; rejects when it cannot be had, or breaks off. */
export async function follow(onOpen: () => void, onEvent: (event: EventView) => void): Promise<void> {
  const response = await fetch('/v1/events?follow=1');
  if (!response.ok || response.body === null) return answerOf(response);
  onOpen();
  const lines = new Lines();
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read())
    for (const line of lines.push(decoder.decode(piece.value, { stream: true })))
      onEvent(JSON.parse(line) as EventView);
}

export const messageOf = (failure: unknown): string =>
  failure instanceof Refusal
    ? failure.message
    : 'vinectl web does not answer: it was ended, or this machine was asleep';
