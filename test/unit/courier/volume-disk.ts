/** The system's calls for files, with a test in their way: disks that fail, and take their time. */
import fs from 'node:fs';
import fsPromises, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import type { TestContext } from 'node:test';

/** Answers how what was there is put back. */
function instead<Of extends object>(
  t: TestContext,
  of: Of,
  calls: Partial<Record<keyof Of, object>>,
): () => void {
  const before = Object.fromEntries(Object.keys(calls).map((name) => [name, of[name as keyof Of]]));
  const set = (are: object): void => {
    Object.assign(of, are);
    syncBuiltinESMExports();
  };
  const restore = (): void => set(before);
  set(calls);
  t.after(restore);
  return restore;
}

/** From now on `way` stands before the system's fdatasync. Answers how it is let through again. */
export function beforeSyncs(
  t: TestContext,
  way: (sync: () => void, done: fs.NoParamCallback) => void,
): () => void {
  const { fdatasync } = fs;
  const call = (fd: number, done: fs.NoParamCallback): void => way(() => fdatasync(fd, done), done);
  return instead(t, fs, { fdatasync: call });
}

/** The next one, as the system says it: once. */
export function failingSyncs(t: TestContext): void {
  let isOver = false;
  beforeSyncs(t, (sync, done) => {
    if (isOver) return sync();
    isOver = true;
    done(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }));
  });
}

/** Before writes at a place. */
export function beforeWrites(t: TestContext, way: (position: number, write: () => void) => void): () => void {
  const { write } = fs;
  const call = (
    ...[fd, data, at, length, position, done]: [number, Buffer, number, number, number, () => void]
  ): void => way(position, () => write(fd, data, at, length, position, done));
  return instead(t, fs, { write: call });
}

/** Before the opening of files by promises. */
export function beforeOpens(
  t: TestContext,
  way: (path: string, opens: () => Promise<FileHandle>) => Promise<FileHandle>,
): () => void {
  const { open } = fsPromises;
  const call = (path: string, ...more: [string, number]): Promise<FileHandle> =>
    way(path, () => open(path, ...more));
  return instead(t, fsPromises, { open: call });
}
