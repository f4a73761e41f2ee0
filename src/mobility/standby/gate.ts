/**
 * The gate for what a site's other router says. It speaks of all sites, but only so as to keep the standby's tables like its
 * own: of members, of networks that are known, with numbers and so many records as could have come from those sites
 * themselves. What it may not say is taken out of its message and counted, as in `authority.ts`.
 */
import { RateLimit } from '../../net/rate-limit.js';
import type {
  PartnerDigestsMessage,
  PartnerRecordsMessage,
  PartnerWholeMessage,
  SiteDigest,
  TableMessage,
} from '../../protocol/table-message.js';
import type { NodeRecord, SiteId } from '../../tables/model.js';
import { isDisowned } from '../../tables/record.js';
import type { Context } from '../context.js';
import { isWithinReach } from '../door.js';

/** Faster than `PartnerFeed` answers. */
const RECORDS = { perSecond: 100_000, burst: 200_000 };
/** All sites every 10 s, and at changes of roles. */
const DIGESTS = { perSecond: 1_000, burst: 10_000 };

/** With another gndt.json: no misconduct. */
const ORDINARY: ReadonlySet<string> = new Set(['no-member', 'unknown-network', 'not-allowed', 'role']);

/** Does an active router say it, and only that? */
export function isForStandby({ type }: TableMessage): boolean {
  return type === 'partnerRecords' || type === 'partnerWhole';
}

export class PartnerGate {
  readonly #context: Context;
  readonly #records: RateLimit;
  readonly #digests: RateLimit;

  constructor(context: Context) {
    this.#context = context;
    this.#records = new RateLimit(context.clock, RECORDS);
    this.#digests = new RateLimit(context.clock, DIGESTS);
  }

  /** Those that may be put into the directory, as it is now: others may follow from each. */
  *records({ type, records }: PartnerRecordsMessage): Generator<NodeRecord> {
    if (!this.#isInBudget(this.#records, type, records.length)) return;
    for (const record of records) {
      const why = this.#objectionTo(record);
      if (why === undefined) yield record;
      else this.refuse(type, why);
    }
  }

  digests({ type, digests }: PartnerDigestsMessage): readonly SiteDigest[] {
    if (!this.#isInBudget(this.#digests, type, digests.length)) return [];
    return digests.filter(({ site }) => this.#isSite(type, site));
  }

  /** May all records of a site be said to be these? */
  isWhole({ type, site }: PartnerWholeMessage): boolean {
    if (!this.#isInBudget(this.#digests, type, 1)) return false;
    return this.#isSite(type, site);
  }

  /** Said between sites, not between the routers of one. */
  refuseOther({ type }: TableMessage): void {
    this.refuse(type, 'not-yours');
  }

  refuse(type: TableMessage['type'], why: string): void {
    const { counters, conduct, gndt } = this.#context;
    counters.count(`refused_${type}_${why}`);
    if (gndt.partner !== undefined && !ORDINARY.has(why)) conduct.refused(gndt.partner, type, why);
  }

  #isSite(type: TableMessage['type'], site: SiteId): boolean {
    const stranger = this.#strangerAs(site);
    if (stranger !== undefined) this.refuse(type, stranger);
    return stranger === undefined;
  }

  /** A router that has a site of another name speaks for that one only; undefined: it is a site. */
  #strangerAs(site: SiteId): string | undefined {
    const { gndt } = this.#context;
    if (gndt.siteIds.has(site)) return undefined;
    return gndt.peerIndex(site) < 0 ? 'no-member' : 'not-yours';
  }

  #isInBudget(budget: RateLimit, type: TableMessage['type'], count: number): boolean {
    const { conduct, gndt } = this.#context;
    const price = gndt.partner === undefined ? 1 : conduct.price(gndt.partner);
    const taken = budget.take(Math.max(1, count) * price);
    if (taken !== 'taken') this.refuse(type, taken);
    return taken === 'taken';
  }

  #objectionTo(record: NodeRecord): string | undefined {
    const { gndt, directory } = this.#context;
    const { vnet, ip, router, seq } = record;
    const stranger = this.#strangerAs(router);
    if (stranger !== undefined) return stranger;
    const known = directory.get(vnet, ip);
    // A record of before the network was taken out ends with its router's word.
    const isEnd = record.state === 'withdrawn' && known?.router === router;
    if (!isEnd && gndt.networkOf(vnet, ip) === undefined) return 'unknown-network';
    if (!isEnd && !gndt.mayClaim(vnet, ip, router)) return 'not-allowed';
    // Whoever has said it, it may be the end of a longer series than this router has heard: as far as a home VR's word goes.
    if (!isWithinReach(this.#context, gndt.homeOf(vnet, ip), vnet, ip, seq)) return 'number';
    return isDisowned(record) || this.#isRoom(record, known) ? undefined : 'too-many';
  }

  #isRoom({ router }: NodeRecord, known: NodeRecord | undefined): boolean {
    const { directory, limits, self } = this.#context;
    if (known?.router === router) return true;
    // How many there are here is the affair of `limits.nodesPerLan`, and of the router that adds them.
    if (router !== self && directory.count(router) >= limits.nodesPerRouter) return false;
    return known !== undefined || directory.size < limits.nodes;
  }
}
