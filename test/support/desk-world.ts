/**
 * Two desks of one site and a router of another, joined by a WAN of 5 ms and a LAN, on one simulated clock: the product's own
 * desk, LANs, witnesses and gate; only sockets and interfaces are the world's.
 */
import type { NeighbourFrame } from '../../src/arp/frame.js';
import { decodeNeighbourFrame } from '../../src/arp/frame.js';
import type { PcapAddon } from '../../src/arp/pcap.js';
import { Ip } from '../../src/net/ip.js';
import { mac } from '../../src/net/mac.js';
import type { Advertisement } from '../../src/pair/advertisement.js';
import type { Cause } from '../../src/pair/state.js';
import { Conduct } from '../../src/protocol/conduct.js';
import type { PairMessage } from '../../src/protocol/pair-message.js';
import type {
  AdvertisementSocket,
  AdvertisementSocketOptions,
} from '../../src/router/machine/vrrp/advertisement-socket.js';
import { PairDesk } from '../../src/router/pair/desk.js';
import { PairLans } from '../../src/router/pair/pair-lans.js';
import { SiteRoles } from '../../src/router/pair/site-roles.js';
import { Sites } from '../../src/router/pair/sites.js';
import { Witnesses } from '../../src/router/pair/witnesses.js';
import { Gndt } from '../../src/tables/gndt.js';
import type { GndtConfig } from '../../src/tables/model.js';
import { lansOf } from './lans.js';
import { networkOf, routerOf } from './packet-worker.js';
import { SimClock } from './sim-clock.js';

const WAN_MS = 5;
const LAN_MS = 0.1;
export const GATEWAY = Ip.of('10.1.0.1');
export const HOST = Ip.of('10.1.0.50');
const HOST_MAC = mac('52:54:00:00:00:50');
const MACS: Readonly<Record<string, ReturnType<typeof mac>>> = {
  'vr-1': mac('02:00:00:00:00:01'),
  'vr-2': mac('02:00:00:00:00:02'),
};
const ADDRESSES: Readonly<Record<string, Ip>> = { 'vr-1': Ip.of('10.1.0.3'), 'vr-2': Ip.of('10.1.0.4') };

const CONFIG: GndtConfig = {
  vnets: [{ name: 'blue', id: 1, subnet: undefined }],
  routers: ['vr-1', 'vr-2', 'vr-3'].map((id) => routerOf(id)),
  sites: [{ id: 'one', routers: ['vr-1', 'vr-2'] }],
  networks: [networkOf('10.1.0.0/24', 'one')],
  cipher: 'chacha20-poly1305',
  nodes: [],
};

/** One of the three; `vr-3` has no desk. */
export class Router {
  readonly sites: Sites;
  readonly roles: SiteRoles;
  readonly conduct: Conduct;
  readonly desk: PairDesk | undefined;
  readonly lans: PairLans | undefined;
  /** What its desk has had done, with times. */
  readonly done: string[] = [];
  serves = false;
  storedTerm = 0;
  isAlive = true;
  stalledUntilMs = 0;
  carrier = true;
  /** Nothing passes, though there is a carrier. */
  lanCut = false;
  wanCut = false;
  drains = false;
  readonly sockets = new Set<AdvertisementSocketOptions>();

  constructor(
    readonly id: string,
    world: DeskWorld,
    term: number,
  ) {
    const { clock } = world;
    const gndt = new Gndt(CONFIG, id);
    this.sites = new Sites(gndt);
    this.storedTerm = term;
    const tunnel = {
      say: (to: string, message: PairMessage): void => world.wan(this, to, message),
      upPeers: () => world.routers.filter((other) => other.id !== id).map((other) => other.id),
      rttMs: () => 2 * WAN_MS,
    };
    if (gndt.partner !== undefined) {
      this.lans = this.#makeLans(world);
      this.desk = new PairDesk({
        clock: this.#clockOf(clock),
        gndt,
        sites: this.sites,
        tunnel,
        terms: {
          own: term,
          storeOwn: (stored, active) => {
            this.storedTerm = stored;
            this.done.push(`${at(clock)} store ${stored} ${active}`);
          },
        },
        lans: this.lans,
        witnesses: new Witnesses({ clock, gndt, tunnel }),
        actions: {
          serve: (isActive: boolean, cause: Cause) => {
            this.serves = isActive;
            this.done.push(`${at(clock)} ${isActive ? 'serve' : 'leave'} ${cause}`);
          },
          settled: (isActive) => this.done.push(`${at(clock)} settled ${isActive}`),
          partnerServes: () => this.done.push(`${at(clock)} partner serves`),
          announce: () => this.done.push(`${at(clock)} announce`),
          isDraining: () => this.drains,
          tell: {
            roleChanged: ({ role, term: since }) => this.done.push(`${at(clock)} ${role} ${since}`),
            partnerFound: () => this.done.push(`${at(clock)} partner found`),
            partnerLost: () => this.done.push(`${at(clock)} partner lost`),
            vrrpStranger: ({ lan, vrid, address }) => world.strangers.add(`${id} ${lan} ${vrid} ${address}`),
            handOver: ({ cause }) => this.done.push(`${at(clock)} asks ${cause}`),
            handOverFailed: () => this.done.push(`${at(clock)} asked in vain`),
            gatewaysDiffer: ({ lan, ips }) => world.strangers.add(`${id} ${lan} differs ${ips.join()}`),
            virtualMacFiltered: ({ lan }) => world.strangers.add(`${id} ${lan} filtered`),
          },
        },
        deadMs: 250,
      });
    }
    this.conduct = new Conduct(clock);
    const terms = { others: () => [].values(), follow: () => {}, keepOnly: () => {} };
    this.roles = new SiteRoles({
      clock,
      gndt,
      sites: this.sites,
      tunnel,
      conduct: this.conduct,
      terms,
      desk: this.desk,
    });
  }

  /** Its process does nothing while it is stopped: timers and messages wait, timers first. */
  #clockOf(clock: SimClock): ConstructorParameters<typeof PairDesk>[0]['clock'] {
    return {
      nowMs: () => clock.nowMs(),
      wallMs: () => clock.wallMs(),
      after: (name, delayMs, action) => {
        const run = (): void => {
          if (!this.isAlive) return;
          const leftMs = this.stalledUntilMs - clock.nowMs();
          if (leftMs > 0) clock.after(name, leftMs, run);
          else action();
        };
        return clock.after(name, delayMs, run);
      },
    };
  }

  #makeLans(world: DeskWorld): PairLans {
    const { clock } = world;
    const own = MACS[this.id];
    const address = ADDRESSES[this.id];
    if (own === undefined || address === undefined) throw new RangeError(this.id);
    const lan = { index: 0, vnet: 1, interface: 'lan0', mac: own, addresses: [address] };
    return new PairLans({
      clock,
      lans: lansOf([{ ...lan, gateway: [GATEWAY], vrid: 7 }]),
      pcap: {} as PcapAddon,
      site: 'one',
      virtualMacs: { heardAgoMs: () => 1_000 },
      configured: [{ interface: 'lan0', vnet: 'blue' }],
      sendFrame: (_lan, bytes) => world.question(this, bytes),
      onAdvertisement: (priority) => this.desk?.advertised(priority),
      onCondition: () => {},
      read: () => [{ mac: own, addresses: this.carrier ? [address] : undefined }],
      openSocket: (options) => world.openSocket(this, options),
    });
  }
}

export class DeskWorld {
  readonly clock = new SimClock();
  readonly routers: Router[] = [];
  readonly strangers = new Set<string>();
  /** The LAN between the two passes nothing, though each hears its hosts. */
  lanIsSplit = false;
  hostAnswers = true;
  /** What the two say of the gateway addresses that they have; undefined: what is true. */
  advertisedGateways: readonly Ip[] | undefined;
  /** Messages of the two to each other that were lost: 0 to 1 of them. */
  isLost: () => boolean = () => false;
  readonly advertised: string[] = [];

  constructor(terms: { readonly [router: string]: number } = {}) {
    for (const id of ['vr-1', 'vr-2', 'vr-3']) this.routers.push(new Router(id, this, terms[id] ?? 0));
  }

  router(id: string): Router {
    const found = this.routers.find((router) => router.id === id);
    if (found === undefined) throw new RangeError(id);
    return found;
  }

  /** Both begin; a host of the LAN says something each second. */
  start(...ids: string[]): void {
    for (const id of ids) this.router(id).desk?.start();
    this.#hostSpeaks();
  }

  run(forMs: number): void {
    this.clock.advance(forMs);
  }

  active(): string[] {
    return this.routers.filter(({ serves, isAlive }) => serves && isAlive).map(({ id }) => id);
  }

  wan(from: Router, to: string, message: PairMessage): void {
    if (from.wanCut || !from.isAlive || this.isLost()) return;
    const receiver = this.router(to);
    this.clock.after('wan', WAN_MS, () => {
      if (!receiver.wanCut) this.#deliver(receiver, () => receiver.roles.received(from.id, message));
    });
  }

  openSocket(router: Router, options: AdvertisementSocketOptions): AdvertisementSocket {
    router.sockets.add(options);
    return {
      send: (advertisement) => {
        const { source } = options;
        const gateways = this.advertisedGateways ?? advertisement.addresses;
        // As a router says it that has none.
        const addresses = gateways.length > 0 ? gateways : [source];
        this.advertise(router, { ...advertisement, source, addresses });
      },
      close: async () => void router.sockets.delete(options),
      condition: () =>
        router.carrier ? ({ is: 'up' } as const) : ({ is: 'down', why: 'no carrier' } as const),
      counters: () => ({}),
    };
  }

  /** @param from undefined: another machine of the LAN */
  advertise(from: Router | undefined, advertisement: Advertisement): void {
    this.advertised.push(`${at(this.clock)} ${from?.id ?? 'stranger'} ${advertisement.priority}`);
    if (from !== undefined && !this.#isOnLan(from)) return;
    for (const receiver of this.routers) {
      if (receiver === from || !this.#isOnLan(receiver)) continue;
      if (from !== undefined && this.lanIsSplit) continue;
      this.clock.after('lan', LAN_MS, () =>
        this.#deliver(receiver, () => {
          for (const { onAdvertisement } of receiver.sockets) onAdvertisement(advertisement);
        }),
      );
    }
  }

  /** A router asks a host. */
  question(from: Router, bytes: Uint8Array): void {
    if (!this.hostAnswers || !this.#isOnLan(from)) return;
    const frame = decodeNeighbourFrame(bytes);
    if (typeof frame !== 'string') this.clock.after('lan', 1, () => this.#hear(from));
  }

  #hostSpeaks(): void {
    this.clock.after('host', 1_000, () => this.#hostSpeaks());
    if (!this.hostAnswers) return;
    for (const router of this.routers) if (this.#isOnLan(router)) this.#hear(router);
  }

  #hear(router: Router): void {
    const frame: NeighbourFrame = {
      kind: 'arp',
      operation: 1,
      ethernetSource: HOST_MAC,
      ethernetDestination: mac('ff:ff:ff:ff:ff:ff'),
      senderMac: HOST_MAC,
      senderIp: HOST,
      targetMac: mac('00:00:00:00:00:00'),
      targetIp: GATEWAY,
    };
    this.#deliver(router, () => router.lans?.frameSeen(0, frame, this.clock.nowMs()));
  }

  #isOnLan({ lanCut, carrier, isAlive }: Router): boolean {
    return isAlive && carrier && !lanCut;
  }

  #deliver(router: Router, action: () => void): void {
    if (!router.isAlive) return;
    const leftMs = router.stalledUntilMs - this.clock.nowMs();
    if (leftMs > 0) this.clock.after('held', leftMs + 0.001, () => this.#deliver(router, action));
    else action();
  }
}

function at(clock: SimClock): string {
  return clock.nowMs().toFixed(0);
}
