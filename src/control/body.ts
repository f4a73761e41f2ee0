/** Request bodies: JSON, of bounded length. */
import type { IncomingMessage } from 'node:http';

export const MAX_BODY_BYTES = 64 * 1024;

/** No body at all counts as JSON with the value `undefined`: some calls need none. */
export type Body =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'malformed' | 'too-long' | 'cut' };

/** Reads to the end, or to the limit. Never rejects; `cut` means that the client went away. */
export function readBody(request: IncomingMessage, mostBytes = MAX_BODY_BYTES): Promise<Body> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= mostBytes) chunks.push(chunk);
      else resolve({ kind: 'too-long' });
    });
    request.on('end', () => resolve(parse(Buffer.concat(chunks))));
    request.on('error', () => resolve({ kind: 'cut' }));
    request.on('close', () => resolve({ kind: 'cut' }));
  });
}

function parse(bytes: Buffer): Body {
  if (bytes.length === 0) return { kind: 'json', value: undefined };
  try {
    return { kind: 'json', value: JSON.parse(bytes.toString('utf8')) };
  } catch {
    return { kind: 'malformed' };
  }
}
