/** What the addon's counter of pairs says of frames, the slow way: to compare it with, and in its place where there is no network. */
import { COUNTED_PAIR_BYTES, MOST_COUNTED_PAIRS, type PairCounts } from '../../src/dataplane/pair-counter.js';
import { readFrame } from '../../src/traffic/collect/packet-start.js';

interface Sum {
  readonly family: 4 | 6;
  readonly source: readonly number[];
  readonly destination: readonly number[];
  packets: number;
  bytes: number;
}

export function countPairs(frames: readonly Uint8Array[]): PairCounts {
  const sums = new Map<string, Sum>();
  let restBytes = 0;
  for (const frame of frames) {
    const found = readFrame(frame);
    if (found === undefined || found === 'not-ip') continue;
    const { source, destination, bytes } = found;
    const key = `${source} ${destination}`;
    let sum = sums.get(key);
    if (sum === undefined && sums.size === MOST_COUNTED_PAIRS) {
      restBytes += bytes;
      continue;
    }
    if (sum === undefined) {
      const { family } = source;
      sum = { family, source: source.words, destination: destination.words, packets: 0, bytes: 0 };
      sums.set(key, sum);
    }
    sum.packets++;
    sum.bytes += bytes;
  }
  return { pairs: written([...sums.values()]), frames: frames.length, restBytes };
}

function written(sums: readonly Sum[]): ArrayBuffer {
  const pairs = new ArrayBuffer(sums.length * COUNTED_PAIR_BYTES);
  const [view, doubles] = [new DataView(pairs), new Float64Array(pairs)];
  for (const [i, { family, source, destination, packets, bytes }] of sums.entries()) {
    const at = i * COUNTED_PAIR_BYTES;
    for (const [offset, words] of [
      [0, source],
      [16, destination],
    ] as const)
      (family === 4 ? words.slice(3) : words).forEach((word, j) => {
        view.setUint32(at + offset + 4 * j, word);
      });
    doubles.set([packets, bytes, family], at / 8 + 4);
  }
  return pairs;
}
