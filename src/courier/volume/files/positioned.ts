/** Reading and writing at a place, as often as the system wants to be asked. Callbacks: a promise of Node's costs more than a small write. */
import { fdatasync, read, write } from 'node:fs';

/** Answers how many bytes there were; fewer than asked for: the file ends. Rejects with the system's error. */
export function readAt(
  fd: number,
  into: Buffer,
  at: number,
  length: number,
  position: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    let done = 0;
    const next = (): void =>
      read(fd, into, at + done, length - done, position + done, (error, bytes) => {
        if (error !== null) return reject(error);
        done += bytes;
        if (bytes === 0 || done === length) resolve(done);
        else next();
      });
    next();
  });
}

/** Rejects with the system's error; how much was written is not known then. */
export function writeAt(fd: number, data: Uint8Array, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let done = 0;
    const next = (): void =>
      write(fd, data, done, data.length - done, position + done, (error, bytes) => {
        if (error !== null) return reject(error);
        done += bytes;
        if (done === data.length) resolve();
        else next();
      });
    next();
  });
}

export function syncData(fd: number): Promise<void> {
  return new Promise((resolve, reject) =>
    fdatasync(fd, (error) => (error === null ? resolve() : reject(error))),
  );
}
