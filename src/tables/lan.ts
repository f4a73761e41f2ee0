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

/** Which LANs there are is settled at the start; their values are asked for where they are used, and not kept. */
export class Lans {
  #current: readonly Lan[];
  #byIndex: ReadonlyMap<LanIndex, Lan>;
  readonly #subscribers = new Subscribers<[after: Lan, before: Lan]>();
  readonly #standby = new Set<LanIndex>();
  readonly #followers = new Subscribers<[lan: LanIndex, isActive: boolean]>();

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

  /** Does this router answer and forward there? It does unless another router of the site is to. */
  isActive(index: LanIndex): boolean {
    return !this.#standby.has(index);
  }

  /** False: so it was already, and nobody is told. */
  setActive(index: LanIndex, isActive: boolean): boolean {
    if (!this.#byIndex.has(index) || this.isActive(index) === isActive) return false;
    if (isActive) this.#standby.delete(index);
    else this.#standby.add(index);
    this.#followers.notify(index, isActive);
    return true;
  }

  /** Calls `listener` synchronously after each change of what `isActive` says. Returns how to stop. */
  followActive(listener: (lan: LanIndex, isActive: boolean) => void): () => void {
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
