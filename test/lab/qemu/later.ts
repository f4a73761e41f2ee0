/** Debian 13's QEMU (10.x), as scripts/qemu-later has unpacked it: with its own libraries, beside the machine's own. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../daemon.js';

const root = join(projectRoot, 'build/qemu/trixie');

/** Why it cannot be run here; undefined: it can. */
export function missingLaterQemu(): string | undefined {
  return existsSync(join(root, 'usr/bin/qemu-system-x86_64'))
    ? undefined
    : 'no QEMU 10: run scripts/qemu-later';
}

/** The program with its first arguments. */
export function laterQemu(): readonly string[] {
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu');
  const loader = [join(root, 'lib64/ld-linux-x86-64.so.2'), '--library-path', libraries];
  const firmware = ['-L', join(root, 'usr/share/qemu'), '-L', join(root, 'usr/share/seabios')];
  return [...loader, join(root, 'usr/bin/qemu-system-x86_64'), ...firmware];
}
