/** Waiting for a condition, never for a duration. */

const pollMs = 20;
/** On a machine that others use too: what is right comes long before. */
const generousMs = 30_000;

/**
 * Calls `condition` every 20 ms until it answers something other than undefined or false, and answers that. Rejects
 * after `limitMs` with what was waited for and, if the condition threw last, why.
 */
export async function waitFor<T>(
  what: string,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  limitMs = generousMs,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value !== undefined && value !== false) return value;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > deadline)
      throw new Error(
        `not within ${limitMs} ms: ${what}`,
        lastError === undefined ? {} : { cause: lastError },
      );
    await pause(pollMs);
  }
}

/** What the promise brings; rejects when that takes longer. */
export async function within<T>(what: string, promise: Promise<T>, limitMs = generousMs): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${limitMs} ms: ${what}`)), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
