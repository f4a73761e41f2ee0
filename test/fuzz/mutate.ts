/** Changes to good inputs. */
import type { Random } from './random.js';

const ODD_BYTES = [0, 1, 0x7f, 0x80, 0xff, 0x10, 0x20, 0x30, 0x45, 0x60];

/** Bits flipped, bytes overwritten, pieces cut out, doubled or put in, the end cut off or lengthened: one to six of it. */
export function mutated(original: Uint8Array, random: Random): Uint8Array {
  let bytes: Uint8Array = Uint8Array.from(original);
  for (let changes = random.below(6); changes >= 0; changes--) bytes = changed(bytes, random);
  return bytes;
}

function changed(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length + 1);
  const length = random.below(1 + Math.min(32, bytes.length - at));
  const [before, piece, after] = [
    bytes.subarray(0, at),
    bytes.subarray(at, at + length),
    bytes.subarray(at + length),
  ];
  switch (random.below(8)) {
    case 0:
      if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      return bytes;
    case 1:
    case 2:
      if (at < bytes.length) bytes[at] = random.chance(50) ? random.pick(ODD_BYTES) : random.word();
      return bytes;
    case 3:
      return joined(before, after);
    case 4:
      return joined(before, piece, piece, after);
    case 5:
      return joined(before, random.bytes(random.below(20)), after);
    case 6:
      return before.slice();
    default:
      return joined(
        bytes,
        random.chance(50) ? new Uint8Array(random.below(40)) : random.bytes(random.below(40)),
      );
  }
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}
