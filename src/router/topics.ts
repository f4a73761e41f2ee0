/**
 * What parts tell without knowing who listens: each is made with its topics, and connections.ts says who hears what. So
 * nobody has to be made before the one that he tells.
 */
import type { DhcpFrame } from '../arp/dhcp/frame.js';
import type { NeighbourFrame } from '../arp/frame.js';
import type { MoveView } from '../mobility/ports.js';
import type { Ip } from '../net/ip.js';
import type { MembershipMessage } from '../protocol/membership-message.js';
import type { NetworkMessage } from '../protocol/network-message.js';
import type { PairMessage } from '../protocol/pair-message.js';
import type { TableMessage } from '../protocol/table-message.js';
import type { TrafficMessage } from '../protocol/traffic-message.js';
import type { OwnClient } from '../tables/clients.js';
import type { LanIndex, RouterId, VnetId } from '../tables/model.js';
import { Subscribers } from '../tables/subscribers.js';
import type { LastHeard } from '../tunnel/last-heard.js';
import type { KeptName } from '../tunnel/names/names.js';
import type { TunnelEvent } from '../tunnel/peer-state.js';
import type { TunnelListeners } from '../tunnel/tunnel.js';

/** Of the LANs. */
export class LanTopics {
  /** `capturedMs`: when the kernel took the frame, on the monotonic clock. */
  readonly frames = new Subscribers<[lan: LanIndex, frame: NeighbourFrame, capturedMs: number]>();
  /** `capturedMs` as of `frames`. */
  readonly dhcp = new Subscribers<[lan: LanIndex, frame: DhcpFrame, capturedMs: number]>();
  /** Another machine has sent something to all from a virtual MAC of the LAN. `capturedMs` as of `frames`. */
  readonly virtualMac = new Subscribers<[lan: LanIndex, capturedMs: number]>();
  /** Another machine has sent one of those to all, or to a group. `capturedMs` as of `frames`. */
  readonly toGroup = new Subscribers<[lan: LanIndex, capturedMs: number]>();
  /** A native node no longer answers probes. */
  readonly gone = new Subscribers<[vnet: VnetId, ip: Ip]>();
  /** Another machine advertises the VRID of one of our LANs, with this priority. */
  readonly advertised = new Subscribers<[priority: number]>();
  /** This router serves LANs with its own MAC from now on. */
  readonly taken = new Subscribers<[]>();
}

/** Of the tunnel. */
export class TunnelTopics {
  readonly messages = new Subscribers<[from: RouterId, message: TableMessage]>();
  /** What another router says of its site's roles. */
  readonly pair = new Subscribers<[from: RouterId, message: PairMessage]>();
  /** What another router says of the network's documents. */
  readonly network = new Subscribers<[from: RouterId, message: NetworkMessage]>();
  /** Who has joined with a token, as another router says. */
  readonly memberships = new Subscribers<[from: RouterId, message: MembershipMessage]>();
  /** What is asked and told about who talks to whom. */
  readonly traffic = new Subscribers<[from: RouterId, message: TrafficMessage]>();
  readonly up = new Subscribers<[router: RouterId]>();
  readonly down = new Subscribers<[router: RouterId]>();
  readonly events = new Subscribers<[TunnelEvent]>();
  /** The largest inner packet that can be sent to the peer is another one. */
  readonly mtu = new Subscribers<[peer: number, innerBytes: number]>();
  readonly clients = new Subscribers<[client: OwnClient, isConnected: boolean]>();

  /** What is to be remembered over a restart. */
  readonly heard = new Subscribers<[LastHeard]>();
  readonly resolved = new Subscribers<[KeptName]>();

  readonly listeners: TunnelListeners = {
    message: (from, message) => this.messages.notify(from, message),
    pair: (from, message) => this.pair.notify(from, message),
    network: (from, message) => this.network.notify(from, message),
    membership: (from, message) => this.memberships.notify(from, message),
    traffic: (from, message) => this.traffic.notify(from, message),
    up: (router) => this.up.notify(router),
    down: (router) => this.down.notify(router),
    event: (event) => this.events.notify(event),
    mtu: (peer, innerBytes) => this.mtu.notify(peer, innerBytes),
    client: (client, isConnected) => this.clients.notify(client, isConnected),
    heard: (last) => this.heard.notify(last),
    resolved: (kept) => this.resolved.notify(kept),
  };
}

/** Of mobility. */
export class MobilityTopics {
  /** A question is answered in another's name. */
  readonly answered = new Subscribers<[lan: LanIndex, question: NeighbourFrame]>();
  /** A move has got a verdict; a view of it is made by who wants one. */
  readonly judged = new Subscribers<[move: { view(): MoveView }]>();
}
