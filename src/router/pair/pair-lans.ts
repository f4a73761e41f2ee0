/** The LANs of a site's two routers: their health, and what is heard of the partner on each. */
import { probe } from '../../arp/announce.js';
import type { NeighbourFrame } from '../../arp/frame.js';
import type { PcapAddon } from '../../arp/pcap.js';
import type { RoleLanView } from '../../control/role-view.js';
import type { Clock } from '../../net/clock.js';
import { type CounterTable, prefixed } from '../../net/counters.js';
import type { Ip } from '../../net/ip.js';
import { BROADCAST_MAC } from '../../net/mac.js';
import { ADVERTISEMENT_COUNTERS } from '../../pair/advertisement-counters.js';
import { defaultVrid } from '../../tables/gateway.js';
import type { Lan, Lans } from '../../tables/lan.js';
import type { LanConfig, LanIndex, SiteId } from '../../tables/model.js';
import { type InterfaceState, readInterfaces } from '../lan/interfaces.js';
import type { VirtualMacWatch } from '../lan/virtual-mac-watch.js';
import type { Condition } from '../machine/vrrp/advertisement-socket.js';
import { PairLan, type PairLanOptions } from './pair-lan.js';
import type { Passing } from './partner-ear.js';

export const VRRP_COUNTERS: CounterTable = prefixed('vrrp_', ADVERTISEMENT_COUNTERS);

/** Whoever is active announces the virtual MAC twice a minute (`PairDesk`). */
const VIRTUAL_MS = 90_000;
/** A suspicion is followed for so long, and not again before … */
const SUSPECT_MS = 3_000;
/** … so much later: where the two never hear each other hosts are not to be asked ten times a second. */
const SUSPECT_AGAIN_MS = 60_000;

export interface PairLansOptions {
  readonly clock: Clock;
  readonly lans: Lans;
  readonly pcap: PcapAddon;
  readonly site: SiteId;
  readonly configured: readonly LanConfig[];
  readonly virtualMacs: Pick<VirtualMacWatch, 'heardAgoMs'>;
  readonly sendFrame: (lan: LanIndex, frame: Uint8Array) => void;
  readonly onAdvertisement: (priority: number) => void;
  readonly onCondition: (lan: Lan, condition: Condition) => void;
  /** Other than the kernel's only in tests. */
  readonly read?: (names: readonly string[]) => readonly InterfaceState[];
  readonly openSocket?: PairLanOptions['openSocket'];
}

/** What is known of the partner by its session. */
export interface PartnerWord {
  /** It is active and has been for a moment: its advertisements should be heard here. */
  readonly shouldBeHeard: boolean;
  /** This router is active and has been for a moment, and the partner hears it on these LANs; undefined: it does not say. */
  readonly heardVrids: readonly number[] | undefined;
  /** Silence of so long on a LAN is suspect, milliseconds. */
  readonly unheardMs: number;
}

export class PairLans {
  readonly #options: PairLansOptions;
  readonly #lans: readonly PairLan[];
  readonly #suspectSince = new Map<PairLan, number>();
  readonly #stopFollowing: () => void;

  constructor(options: PairLansOptions) {
    this.#options = options;
    const { clock, pcap, lans, site, configured, onAdvertisement, onCondition, openSocket } = options;
    this.#lans = lans.current().map(
      (lan) =>
        new PairLan({
          clock,
          pcap,
          lan: () => lans.get(lan.index) ?? lan,
          vrid: lan.vrid ?? configured[lan.index]?.vrid ?? defaultVrid(lan.vnet, site),
          onAdvertisement,
          onCondition,
          ...(openSocket !== undefined && { openSocket }),
        }),
    );
    this.#stopFollowing = lans.subscribe(({ index }) => this.#lans[index]?.open());
  }

  start(): void {
    for (const lan of this.#lans) lan.open();
  }

  async stop(): Promise<void> {
    this.#stopFollowing();
    await Promise.all(this.#lans.map((lan) => lan.stop()));
  }

  advertise(priority: number): void {
    for (const lan of this.#lans) lan.advertise(priority);
  }

  frameSeen(index: LanIndex, frame: NeighbourFrame, atMs: number): void {
    this.#lans[index]?.frameSeen(frame, atMs);
  }

  /** @param passedMs since the last look; undefined: this router was held up, and what was heard before says nothing */
  look(nowMs: number, passedMs: number | undefined, partner: PartnerWord): void {
    const { read = readInterfaces, sendFrame } = this.#options;
    const states = read(this.#lans.map(({ lan }) => lan.interface));
    for (const [index, pairLan] of this.#lans.entries()) {
      if (passedMs === undefined) pairLan.begunAnew();
      const isSuspect = this.#isSuspect(pairLan, nowMs, partner);
      const carrier = states[index]?.addresses !== undefined;
      const { ask } = pairLan.look(nowMs, carrier, isSuspect, passedMs ?? 0);
      for (const ip of ask) sendFrame(index, probe(ip, pairLan.lan.mac, BROADCAST_MAC, undefined));
    }
  }

  health(): { readonly soundLans: number; readonly lans: number } {
    return {
      soundLans: this.#lans.filter(({ health }) => health.isSound).length,
      lans: this.#lans.length,
    };
  }

  /** LANs on which an advertisement was heard within `withinMs`. */
  heardVrids(nowMs: number, withinMs: number): number[] {
    return this.#vrids((lan) => (lan.advertisedAgoMs(nowMs) ?? Number.POSITIVE_INFINITY) < withinMs);
  }

  /** LANs on which frames of the virtual MAC come from another machine. */
  virtualVrids(nowMs: number): number[] {
    const { virtualMacs } = this.#options;
    const agoMs = (index: LanIndex): number =>
      virtualMacs.heardAgoMs(index, nowMs) ?? Number.POSITIVE_INFINITY;
    return this.#vrids(({ lan }) => agoMs(lan.index) < VIRTUAL_MS);
  }

  advertisedAgoMs(nowMs: number): number | undefined {
    const ago = this.#lans.flatMap((lan) => lan.advertisedAgoMs(nowMs) ?? []);
    return ago.length === 0 ? undefined : Math.min(...ago);
  }

  warnings(): readonly string[] {
    return this.#lans.flatMap(({ problem }) => problem ?? []);
  }

  /**
   * @param isPartnerActive one of those who advertise is the partner
   * @param passing to the router that stands by; undefined: that is not known
   */
  views(nowMs: number, isPartnerActive: boolean, passing: Passing | undefined): RoleLanView[] {
    return this.#lans.map((pairLan) => {
      const { lan, vrid, health, advertising } = pairLan;
      const speakers = pairLan.speakers(nowMs);
      const others = isPartnerActive && speakers.length <= 2 ? differing(lan.gateway ?? [], speakers) : [];
      const isKnown = lan.vrid !== undefined && passing?.advertised.includes(vrid) === true;
      return {
        interface: lan.interface,
        vrid,
        advertising,
        carrier: health.carrier,
        heardHostAgoMs: health.heardMs === undefined ? null : rounded(nowMs - health.heardMs),
        partnerAgoMs: rounded(pairLan.advertisedAgoMs(nowMs)),
        strangers: strangersOn(pairLan, nowMs, isPartnerActive).map(String),
        otherGateways: [...new Set(others.map(String))],
        virtualMacPasses: isKnown ? passing.virtual.includes(vrid) : null,
      };
    });
  }

  counters(): Readonly<Record<string, number>> {
    const sum: Record<string, number> = {};
    for (const lan of this.#lans) {
      for (const [name, count] of Object.entries(lan.counters()))
        sum[`vrrp_${name}`] = (sum[`vrrp_${name}`] ?? 0) + count;
    }
    return sum;
  }

  #vrids(isWanted: (lan: PairLan) => boolean): number[] {
    const vrids = this.#lans.filter(isWanted).map(({ vrid }) => vrid);
    return [...new Set(vrids)].sort((a, b) => a - b);
  }

  #isSuspect(lan: PairLan, nowMs: number, partner: PartnerWord): boolean {
    const { shouldBeHeard, heardVrids, unheardMs } = partner;
    const isUnheard = shouldBeHeard && lan.canAdvertise && lan.silentMs >= unheardMs;
    const isUnheardThere = heardVrids !== undefined && lan.canAdvertise && !heardVrids.includes(lan.vrid);
    if (!isUnheard && !isUnheardThere) {
      this.#suspectSince.delete(lan);
      return false;
    }
    const sinceMs = this.#suspectSince.get(lan) ?? nowMs;
    const isAgain = nowMs - sinceMs > SUSPECT_AGAIN_MS;
    this.#suspectSince.set(lan, isAgain ? nowMs : sinceMs);
    return isAgain || nowMs - sinceMs < SUSPECT_MS;
  }
}

function rounded(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.max(0, Math.round(ms));
}

/** Addresses that only this router has, or only who advertises, of the families that are advertised. */
function differing(own: readonly Ip[], speakers: ReturnType<PairLan['speakers']>): readonly Ip[] {
  return speakers.flatMap(({ address, gateways }) => {
    const theirs = gateways.filter((ip) => !ip.isLinkLocal);
    const ours = own.filter((ip) => ip.family === address.family && !ip.isLinkLocal);
    const isIn = (list: readonly Ip[], ip: Ip): boolean => list.some((other) => other.equals(ip));
    return [...theirs.filter((ip) => !isIn(ours, ip)), ...ours.filter((ip) => !isIn(theirs, ip))];
  });
}

/** Of several nobody can tell which is the partner. */
function strangersOn(lan: PairLan, nowMs: number, isPartnerActive: boolean): readonly Ip[] {
  const speakers = lan.speakers(nowMs);
  const ofOneFamily = ([4, 6] as const).map((family) =>
    speakers.filter(({ address }) => address.family === family),
  );
  const most = isPartnerActive ? 1 : 0;
  return ofOneFamily.flatMap((some) => (some.length > most ? some.map(({ address }) => address) : []));
}
