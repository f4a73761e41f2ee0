/**
 * Places for connections that have not shown yet who is behind them: so many in all, and of one host so many, since one that opens
 * connections and says nothing would have all places otherwise. With IPv6 a host has a /64 of its own (RFC 4291, 2.5.1), which counts
 * as one host.
 */
import { Ip } from './ip.js';
import { Prefix } from './prefix.js';

const HOST_BITS = 64;

/** Why there is no place. */
export type NoPlace = 'too-many' | 'too-many-of-one';

export class Unproven {
  readonly #byHost = new Map<string, number>();
  #all = 0;

  constructor(
    private readonly most: number,
    private readonly mostOfOne: number,
  ) {}

  get size(): number {
    return this.#all;
  }

  /**
   * What is answered gives the place back, once, however often it is called.
   * @param address of the other end; undefined: it came by a Unix socket, and is somebody of this machine
   */
  take(address: string | undefined): (() => void) | NoPlace {
    if (this.#all >= this.most) return 'too-many';
    const host = address === undefined ? undefined : hostOf(address);
    const places = host === undefined ? 0 : (this.#byHost.get(host) ?? 0);
    if (places >= this.mostOfOne) return 'too-many-of-one';
    this.#all++;
    if (host !== undefined) this.#byHost.set(host, places + 1);
    let isTaken = true;
    return () => {
      if (isTaken) this.#giveBack(host);
      isTaken = false;
    };
  }

  #giveBack(host: string | undefined): void {
    this.#all--;
    if (host === undefined) return;
    const left = (this.#byHost.get(host) ?? 1) - 1;
    if (left === 0) this.#byHost.delete(host);
    else this.#byHost.set(host, left);
  }
}

/** An IPv4 address that came by an IPv6 socket (`::ffff:1.2.3.4`) is a host's. */
function hostOf(address: string): string {
  const mapped = /^::ffff:([0-9.]+)$/i.exec(address)?.[1];
  const ip = Ip.parse(mapped ?? address.replace(/%.*$/, ''));
  if (ip === undefined) return address;
  return ip.family === 4 ? ip.key : Prefix.containing(ip, HOST_BITS).key;
}
