/** Plays the service manager: listens where `NOTIFY_SOCKET` points, and keeps what it is told. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { projectRoot } from '../daemon.js';
import { waitFor } from '../wait.js';

export interface Notice {
  /** Unix milliseconds. */
  readonly atMs: number;
  /** One assignment: `READY=1`, `STATUS=…` */
  readonly text: string;
}

export class NotifyListener {
  readonly notices: Notice[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  #listening = false;

  private constructor(path: string) {
    this.#child = spawn('python3', [`${projectRoot}test/lab/service/notify-listener.py`, path]);
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      if (line === 'listening') this.#listening = true;
      else {
        const gap = line.indexOf(' ');
        this.notices.push({ atMs: Number(line.slice(0, gap)), text: line.slice(gap + 1) });
      }
    });
  }

  /** Resolves when the socket is there. */
  static async at(path: string): Promise<NotifyListener> {
    const listener = new NotifyListener(path);
    try {
      await waitFor(`something listens on ${path}`, () => listener.#listening);
    } catch (error) {
      listener.close();
      throw error;
    }
    return listener;
  }

  has(text: string): boolean {
    return this.notices.some((notice) => notice.text === text);
  }

  count(text: string): number {
    return this.notices.filter((notice) => notice.text === text).length;
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}
