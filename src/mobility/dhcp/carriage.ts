/**
 * DHCP of nodes that are visiting: what such a node says to any server is carried to its home router and put on its home
 * LAN there, and what a server says to it is carried back. So a node keeps the lease that it has from home. Nobody else's
 * DHCP is touched, and what a node says to its server alone is a packet like any other.
 */
import { askedForBroadcast, type Dhcp4Message, padded } from '../../arp/dhcp/dhcp4.js';
import type { Dhcp6Message } from '../../arp/dhcp/dhcp6.js';
import {
  BROADCAST,
  type DhcpFrame,
  type DhcpMessage,
  encodeDhcpFrame,
  isForAnyServer,
  toServers,
} from '../../arp/dhcp/frame.js';
import { linkLocalOf } from '../../arp/ipv6.js';
import type { Ip } from '../../net/ip.js';
import { isGroupMac, type Mac } from '../../net/mac.js';
import { KeyedRateLimit, type Rate } from '../../net/rate-limit.js';
import type { DhcpCarriedMessage } from '../../protocol/table-message.js';
import { macsOf, servingMac } from '../../tables/gateway.js';
import type { Lan } from '../../tables/lan.js';
import type { RouterId, VnetId } from '../../tables/model.js';
import type { Context } from '../context.js';
import { Askers, Transactions } from './clients6.js';
import { readCarried } from './gate.js';
import { Leases } from './leases.js';
import { Leases6 } from './leases6.js';
import { isForHome, speaksOfItself, visitElsewhere, visitHere } from './relation.js';

/** Of one node, each way. A client asks at most a few times in the first seconds, ever more rarely then. */
const OF_A_NODE: Rate = { perSecond: 4, burst: 16 };

export class DhcpCarriage {
  readonly #context: Context;
  readonly #leases: Leases;
  readonly #leases6: Leases6;
  readonly #askers = new Askers();
  readonly #transactions = new Transactions();
  /** What goes to home routers, to servers, back, and to nodes: each by vnet and MAC. */
  readonly #budget: KeyedRateLimit;

  constructor(context: Context) {
    this.#context = context;
    this.#leases = new Leases(context);
    this.#leases6 = new Leases6(context);
    this.#budget = new KeyedRateLimit(context.clock, OF_A_NODE, 4 * 4_096);
  }

  /** A DHCP message was captured on a LAN. */
  frame(lan: Lan, frame: DhcpFrame, capturedMs: number): void {
    if (this.#context.isOwnMac(frame.ethernetSource) || !this.#context.lans.isActive(lan.index)) return;
    const isTouched =
      frame.message.from === 'client' ? this.#asked(lan, frame, capturedMs) : this.#answered(lan, frame);
    if (!isTouched) this.#context.counters.count('dhcp_of_others');
  }

  /** A message of another router that has passed the gate. */
  message(from: RouterId, carried: DhcpCarriedMessage): void {
    const message = readCarried(this.#context, from, carried);
    if (typeof message === 'string') return;
    if (message.from === 'client') this.#toServers(carried, message);
    else this.#toNode(carried, message);
  }

  /** At the router where the node is. False: it is not visiting. */
  #asked(lan: Lan, frame: DhcpFrame, capturedMs: number): boolean {
    const { message, ethernetSource: mac } = frame;
    const { vnet } = lan;
    // What a relay passes on, or says in another's name, is not the node's.
    if (message.family === 4 && (message.mac !== mac || !message.giaddr.isUnspecified)) return false;
    const visit = visitHere(this.#context, vnet, mac, message.family);
    if (visit === undefined) return false;
    if (message.family === 4) this.#leases.asked(vnet, message, capturedMs);
    else this.#leases6.asked(vnet, mac, message, capturedMs);
    if (!isForAnyServer(frame)) return true;
    if (!isForHome(this.#context, vnet, visit.home, message)) return false;
    if (!speaksOfItself(this.#context, vnet, mac, message)) return this.#drop('not-its-address');
    if (!this.#budget.allow(`home|${vnet}|${mac}`)) return this.#drop('too-soon');
    if (message.family === 4) this.#answerAtOnce(lan, message);
    else this.#answerAtOnce6(lan, frame, message);
    this.#carry(visit.home, vnet, mac, message, 'home');
    return true;
  }

  /** The server of this LAN hears the question too, and may refuse what is not of its network. */
  #answerAtOnce(lan: Lan, request: Dhcp4Message): void {
    const answer = this.#leases.answerTo(lan.vnet, request);
    if (answer === undefined) return;
    this.#sendToNode4(lan, request, answer.payload, answer.server);
    this.#context.counters.count('dhcp_answered');
    this.#context.ports.event({ event: 'dhcp_answered', vnet: lan.vnet, ip: answer.ip, mac: request.mac });
  }

  #answerAtOnce6(lan: Lan, { source, ethernetSource: mac }: DhcpFrame, request: Dhcp6Message): void {
    const { index, vnet } = lan;
    this.#askers.asked(vnet, mac, { lan: index, source, clientId: request.clientId });
    const answer = this.#leases6.answerTo(vnet, mac, request);
    if (answer === undefined) return;
    this.#sendToNode6(lan, mac, source, answer.payload);
    this.#context.counters.count('dhcp_answered');
    this.#context.ports.event({ event: 'dhcp_answered', vnet, ip: answer.ip, mac });
  }

  /** At the home router. False: the answer is to none of its nodes that are away. */
  #answered(lan: Lan, frame: DhcpFrame): boolean {
    const { message, ethernetDestination } = frame;
    const { vnet } = lan;
    const mac = message.family === 4 ? message.mac : this.#nodeOf6(lan, frame, message);
    const visit = mac === undefined ? undefined : visitElsewhere(this.#context, vnet, mac, message.family);
    if (mac === undefined || visit === undefined) return false;
    const isToNode = message.family === 6 || ethernetDestination === mac || isGroupMac(ethernetDestination);
    // To a MAC of this router's: it is where the node's neighbours were told that the node is.
    const isRouted = message.family === 4 && macsOf(lan).includes(ethernetDestination);
    if (!isToNode && !isRouted) return false;
    if (!this.#budget.allow(`back|${vnet}|${mac}`)) return this.#drop('too-soon');
    this.#carry(visit.record.router, vnet, mac, message, 'back', isRouted);
    return true;
  }

  /** In answer to what this router has put on the LAN, or to a client of which it has. */
  #nodeOf6(
    lan: Lan,
    { ethernetDestination, destination }: DhcpFrame,
    message: Dhcp6Message,
  ): Mac | undefined {
    const isToRouter = ethernetDestination === lan.mac && lan.addresses.some((ip) => ip.equals(destination));
    return isToRouter ? this.#transactions.nodeOf(lan.vnet, message) : undefined;
  }

  #carry(
    to: RouterId,
    vnet: VnetId,
    mac: Mac,
    message: DhcpMessage,
    way: 'home' | 'back',
    isRouted = false,
  ): void {
    const { messenger } = this.#context.ports;
    if (!messenger.upPeers().includes(to)) {
      this.#drop('peer-down');
      return;
    }
    const { family, bytes } = message;
    const carried = { type: 'dhcp', vnet, mac, family, bytes } as const;
    messenger.send(to, isRouted ? { ...carried, routed: true } : carried);
    this.#context.counters.count(`dhcp_carried_${way}`);
  }

  /** At the home router: from a MAC of its own, since a switch must not learn the node's at its port. */
  #toServers({ vnet, mac }: DhcpCarriedMessage, message: DhcpMessage): void {
    if (!this.#budget.allow(`servers|${vnet}|${mac}`)) {
      this.#drop('too-soon');
      return;
    }
    if (message.family === 6) this.#transactions.asked(vnet, mac, message);
    for (const lan of this.#homeLans(vnet, mac, message.family)) {
      const source = message.family === 4 ? message.ciaddr : ownLinkLocal(lan);
      if (source === undefined) {
        // An answer would not come back.
        this.#drop('no-link-local');
        continue;
      }
      const { mac: ethernetDestination, ip: destination } = toServers(message.family);
      // The answer to an IPv6 question comes to the kernel's link-local address, at the interface's own MAC.
      const ethernetSource = message.family === 4 ? servingMac(lan, 4) : lan.mac;
      const addresses = { ethernetSource, ethernetDestination, source, destination };
      const payload = message.family === 4 ? askedForBroadcast(message) : message.bytes;
      this.#context.ports.sendFrame(lan.index, encodeDhcpFrame(addresses, 'client', payload));
      this.#context.counters.count('dhcp_asked');
    }
  }

  /** The LANs of the node's home network: those where this router has an address of it; else all of the vnet. */
  #homeLans(vnet: VnetId, mac: Mac, family: 4 | 6): readonly Lan[] {
    const visit = visitElsewhere(this.#context, vnet, mac, family);
    const prefix = visit && this.#context.gndt.networkOf(vnet, visit.record.ip)?.prefix;
    const lans = this.#context.lansOf(vnet).filter(({ index }) => this.#context.lans.isActive(index));
    const ofNetwork = lans.filter(({ addresses }) => addresses.some((ip) => prefix?.contains(ip) === true));
    return ofNetwork.length > 0 ? ofNetwork : lans;
  }

  /** At the router where the node is. */
  #toNode({ vnet, mac, routed }: DhcpCarriedMessage, message: DhcpMessage): void {
    if (!this.#budget.allow(`node|${vnet}|${mac}`)) {
      this.#drop('too-soon');
      return;
    }
    if (message.family === 6) {
      this.#toNode6(vnet, mac, message);
      return;
    }
    this.#leases.answered(vnet, message);
    if (routed === true) {
      this.#context.counters.count('dhcp_routed');
      return;
    }
    const visit = visitHere(this.#context, vnet, mac, 4);
    const lan = visit && this.#context.lanOfNode(vnet, visit.record.ip);
    if (lan === undefined || !this.#context.lans.isActive(lan.index)) this.#drop('no-lan');
    else if (message.server?.isNodeAddress !== true) this.#drop('no-server');
    else this.#sendToNode4(lan, message, padded(message.bytes), message.server);
    if (message.kind !== 'nak' || visit === undefined) return;
    this.#context.ports.event({ event: 'dhcp_refused', vnet, ip: visit.record.ip, mac });
  }

  /**
   * To the node alone, from its server's address: to its own address when it has one (RFC 2131 §4.1), but a refusal.
   * @param about the message, or the one that it answers
   */
  #sendToNode4(lan: Lan, about: Dhcp4Message, payload: Uint8Array, source: Ip): void {
    const destination = about.ciaddr.isNodeAddress && about.kind !== 'nak' ? about.ciaddr : BROADCAST;
    const ethernetSource = servingMac(lan, 4);
    const addresses = { ethernetSource, ethernetDestination: about.mac, source, destination };
    this.#context.ports.sendFrame(lan.index, encodeDhcpFrame(addresses, 'server', payload));
    this.#context.counters.count('dhcp_delivered');
  }

  #toNode6(vnet: VnetId, mac: Mac, message: Dhcp6Message): void {
    const asker = this.#askers.askerOf(vnet, mac, message);
    const lan = asker && this.#context.lan(asker.lan);
    if (asker === undefined || lan === undefined) {
      this.#drop('unknown-client');
      return;
    }
    const visit = visitHere(this.#context, vnet, mac, 6);
    if (visit !== undefined) this.#leases6.answered(vnet, mac, message, visit);
    if (!this.#context.lans.isActive(lan.index)) this.#drop('no-lan');
    else this.#sendToNode6(lan, mac, asker.source, message.bytes);
  }

  #sendToNode6(lan: Lan, mac: Mac, destination: Ip, payload: Uint8Array): void {
    const source = ownLinkLocal(lan) ?? linkLocalOf(lan.mac);
    const addresses = { ethernetSource: lan.mac, ethernetDestination: mac, source, destination };
    this.#context.ports.sendFrame(lan.index, encodeDhcpFrame(addresses, 'server', payload));
    this.#context.counters.count('dhcp_delivered');
  }

  /** Always true: the message was about a visitor. */
  #drop(why: string): true {
    this.#context.counters.count(`dhcp_drop_${why}`);
    return true;
  }
}

function ownLinkLocal({ addresses }: Lan): Ip | undefined {
  return addresses.find((ip) => ip.family === 6 && ip.isLinkLocal);
}
