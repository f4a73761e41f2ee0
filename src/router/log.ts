/**
 * Logs: pino, JSON lines; one event, one line, a stable `event` name and fields. They go to stderr, which journald keeps; to
 * it each line begins with its level as sd-daemon(3) has it, which the journal takes away and knows the line by.
 */
import { fstatSync } from 'node:fs';
import { type Logger, pino, symbols } from 'pino';
import type { LogLevel } from '../tables/model.js';
import type { LogStream } from './log-stream.js';

type Lines = Pick<LogStream, 'write'>;

/** syslog(3)'s levels by pino's, for `journalctl --priority`. */
const PRIORITIES: Readonly<Record<number, number>> = { 10: 7, 20: 7, 30: 6, 40: 4, 50: 3, 60: 2 };
const INFO = 6;
export const ERROR = 3;

export function createLog(id: string, level: LogLevel, stream: Lines, toJournal = false): Logger {
  return pino(
    {
      level,
      base: { router: id },
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    toJournal ? new JournalLines(stream) : stream,
  );
}

/** Puts the level before each line. */
class JournalLines {
  /** Asks pino to set `lastLevel` before each line. */
  readonly [symbols.needsMetadataGsym] = true;
  lastLevel = 0;
  readonly #stream: Lines;

  constructor(stream: Lines) {
    this.#stream = stream;
  }

  write(line: string): void {
    this.#stream.write(journalLine(PRIORITIES[this.lastLevel] ?? INFO, line));
  }
}

export const journalLine = (priority: number, line: string): string => `<${priority}>${line}`;

/** Is the descriptor a connection to the journal? `JOURNAL_STREAM` has its device and inode then (systemd.exec(5)). */
export function isJournal(fd: number, environment: NodeJS.ProcessEnv): boolean {
  const told = environment.JOURNAL_STREAM;
  if (told === undefined) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return told === `${dev}:${ino}`;
  } catch {
    return false; // it is closed
  }
}
