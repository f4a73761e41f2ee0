/** The Debian package, as a test installs it. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { projectRoot } from '../daemon.js';
import { runSync } from '../shell.js';

/** It compiles the addon anew. */
const packageLimitMs = 900_000;

/** Everything that the package is made of. */
const ingredients = [
  'bin',
  'build/Release',
  'config',
  'dist/src',
  'docs',
  'package-lock.json',
  'package.json',
]
  .concat('packaging', 'proto', 'scripts/package', 'CHANGELOG.md')
  .map((name) => join(projectRoot, name));

/** Builds it from this checkout unless it is newer than everything that it is made of. Answers the file's path. */
export function buildPackage(): string {
  const made = join(projectRoot, 'build/package');
  const [known] = existsSync(made) ? readdirSync(made).filter((name) => name.endsWith('.deb')) : [];
  if (known !== undefined) {
    const path = join(made, known);
    if (runSync(['find', ...ingredients, '-newer', path, '-print', '-quit']) === '') return path;
  }
  rmSync(made, { recursive: true, force: true });
  const lines = runSync([`${projectRoot}scripts/package`], undefined, packageLimitMs)
    .trim()
    .split('\n');
  const path = lines.at(-1);
  if (path === undefined || path === '') throw new Error('scripts/package names no file');
  return path;
}

/** The same content with a later version (`…-RELEASE`), in `directory`: what an upgrade is. Answers the file's path. */
export function laterPackage(path: string, directory: string, release = 99): string {
  const work = mkdtempSync(join(tmpdir(), 'vine-package-'));
  try {
    runSync(['dpkg-deb', '--raw-extract', path, work]);
    const control = join(work, 'DEBIAN', 'control');
    const text = readFileSync(control, 'utf8');
    writeFileSync(control, text.replace(/^Version: (.*)-\d+$/m, `Version: $1-${release}`));
    const later = join(directory, basename(path).replace(/-\d+_/, `-${release}_`));
    runSync(['dpkg-deb', '--root-owner-group', '-Znone', '--build', work, later]);
    return later;
  } finally {
    rmSync(work, { recursive: true });
  }
}
