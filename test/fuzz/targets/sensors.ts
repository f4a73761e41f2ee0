/** What a sensor sends: its greeting and messages, mutated, in pieces of any size; taken apart at once it must be the same. */
import assert from 'node:assert/strict';
import {
  introduction,
  readAcceptance,
  readGreeting,
  readIntroduction,
} from '../../../src/traffic/sensors/greeting.js';
import { SensorStream } from '../../../src/traffic/sensors/stream.js';
import { ipfix, RECORD_256, set, TEMPLATE_256 } from '../../unit/traffic/collect/vectors.js';
import { mutated } from '../mutate.js';
import type { Random } from '../random.js';
import type { Target } from '../target.js';

const TOKEN = new Uint8Array(32).fill(7);
const NONCE = new Uint8Array(16).fill(9);
const MESSAGES = [ipfix(0), ipfix(0, set(2, TEMPLATE_256), set(256, RECORD_256))] as const;

/** What it says: a line, then messages. */
function takenApart(pieces: readonly Uint8Array[]): string[] {
  const stream = new SensorStream();
  const found: string[] = [];
  let hasGreeted = false;
  for (const piece of pieces) {
    stream.push(piece);
    if (!hasGreeted) {
      const line = stream.line();
      if (line === undefined) continue;
      if (line === 'bad') return [...found, 'bad'];
      hasGreeted = true;
      found.push(line.text);
    }
    for (let message = stream.message(); message !== undefined; message = stream.message()) {
      if (message === 'bad') return [...found, 'bad'];
      found.push(Buffer.from(message).toString('hex'));
    }
  }
  return found;
}

function inPieces(bytes: Uint8Array, random: Random): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random.below(random.chance(50) ? 4 : 200);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

function work(random: Random): string {
  const line = Buffer.from(`${introduction(TOKEN, NONCE, `host-${random.below(9)}`)}\n`);
  const head = random.chance(70) ? line : random.chance(5) ? Buffer.alloc(9_000, 'a') : mutated(line, random);
  const body = Buffer.concat(Array.from({ length: random.below(4) }, () => random.pick(MESSAGES)));
  const sent = Buffer.concat([head, random.chance(50) ? body : mutated(body, random)]);
  const whole = takenApart([sent]);
  assert.deepEqual(takenApart(inPieces(sent, random)), whole);
  const [said, ...messages] = whole;
  if (said === undefined) return 'not whole';
  if (said === 'bad') return 'no line';
  const name = readIntroduction(TOKEN, NONCE, said);
  assert.ok(name === undefined || said === introduction(TOKEN, NONCE, name));
  // The same bytes are nothing that the other side says.
  assert.equal(readGreeting(said), undefined);
  assert.equal(readAcceptance(said), undefined);
  if (name === undefined) return 'refused';
  return messages.at(-1) === 'bad' ? 'no message' : 'accepted';
}

export const sensors: Target = {
  name: 'sensors',
  outcomes: ['accepted', 'refused', 'not whole', 'no line', 'no message'],
  open: () => work,
};
