/** Which boot of the machine this is: what a killed process had the kernel write is there as long as it is the same. */
import { readFile } from 'node:fs/promises';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';
/** A service that does not see the kernel's file is told so by its unit (`%b`). */
const VARIABLE = 'VINE_COURIER_BOOT';

/** 32 hexadecimal digits. Undefined: nobody says it. */
export async function machineBoot(): Promise<string | undefined> {
  const text = process.env[VARIABLE] ?? (await readFile(BOOT_ID, 'latin1').catch(() => ''));
  const id = text.trim().replaceAll('-', '').toLowerCase();
  return /^[0-9a-f]{32}$/.test(id) ? id : undefined;
}
