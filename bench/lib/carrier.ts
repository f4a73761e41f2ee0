/** What can carry the traffic between the two sites: the kernel, other projects' programs, and vined. */
import type { Topology } from './topology.js';

export interface Carrier {
  readonly name: string;
  readonly kind: 'kernel' | 'peer' | 'ours';
  /** For the table: what it encrypts with, and over what. */
  readonly detail: string;
  /** Program that must be there, and the Debian package that has it. */
  readonly needs?: { readonly program: string; readonly package: string };
  /** True when the routers' kernels forward between LAN and tunnel device. */
  readonly kernelForwards: boolean;
  /** Sets it up; settles when it is worth trying to ping. Answers the pids of the two routers' programs. */
  up(topology: Topology): Promise<readonly number[]>;
  /** Routers that know a third one, which can give them host routes (`startChurn`). */
  readonly churns?: boolean;
}
