/**
 * Where a peer's programs are: on PATH, or in a folder into which packages were unpacked (scripts/peers). So a peer of
 * another version runs beside the installed one, in the same run.
 */
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { projectRoot } from '../../test/lab/daemon.js';

/** In an unpacked Debian package, and in a folder of nothing but programs. */
const PLACES = ['usr/bin', 'usr/sbin', 'bin', 'sbin', '.'];
const FETCHED = `${projectRoot}build/peers`;

export interface Programs {
  /** The name that peers from here have after an "@"; undefined of PATH. */
  readonly origin: string | undefined;
  /** The file to start; undefined where it is not. */
  find(program: string): string | undefined;
  /** Of a Debian package; undefined when nothing tells. */
  version(debianPackage: string): string | undefined;
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

const firstIn = (directories: readonly string[], program: string): string | undefined =>
  directories.map((directory) => join(directory, program)).find(isProgram);

export const ON_PATH: Programs = {
  origin: undefined,
  find: (program) => firstIn(`${process.env.PATH ?? ''}:/usr/sbin:/sbin`.split(':').filter(Boolean), program),
  version: () => undefined,
};

/** `PACKAGE VERSION` lines, as scripts/peers writes them. */
export function parseVersions(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const [, name, version] = /^(\S+) (\S+)$/.exec(line) ?? [];
      return name === undefined || version === undefined ? [] : [[name, version] as const];
    }),
  );
}

/** A folder's programs; what is not there (tools that several peers share) is taken from PATH. */
export class Folder implements Programs {
  readonly origin: string;
  readonly #versions: ReadonlyMap<string, string>;

  constructor(readonly path: string) {
    this.origin = basename(path);
    const file = join(path, 'versions');
    this.#versions = existsSync(file) ? parseVersions(readFileSync(file, 'utf8')) : new Map();
  }

  has(program: string): boolean {
    return this.#own(program) !== undefined;
  }

  find(program: string): string | undefined {
    return this.#own(program) ?? ON_PATH.find(program);
  }

  version(debianPackage: string): string | undefined {
    return this.#versions.get(debianPackage);
  }

  #own(program: string): string | undefined {
    return firstIn(
      PLACES.map((place) => join(this.path, place)),
      program,
    );
  }
}

/**
 * @param asked folders with ":" between them; undefined: those that scripts/peers has fetched
 * Throws when one is no folder, or when two would give their peers the same name.
 */
export function peerFolders(asked: string | undefined): readonly Folder[] {
  const paths = asked === undefined ? fetched() : asked.split(':').filter((path) => path !== '');
  const folders = paths.map((path) => new Folder(resolve(path)));
  for (const { path, origin } of folders) {
    if (!existsSync(path) || !statSync(path).isDirectory()) throw new Error(`--peer-path: no folder ${path}`);
    if (!/^[\w.-]+$/.test(origin))
      throw new Error(
        `--peer-path: "${origin}" cannot be part of a peer's name: letters, digits, ".", "-", "_"`,
      );
    if (folders.filter((other) => other.origin === origin).length > 1)
      throw new Error(`--peer-path: two folders are named "${origin}"`);
  }
  return folders;
}

function fetched(): string[] {
  return existsSync(FETCHED)
    ? readdirSync(FETCHED)
        .sort()
        .map((name) => join(FETCHED, name))
    : [];
}

/** `wireguard-go` of `wireguard-go@trixie`. */
export const withoutOrigin = (name: string): string => name.split('@')[0] ?? name;
