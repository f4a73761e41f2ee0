/** The Debian package, as a test installs it. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { projectRoot } from '../daemon.js';
import { runSync } from '../shell.js';

export const PACKAGE_LIMIT_MS = 300_000;
/** In the package. */
const home = 'usr/lib/vine-router';

/**
 * Builds it from this checkout unless it is newer than everything that it is made of. Answers the file's path. One at a time:
 * two tests that run beside each other want the same file.
 */
export function buildPackage(): string {
  const program = new URL('./make-package.js', import.meta.url).pathname;
  const lock = join(projectRoot, 'build/package.lock');
  return runSync(['flock', lock, process.execPath, program], undefined, 2 * PACKAGE_LIMIT_MS).trim();
}

/** The same content with a later version (`…-RELEASE`), in `directory`: what an upgrade is. Answers the file's path. */
export function laterPackage(path: string, directory: string, release = 99): string {
  return changedPackage(path, directory, release, () => undefined);
}

/**
 * The same as it was packaged before it had a runtime of its own, with an earlier version (`…-0`): it depends on the package
 * nodejs of this process's version, and is compiled for that. Answers the file's path.
 */
export function packageWithoutRuntime(path: string, directory: string): string {
  return changedPackage(path, directory, 0, (work) => {
    const major = Number(process.versions.node.split('.')[0]);
    const control = join(work, 'DEBIAN', 'control');
    const depends = `Depends: nodejs (>= ${major}), nodejs (<< ${major + 1}~), `;
    writeFileSync(control, readFileSync(control, 'utf8').replace('Depends: ', depends));
    for (const name of ['bin/node', 'LICENSE.node', 'build'])
      rmSync(join(work, home, name), { recursive: true });
    for (const name of ['vined', 'vinectl'])
      copyFileSync(join(projectRoot, 'bin', name), join(work, home, 'bin', name));
    const compiled = `build/abi-${process.versions.modules}`;
    mkdirSync(join(work, home, compiled), { recursive: true });
    copyFileSync(
      join(projectRoot, compiled, 'vine_native.node'),
      join(work, home, compiled, 'vine_native.node'),
    );
  });
}

/** This process's Node as the Debian package nodejs, in `directory`. Answers the file's path. */
export function nodePackage(directory: string): string {
  const work = mkdtempSync(join(tmpdir(), 'node-package-'));
  try {
    mkdirSync(join(work, 'usr/bin'), { recursive: true });
    mkdirSync(join(work, 'DEBIAN'));
    copyFileSync(process.execPath, join(work, 'usr/bin/node'));
    const lines = [
      'Package: nodejs',
      `Version: ${process.versions.node}-0local`,
      `Architecture: ${runSync(['dpkg', '--print-architecture']).trim()}`,
      'Maintainer: nobody <nobody@invalid>',
      'Description: the Node.js of the machine that this was made on',
    ];
    writeFileSync(join(work, 'DEBIAN/control'), `${lines.join('\n')}\n`);
    const file = join(directory, 'nodejs.deb');
    runSync(['dpkg-deb', '--root-owner-group', '-Znone', '--build', work, file]);
    return file;
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** Unpacked, changed, given another release, and packed again, in `directory`. */
function changedPackage(
  path: string,
  directory: string,
  release: number,
  change: (work: string) => void,
): string {
  const work = mkdtempSync(join(tmpdir(), 'vine-package-'));
  try {
    runSync(['dpkg-deb', '--raw-extract', path, work]);
    const control = join(work, 'DEBIAN', 'control');
    const text = readFileSync(control, 'utf8');
    writeFileSync(control, text.replace(/^Version: (.*)-\d+$/m, `Version: $1-${release}`));
    change(work);
    const changed = join(directory, basename(path).replace(/-\d+_/, `-${release}_`));
    runSync(['dpkg-deb', '--root-owner-group', '-Znone', '--build', work, changed]);
    return changed;
  } finally {
    rmSync(work, { recursive: true });
  }
}
