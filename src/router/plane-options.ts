/** What the data plane is told at the start: the sockets with their addresses, and the memory that it shares with us. */
import type { NativeAddon } from '../dataplane/engine.js';
import type { PlaneOptions } from '../dataplane/plane.js';
import type { Clock } from '../net/clock.js';
import type { ForwardingTable } from '../tables/forwarding/forwarding-table.js';
import type { NodeActivity } from '../tables/forwarding/node-activity.js';
import type { Gndt } from '../tables/gndt.js';
import type { LanRescue } from './lan/lan-rescue.js';
import { followOwnAddresses, followRoles } from './lan/own-addresses.js';
import type { Sockets } from './machine/sockets.js';
import type { Sites } from './pair/sites.js';
import type { Relays } from './relays.js';

export interface PlaneParts {
  readonly clock: Clock;
  readonly native: NativeAddon;
  readonly workers: number;
  readonly gndt: Gndt;
  readonly sockets: Sockets;
  readonly forwarding: ForwardingTable;
  readonly relays: Relays;
  readonly rescue: LanRescue;
  readonly activity: NodeActivity;
  readonly sites: Sites;
}

export function planeOptions({ clock, native, workers, gndt, sockets, ...parts }: PlaneParts): PlaneOptions {
  const { lans, lanSockets, tuns, udp } = sockets;
  const lanRoles = followRoles(lans);
  // What decisions depend on besides the forwarding table; the data plane itself says so of what it is told.
  for (const table of [lanRoles, parts.sites.peers, parts.activity.macs])
    table.subscribe(() => parts.forwarding.touch());
  // Only frames to such a MAC, or from it, are judged by it.
  parts.rescue.macs.subscribe((mac) => parts.forwarding.touchMac(mac));
  return {
    clock,
    native,
    workers,
    lans: lanSockets,
    tuns: tuns.map(({ socket }) => socket),
    udp,
    lanVnets: [...lans.current(), ...tuns].map(({ vnet }) => vnet),
    lanAddresses: followOwnAddresses(lans).memory,
    gatewayLans: lans.current().map(({ gateway = [] }) => gateway.length > 0),
    lanRoles: lanRoles.memory,
    vnets: gndt.config.vnets.map(({ id }) => id),
    relays: parts.relays.memory,
    table: parts.forwarding.memory,
    macs: parts.rescue.macs.memory,
    activity: parts.activity.memory,
    activityMacs: parts.activity.macs.memory,
    selfPeer: gndt.peerIndex(gndt.router),
    selfSite: gndt.peerIndex(gndt.self),
    sitePeers: parts.sites.peers.memory,
    clients: gndt.ownClients,
  };
}
