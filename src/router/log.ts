/** Logs: pino, JSON lines on stderr (journald keeps them); one event, one line, a stable `event` name and fields. */
import { type DestinationStream, destination, type Logger, pino } from 'pino';
import type { LogLevel } from '../tables/model.js';

export interface Log {
  readonly logger: Logger;
  /** Writes out what is buffered; call before the process ends. */
  flush(): void;
}

export function createLog(id: string, level: LogLevel): Log {
  const stream = destination({ fd: 2, sync: true });
  const logger = pino(
    {
      level,
      base: { router: id },
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream satisfies DestinationStream,
  );
  return { logger, flush: () => stream.flushSync() };
}

/** pino fields: value types become their text. */
export function toLogFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
