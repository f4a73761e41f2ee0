/** The system's resolver, and which of the addresses that it gives are not to be sent to from this machine. */
import { heldAddresses } from '../../config/interfaces.js';
import type { NameLookup, NameLookupAddon } from '../../dataplane/name-lookup.js';
import type { Clock } from '../../net/clock.js';
import { Ip } from '../../net/ip.js';
import type { Prefix } from '../../net/prefix.js';
import { messageOf } from '../../net/system-error.js';
import type { LookupAnswer } from '../../tunnel/names/names.js';
import type { ResolverPort } from '../../tunnel/ports.js';

/** In an operator's words; gai_strerror(3) has none of them. */
const REASONS: Readonly<Record<string, string>> = {
  EAI_NONAME: 'there is no such name, or it has no address',
  EAI_NODATA: 'the name has no address',
  EAI_ADDRFAMILY: 'the name has no address of a family that this machine has',
  EAI_AGAIN: 'no name server answers',
  EAI_FAIL: 'the name server refuses',
  EAI_MEMORY: 'there is no memory for the look-up',
  EAI_SYSTEM: 'the system refuses the look-up',
};

export interface ResolverOptions {
  readonly addon: NameLookupAddon;
  readonly clock: Pick<Clock, 'after'>;
  /** The route into the overlay that a datagram to that address would take instead of leaving the machine. */
  readonly overlayRoute: (address: Ip) => Prefix | undefined;
  readonly held?: typeof heldAddresses;
}

export class Resolver implements ResolverPort {
  readonly #options: ResolverOptions;
  readonly #underWay = new Set<NameLookup>();

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  lookUp(name: string, done: (answer: LookupAnswer) => void): void {
    const { addon, clock } = this.#options;
    try {
      const lookup = addon.lookUpName(name, (code, addresses) => {
        this.#underWay.delete(lookup);
        done(code === '' ? { addresses: addresses.map(toIp) } : { problem: REASONS[code] ?? code });
      });
      this.#underWay.add(lookup);
    } catch (error) {
      clock.after('look-up failed', 0, () => done({ problem: messageOf(error) }));
    }
  }

  unusable(address: Ip): string | undefined {
    const { held = heldAddresses, overlayRoute } = this.#options;
    const holder = held().find((one) => Ip.parse(one.address)?.equals(address) === true);
    if (holder !== undefined) return `is this machine's own, on ${holder.interface}`;
    const prefix = overlayRoute(address);
    return prefix === undefined
      ? undefined
      : `lies in ${prefix}, which this machine reaches through the overlay`;
  }

  /** Answers that are still to come are nobody's. */
  stop(): void {
    for (const lookup of this.#underWay) lookup.close();
    this.#underWay.clear();
  }
}

function toIp(bytes: Uint8Array): Ip {
  return Ip.read(bytes.length === 4 ? 4 : 6, bytes, 0);
}
