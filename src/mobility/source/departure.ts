/** A node has left this LAN, or is found to be away from home: its neighbours here are led to the VR. */
import { announcementBroadcast, announcementTo } from '../../arp/announce.js';
import { BoundedMap } from '../../net/bounded-map.js';
import type { Ip } from '../../net/ip.js';
import type { Mac } from '../../net/mac.js';
import { servingMac } from '../../tables/gateway.js';
import type { Lan } from '../../tables/lan.js';
import type { NodeRecord, VnetId } from '../../tables/model.js';
import type { Context } from '../context.js';
import { homeNetworks, isGateway, type NetworkNodes, nodesOnLan } from '../neighbours.js';
import type { Pacer } from '../pacer.js';
import type { Rounds } from '../rounds.js';

/** Hosts that are told one by one, besides the broadcast. */
const MOST_UNICAST = 64;
const REMEMBERED = 4_096;

export interface Departed {
  readonly vnet: VnetId;
  readonly mac: Mac;
  readonly ips: readonly Ip[];
}

export class Departure {
  readonly #context: Context;
  readonly #nodes: NetworkNodes;
  readonly #rounds: Rounds;
  readonly #pacer: Pacer;
  /** When nodes left, by MAC; milliseconds of the monotonic clock. */
  readonly #leftMs = new BoundedMap<string, number>(REMEMBERED);

  constructor(context: Context, nodes: NetworkNodes, rounds: Rounds, pacer: Pacer) {
    this.#context = context;
    this.#nodes = nodes;
    this.#rounds = rounds;
    this.#pacer = pacer;
  }

  /**
   * What the node said on this LAN until then says nothing any more.
   * @param atMs when that was heard of, on the monotonic clock: it may have been verified since, and the node have come back
   */
  left({ vnet, mac }: Departed, atMs: number): void {
    this.#leftMs.set(departureKey(vnet, mac), atMs);
  }

  /** "It is at my MAC", now and for 3 s, as long as the node is elsewhere. */
  redirect(departed: Departed): void {
    this.#rounds.repeat(departureKey(departed.vnet, departed.mac), (round) => {
      const ips = departed.ips.filter((ip) => this.#isAway(departed.vnet, ip));
      if (ips.length === 0) return false;
      for (const lan of this.#context.lansOf(departed.vnet)) {
        this.#pacer.send(lan.index, this.#toAll(lan, ips), true);
        this.#pacer.send(lan.index, this.#toHosts(lan, { ...departed, ips }, round), false);
      }
      return true;
    });
  }

  /** Was a frame captured before its sender was known to have left? Then it says nothing about now. */
  precedes(atMs: number, vnet: VnetId, mac: Mac): boolean {
    return atMs < (this.#leftMs.get(departureKey(vnet, mac)) ?? Number.NEGATIVE_INFINITY);
  }

  /** The node is here again: says no more. */
  end(vnet: VnetId, mac: Mac): void {
    this.#rounds.cancel(departureKey(vnet, mac));
  }

  *#toAll(lan: Lan, ips: readonly Ip[]): Generator<Uint8Array> {
    for (const ip of ips) {
      const router = isGateway(this.#context, lan.vnet, ip);
      const at = servingMac(lan, ip.family);
      if (this.#concernsWholeLan(lan.vnet, ip)) yield* announcementBroadcast(ip, at, at, router);
    }
  }

  *#toHosts(lan: Lan, departed: Departed, round: number): Generator<Uint8Array> {
    for (const ip of departed.ips) {
      const router = isGateway(this.#context, lan.vnet, ip);
      const at = servingMac(lan, ip.family);
      if (round > 0 && this.#concernsWholeLan(lan.vnet, ip)) continue;
      for (const host of this.#hostsToTell(lan, ip, departed)) {
        yield* announcementTo(ip, at, at, host.mac, host.ip, router);
      }
    }
  }

  /** Its native LAN, and any LAN of a single large subnet; elsewhere only visitors from its home knew its MAC. */
  #concernsWholeLan(vnet: VnetId, ip: Ip): boolean {
    return this.#context.gndt.isHome(vnet, ip) || this.#context.inSubnet(vnet, ip);
  }

  #hostsToTell(lan: Lan, ip: Ip, departed: Departed): readonly NodeRecord[] {
    const networks = homeNetworks(this.#context, lan.vnet, [ip]);
    return nodesOnLan(this.#context, this.#nodes, lan, networks, departed.ips)
      .filter((host) => host.ip.family === ip.family && host.mac !== departed.mac)
      .slice(0, MOST_UNICAST);
  }

  #isAway(vnet: VnetId, ip: Ip): boolean {
    const record = this.#context.directory.here(vnet, ip);
    return record !== undefined && record.router !== this.#context.self;
  }
}

function departureKey(vnet: VnetId, mac: Mac): string {
  return `departed|${vnet}|${mac}`;
}
