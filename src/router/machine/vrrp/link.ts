/**
 * Whether an interface takes IPv4 or IPv6 now. The kernel takes frames for "all hosts" (224.0.0.1, ff02::1) exactly as long as
 * it is up with that family. Read from the lists of this process's network namespace, which /sys does not show.
 */
import { readFileSync } from 'node:fs';
import type { Family } from '../../../net/ip.js';

export type Link =
  /** `index` is another when the interface was made anew. */
  { readonly is: 'up'; readonly index: number } | { readonly is: 'down' | 'gone'; readonly why: string };

/** The MAC of "all hosts" as /proc writes it. */
const ALL_HOSTS: { readonly [family in Family]: string } = { 4: '01005e000001', 6: '333300000001' };

/** @param read a file below /proc/self/net; other than the kernel's only in tests */
export function linkOf(name: string, family: Family, read = readList): Link {
  for (const line of read('dev_mcast').split('\n')) {
    // index, interface, users, of these global, MAC
    const [index, of, , , mac] = line.trim().split(/\s+/);
    if (of === name && mac === ALL_HOSTS[family]) return { is: 'up', index: Number(index) };
  }
  const isThere = read('dev')
    .split('\n')
    .some((line) => line.trim().startsWith(`${name}:`));
  if (!isThere) return { is: 'gone', why: `interface ${name} does not exist` };
  return { is: 'down', why: `interface ${name} is down, or has no IPv${family}` };
}

function readList(file: string): string {
  return readFileSync(`/proc/self/net/${file}`, 'latin1');
}
