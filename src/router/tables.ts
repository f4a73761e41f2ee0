import type { Directory } from '../tables/directory.js';
import type { Gndt } from '../tables/gndt.js';
import type { Hwdt } from '../tables/hwdt.js';
import type { Lndt } from '../tables/lndt.js';

/** The tables that all parts work on. */
export interface Tables {
  readonly gndt: Gndt;
  readonly lndt: Lndt;
  readonly hwdt: Hwdt;
  readonly directory: Directory;
}
