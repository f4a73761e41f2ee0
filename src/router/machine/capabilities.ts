/** What this process may do (capabilities(7)): asked before the first socket is opened, for a message that helps. */
import { readFileSync } from 'node:fs';

/** Bit numbers of linux/capability.h. */
const CAPABILITIES = { CAP_NET_ADMIN: 12, CAP_NET_RAW: 13 } as const;
export type Capability = keyof typeof CAPABILITIES;

/** @param status the text of /proc/PID/status @returns whether the capability is in the effective set */
export function hasCapability(status: string, capability: Capability): boolean {
  const hex = /^CapEff:\s*([0-9a-fA-F]{1,16})$/m.exec(status)?.[1];
  return hex !== undefined && ((BigInt(`0x${hex}`) >> BigInt(CAPABILITIES[capability])) & 1n) === 1n;
}

export interface Privileges {
  /** The router cannot start; undefined when it can. */
  readonly problem: string | undefined;
  /** What will work less well. */
  readonly warnings: readonly string[];
}

const REMEDY = 'run it under systemd (the unit gives it what it needs), as root, or with setpriv';

export function checkPrivileges(status = readFileSync('/proc/self/status', 'utf8')): Privileges {
  if (!hasCapability(status, 'CAP_NET_RAW')) {
    return {
      problem: `CAP_NET_RAW is missing, without which no LAN port can be opened: ${REMEDY}`,
      warnings: [],
    };
  }
  const warnings = hasCapability(status, 'CAP_NET_ADMIN')
    ? []
    : [
        `CAP_NET_ADMIN is missing: socket buffers stay small and the kernel is not kept off the overlay's packets`,
      ];
  return { problem: undefined, warnings };
}
