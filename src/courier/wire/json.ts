/** JSON from the other courier: each field in its range, or what is wrong with it. */
import type { z } from 'zod';

/** @param what it is, for people */
export function decodeJson<Value>(schema: z.ZodType<Value>, payload: Buffer, what: string): Value | string {
  let content: unknown;
  try {
    content = JSON.parse(payload.toString());
  } catch {
    return 'not JSON';
  }
  const read = schema.safeParse(content);
  return read.success ? read.data : `${what}: ${read.error.issues[0]?.path.join('.') || 'not as expected'}`;
}
