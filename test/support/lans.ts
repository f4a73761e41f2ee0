import type { Mac } from '../../src/net/mac.js';
import { type Lan, Lans } from '../../src/tables/lan.js';

/** LANs of which only what is given matters. */
export function lansOf(lans: readonly (Pick<Lan, 'index' | 'vnet' | 'addresses'> & Partial<Lan>)[]): Lans {
  return new Lans(
    lans.map((lan) => ({ interface: `lan${lan.index}`, mac: (0x020000000100 + lan.index) as Mac, ...lan })),
  );
}
