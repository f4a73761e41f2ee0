/** One HTTP call at a Unix socket, for programs that ask a process of this machine. */
import { request } from 'node:http';

export interface UnixCall {
  readonly socketPath: string;
  readonly path: string;
  readonly method?: 'GET' | 'POST';
  /** The media type that is asked for. */
  readonly accept?: string;
  readonly body?: string;
  /** So long nothing may come. */
  readonly timeoutMs: number;
}

export interface UnixAnswer {
  readonly status: number;
  readonly text: string;
}

/** Rejects with the system's error, or one with the code `ETIMEDOUT`. */
export function callUnix(call: UnixCall): Promise<UnixAnswer> {
  const { socketPath, path, method = 'GET', accept = 'application/json', body, timeoutMs } = call;
  return new Promise((resolve, reject) => {
    const headers = { accept };
    const asked = request(
      { ...{ socketPath, path, method, headers }, timeout: timeoutMs, agent: false },
      (reply) => {
        let text = '';
        reply.setEncoding('utf8');
        reply.on('data', (piece: string) => {
          text += piece;
        });
        reply.on('end', () => resolve({ status: reply.statusCode ?? 0, text }));
        reply.on('error', reject);
      },
    );
    asked.on('timeout', () => asked.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })));
    asked.on('error', reject);
    asked.end(body);
  });
}
