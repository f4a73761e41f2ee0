/** Puts a description into an etcd, unless what is there is as new: an older version never replaces a newer one. */
import { readDescription, versionOf } from '../description.js';
import { splitDocument } from '../document.js';
import { type EtcdFailure, isFailure, type RangeAnswer } from './messages.js';

/** Others may be writing too. */
const MOST_TRIES = 5;

export interface SwapPort {
  range(): Promise<RangeAnswer | EtcdFailure>;
  /** Whether it was written: the key was last written at that revision (0: there was none). */
  swap(modRevision: bigint, document: Uint8Array): Promise<boolean | EtcdFailure>;
}

export type SwapOutcome =
  /** `before`: the version that was there; undefined: there was none, or something that is no description. */
  | {
      readonly is: 'written' | 'there-already';
      readonly version: number;
      readonly before: number | undefined;
    }
  | { readonly is: 'refused'; readonly reason: string }
  | { readonly is: 'failed'; readonly failure: EtcdFailure };

/** @param keys of the network; the document is not written if none of them has signed it */
export async function swapIn(
  port: SwapPort,
  document: Uint8Array,
  keys: readonly Uint8Array[],
): Promise<SwapOutcome> {
  const description = readDescription(document, keys);
  if (typeof description === 'string') return { is: 'refused', reason: description };
  const { version } = description;
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const found = await port.range();
    if (isFailure(found)) return { is: 'failed', failure: found };
    const there = found.stored?.value;
    const before = there && versionIn(there);
    if (there !== undefined && Buffer.compare(there, document) === 0)
      return { is: 'there-already', version, before };
    if (before !== undefined && before >= version) return { is: 'refused', reason: newer(version, before) };
    const written = await port.swap(found.stored?.modRevision ?? 0n, document);
    if (typeof written !== 'boolean') return { is: 'failed', failure: written };
    if (written) return { is: 'written', version, before };
  }
  return { is: 'refused', reason: 'somebody else writes the same key all the time; try again' };
}

/**
 * Whoever has signed it: a key that is not known here yet may be a newer one, and what a stranger has put there is for a
 * person to look at.
 */
function versionIn(document: Uint8Array): number | undefined {
  const parts = splitDocument(document);
  return parts && versionOf(Buffer.from(parts.content).toString('utf8'));
}

function newer(version: number, before: number): string {
  const what = before === version ? 'another content of the same version' : `version ${before}`;
  return `it is version ${version}, and etcd has ${what}: sign it again, which gives it a higher version (if what etcd has is not of this network, delete the key there)`;
}
