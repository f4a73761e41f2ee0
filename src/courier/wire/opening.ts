/** What the caller says of a stream before it comes, and the listener's answer: JSON, each field in its range. */
import { z } from 'zod';
import { NAME } from '../../net/name.js';
import { frameOf } from './frame.js';
import { decodeJson } from './json.js';
import { MOST_MACS } from './limits.js';

const NAMED = z.string().regex(NAME);
const STORE = z.string().regex(/^[0-9a-f]{32}$/);

const OPENING = z.strictObject({
  job: z.string().regex(/^[0-9a-f]{16}$/),
  /** A name that the listener's configuration has. */
  destination: NAMED,
  /** Whose pages they are; empty: all couriers' owners share theirs. */
  owner: z.union([z.literal(''), NAMED]),
  store: STORE,
  /** What the stream's first bytes say. */
  speaker: z.enum(['qemu', 'multifd', 'tls', 'unknown']),
  /** The guest's, as far as they are known. */
  macs: z.array(z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/)).max(MOST_MACS),
});

const OPENED = z.union([z.strictObject({ store: STORE }), z.strictObject({ refused: z.string().max(512) })]);

export type Opening = z.infer<typeof OPENING>;
export type Opened = z.infer<typeof OPENED>;

export function encodeOpening(name: 'open', opening: Opening): Buffer;
export function encodeOpening(name: 'opened', opened: Opened): Buffer;
export function encodeOpening(name: 'open' | 'opened', content: Opening | Opened): Buffer {
  return frameOf(name, Buffer.from(JSON.stringify(content)));
}

export function decodeOpening(payload: Buffer): Opening | string {
  return decodeJson(OPENING, payload, 'opening');
}

export function decodeOpened(payload: Buffer): Opened | string {
  return decodeJson(OPENED, payload, 'opening');
}
