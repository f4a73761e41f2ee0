/** Signed documents, as a peer or a disk gives them: descriptions and successions of keys, whole, mutated and cut. */
import assert from 'node:assert/strict';
import { readDescription } from '../../../src/membership/description.js';
import { joinDocument } from '../../../src/membership/document.js';
import { publicKeyOf, sign } from '../../../src/membership/signature.js';
import { readSuccessions, signSuccession, successionDocument } from '../../../src/membership/succession.js';
import { mutated } from '../mutate.js';
import type { Random } from '../random.js';
import type { Target } from '../target.js';

const seed = (n: number): Uint8Array => new Uint8Array(32).fill(n);
const KEY = publicKeyOf(seed(1));
const CONTENT = Buffer.from('{"version": 3, "vnets": []}');
const DESCRIPTION = joinDocument({ signature: sign('description', CONTENT, seed(1)), content: CONTENT });
const SUCCESSION = successionDocument([
  signSuccession(seed(1), publicKeyOf(seed(2)), 1_000),
  signSuccession(seed(2), publicKeyOf(seed(3)), 2_000),
]);

function work(random: Random): string {
  const isDescription = random.chance(50);
  const good = isDescription ? DESCRIPTION : SUCCESSION;
  const bytes = random.chance(10) ? good : mutated(good, random);
  const isGood = Buffer.compare(bytes, good) === 0;
  if (isDescription) {
    const read = readDescription(bytes, [KEY]);
    // Nothing but what was signed is taken.
    assert.equal(typeof read !== 'string', isGood);
    return typeof read === 'string' ? 'description refused' : 'description taken';
  }
  const chain = readSuccessions(bytes);
  if (typeof chain === 'string') return 'succession refused';
  assert.ok(chain.length <= 2);
  assert.deepEqual(Buffer.from(successionDocument(chain)), Buffer.from(bytes));
  return isGood ? 'succession taken' : 'succession cut at a line';
}

export const documents: Target = {
  name: 'documents',
  outcomes: ['description refused', 'description taken', 'succession refused', 'succession taken'],
  open: () => work,
};
