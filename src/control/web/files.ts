/** The page as scripts/setup has bundled it: a few files, kept in memory. */
import { readFileSync } from 'node:fs';

export interface PageFile {
  readonly type: string;
  readonly bytes: Uint8Array;
}

const FILES: readonly (readonly [path: string, name: string, type: string])[] = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/page.js', 'page.js', 'text/javascript; charset=utf-8'],
  ['/page.css', 'page.css', 'text/css; charset=utf-8'],
  ['/icon.svg', 'icon.svg', 'image/svg+xml'],
];

/** Where the bundle is, beside what is compiled. */
export const PAGE_DIRECTORY = new URL('./page/', import.meta.url);

/** By path. Undefined: it was not bundled. */
export function readPage(directory: URL): ReadonlyMap<string, PageFile> | undefined {
  try {
    return new Map(
      FILES.map(([path, name, type]) => [path, { type, bytes: readFileSync(new URL(name, directory)) }]),
    );
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
