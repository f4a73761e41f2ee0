/** Logs: pino, JSON lines on stderr (journald keeps them); one event, one line, a stable `event` name and fields. */
import { type Logger, pino } from 'pino';
import type { LogLevel } from '../tables/model.js';
import type { LogStream } from './log-stream.js';

export function createLog(id: string, level: LogLevel, stream: LogStream): Logger {
  return pino(
    {
      level,
      base: { router: id },
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
}
