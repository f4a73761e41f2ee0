/** What the cross checks share. */
import type { Ip } from '../../net/ip.js';
import type { Prefix } from '../../net/prefix.js';
import type { ConfigError } from './error.js';
import { didYouMean, listed, quoted } from './suggest.js';

/** Collects the errors of one file. */
export class ErrorList {
  readonly file: string;
  readonly errors: ConfigError[] = [];

  constructor(file: string) {
    this.file = file;
  }

  add(path: string, message: string): void {
    this.errors.push({ file: this.file, path, message });
  }

  /** A name that must be one of `names`; `where` says where those stand. */
  reference(path: string, name: string, what: string, names: readonly string[], where: string): void {
    if (names.includes(name)) return;
    this.add(
      path,
      `${quoted(name)} is not a ${what} in ${where}${didYouMean(name, names)}; there ${are(names)}`,
    );
  }
}

function are(names: readonly string[]): string {
  if (names.length === 0) return 'is none';
  return names.length === 1 ? `is only ${names[0]}` : `are ${listed(names)}`;
}

/** Why an address inside the prefix can be no machine's. */
export function machineAddressProblem(ip: Ip, prefix: Prefix): string | undefined {
  if (prefix.family === 6 || prefix.length >= 31) return undefined; // RFC 3021: a /31 has no broadcast address
  const offset = ip.words[3] - prefix.address.words[3];
  if (offset === 0) return `${ip} is the address of the network ${prefix} itself; expected a machine's`;
  if (offset === prefix.size - 1) return `${ip} is the broadcast address of ${prefix}; expected a machine's`;
  return undefined;
}

/** Every item whose key an earlier one has: its position and the first one's. */
export function repeats<T>(
  items: readonly T[],
  keyOf: (item: T) => string | number,
): { item: T; index: number; first: number }[] {
  const firsts = new Map<string | number, number>();
  const found: { item: T; index: number; first: number }[] = [];
  for (const [index, item] of items.entries()) {
    const first = firsts.get(keyOf(item));
    if (first === undefined) firsts.set(keyOf(item), index);
    else found.push({ item, index, first });
  }
  return found;
}
