/** Replaces a file without blocking: after a crash at any moment it is the old one or the new one, whole. */
import { constants } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';

export interface ReplacedFile {
  readonly directory: string;
  readonly name: string;
  /** In the same directory, and nobody else's. */
  readonly temporary: string;
  readonly mode: number;
}

/** Parts are made one at a time, each when the one before is written. @param isLast asked before the file is replaced */
export async function replaceFileBeside(
  { directory, name, temporary: temporaryName, mode }: ReplacedFile,
  parts: Iterable<string | Uint8Array>,
  isLast: () => boolean = () => true,
): Promise<void> {
  const temporary = join(directory, temporaryName);
  const file = await open(temporary, 'w', mode);
  try {
    for (const part of parts) await file.writeFile(part);
    await file.sync();
  } finally {
    await file.close();
  }
  if (!isLast()) return;
  await rename(temporary, join(directory, name));
  const parent = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await parent.sync(); // the new name itself
  } finally {
    await parent.close();
  }
}
