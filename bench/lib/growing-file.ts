/** A file that a program goes on writing, read from a place on. */
import { closeSync, openSync, readSync, statSync } from 'node:fs';

/** A place in it, for `linesSince`. It may be within a line: programs write when their buffer is full. */
export function placeIn(path: string): number {
  return statSync(path).size;
}

/** The whole lines that began at that place or later; the last may be half written. */
export function linesSince(path: string, place: number): string {
  const from = Math.max(0, place - 1);
  const bytes = Buffer.alloc(Math.max(0, statSync(path).size - from));
  const file = openSync(path, 'r');
  const read = readSync(file, bytes, 0, bytes.length, from);
  closeSync(file);
  const text = bytes.toString('latin1', 0, read);
  if (place === 0) return text;
  const end = text.indexOf('\n');
  return end < 0 ? '' : text.slice(end + 1);
}
