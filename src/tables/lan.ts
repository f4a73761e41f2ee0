/** The router's LAN interfaces as they are now: one place to ask, because the kernel changes their addresses. */
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { LanIndex, VnetId } from './model.js';
import { Subscribers } from './subscribers.js';

/** One LAN interface. Replaced, never changed: what holds on to one knows what was. */
export interface Lan {
  readonly index: LanIndex;
  readonly interface: string;
  readonly vnet: VnetId;
  /** The VR's own MAC there. */
  readonly mac: Mac;
  /** The gateway machine's own addresses on it (IPv4 and IPv6, link-local included). */
  readonly addresses: readonly Ip[];
  /** Addresses that the router itself answers for: no kernel has them. */
  readonly gateway?: readonly Ip[];
  /** Number of the virtual MACs that it is served with; undefined: with its own (`servingMac`). */
  readonly vrid?: number;
}

/**
 * What this router does on a LAN, of which another router of its site may be the active one. `draining`: it has just been that,
 * answers and says nothing any more, but forwards what still comes to it, and from the interface's own MAC, so that no
 * switch looks for a virtual one here. `standby`: it forwards nothing either.
 */
export type LanRole = 'active' | 'draining' | 'standby';

/** Which LANs there are is settled at the start; their values are asked for where they are used, and not kept. */
export class Lans {
  #current: readonly Lan[];
  #byIndex: ReadonlyMap<LanIndex, Lan>;
  readonly #subscribers = new Subscribers<[after: Lan, before: Lan]>();
  /** Of those where it is not the active one. */
  readonly #roles = new Map<LanIndex, Exclude<LanRole, 'active'>>();
  readonly #followers = new Subscribers<[lan: LanIndex, role: LanRole]>();

  constructor(lans: readonly Lan[] = []) {
    this.#current = lans;
    this.#byIndex = byIndex(lans);
  }

  /** In the order of router.json. */
  current(): readonly Lan[] {
    return this.#current;
  }

  get(index: LanIndex): Lan | undefined {
    return this.#byIndex.get(index);
  }

  of(vnet: VnetId): readonly Lan[] {
    return this.#current.filter((lan) => lan.vnet === vnet);
  }

  /** The machine's addresses there are others now. False: they are what they were, in whatever order; nobody is told. */
  readdress(index: LanIndex, addresses: readonly Ip[]): boolean {
    const before = this.#byIndex.get(index);
    if (before === undefined || isSameSet(before.addresses, addresses)) return false;
    this.#replace(before, { ...before, addresses });
    return true;
  }

  /** The router answers for others now. False: they are the same, in the same order. */
  setGateway(index: LanIndex, gateway: readonly Ip[]): boolean {
    const before = this.#byIndex.get(index);
    const old = before?.gateway ?? [];
    if (before === undefined || old.map(String).join() === gateway.map(String).join()) return false;
    this.#replace(before, { ...before, gateway });
    return true;
  }

  #replace(before: Lan, after: Lan): void {
    const { index } = after;
    this.#current = this.#current.map((lan) => (lan.index === index ? after : lan));
    this.#byIndex = byIndex(this.#current);
    this.#subscribers.notify(after, before);
  }

  /** It is the active one unless another router of the site is to be. */
  role(index: LanIndex): LanRole {
    return this.#roles.get(index) ?? 'active';
  }

  /** Does this router answer and announce there? */
  isActive(index: LanIndex): boolean {
    return !this.#roles.has(index);
  }

  /** False: it had it already, and nobody is told. */
  setRole(index: LanIndex, role: LanRole): boolean {
    if (!this.#byIndex.has(index) || this.role(index) === role) return false;
    if (role === 'active') this.#roles.delete(index);
    else this.#roles.set(index, role);
    this.#followers.notify(index, role);
    return true;
  }

  /** Calls `listener` synchronously after each change of what `role` says. Returns how to stop. */
  followRoles(listener: (lan: LanIndex, role: LanRole) => void): () => void {
    return this.#followers.subscribe(listener);
  }

  /** Calls `listener` synchronously after each change of what a `Lan` says. Returns how to stop. */
  subscribe(listener: (after: Lan, before: Lan) => void): () => void {
    return this.#subscribers.subscribe(listener);
  }
}

function byIndex(lans: readonly Lan[]): ReadonlyMap<LanIndex, Lan> {
  return new Map(lans.map((lan) => [lan.index, lan]));
}

function isSameSet(a: readonly Ip[], b: readonly Ip[]): boolean {
  const keys = new Set(a.map(({ key }) => key));
  return a.length === b.length && b.every(({ key }) => keys.has(key));
}
