/** Two sites with a WAN between them, whose bytes are counted. */

import { SITES } from '../../test/e2e/courier-support.js';
import { Lab } from '../../test/lab/lab.js';

export const WAN = { delayMs: 20, rateMbit: 100 };
/** 10^6 bytes a second. */
export const WAN_MB_PER_SECOND = WAN.rateMbit / 8;

export async function withSites<Value>(body: (lab: Lab) => Promise<Value>): Promise<Value> {
  const lab = await Lab.up({ topology: 'two-site' });
  try {
    await lab.wan(WAN);
    return await body(lab);
  } finally {
    await lab.down();
  }
}

/** What site a's host has sent and received, in all: nothing else is on its link but what is measured. */
export async function wanBytes(lab: Lab): Promise<number> {
  const text = await lab.exec(SITES.a.host, ['cat', '/proc/net/dev']);
  let sum = 0;
  for (const line of text.split('\n')) {
    const [, name, numbers] = /^\s*([^:]+):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || name === 'lo') continue;
    const fields = numbers?.trim().split(/\s+/).map(Number) ?? [];
    sum += (fields[0] ?? 0) + (fields[8] ?? 0);
  }
  return sum;
}
