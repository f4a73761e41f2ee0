/**
 * Which questions the VR answers in another's name (proxy ARP, RFC 1027; proxy neighbour advertisement, RFC 4389).
 *
 * Never: announcements and probes; a node's question about itself; for a node that is on this LAN; for the gateway
 * machine's own addresses (its kernel answers) and for gateway addresses (`answerForGateway`); to an asker who may not
 * take part here. Otherwise yes when
 *   1. the target is native here and away at another VR, or a WireGuard client, or
 *   2. the asker is visiting here and the target lies in the asker's home network (known or not: it reaches all of
 *      its home network through the VR), or
 *   3. asker and target share the vnet's one large subnet and the target's network is another VR's, or
 *   4. the asker is visiting here and the target is a link-local address that nobody is known to have on this LAN: its
 *      default router of before, by the name that router advertisements gave it (RFC 4861 §6.3.4).
 */
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import { isGatewayAddress } from '../tables/gateway.js';
import type { Lan } from '../tables/lan.js';
import type {
  LanIndex,
  NetworkConfig,
  NodeRecord,
  RouterId,
  VnetConfig,
  VnetId,
  WireguardClient,
} from '../tables/model.js';
import { ArpOperation } from './arp.js';
import { isGratuitous, isProbe, type NeighbourFrame } from './frame.js';

/** What is asked of the tables; `Gndt`, `Directory`, `Lndt` and `Hwdt` fit. */
export interface ProxyView {
  readonly gndt: {
    readonly self: RouterId;
    vnet(id: VnetId): VnetConfig | undefined;
    networkOf(vnet: VnetId, ip: Ip): NetworkConfig | undefined;
    clientAt(vnet: VnetId, ip: Ip): WireguardClient | undefined;
  };
  readonly directory: {
    here(vnet: VnetId, ip: Ip): NodeRecord | undefined;
    byMac(vnet: VnetId, mac: Mac): readonly NodeRecord[];
  };
  readonly lndt: { authorises(vnet: VnetId, ip: Ip, mac: Mac | undefined): boolean };
  readonly hwdt: { get(vnet: VnetId, ip: Ip): { readonly lan: LanIndex } | undefined };
}

type ProxyLan = Pick<Lan, 'index' | 'vnet' | 'addresses' | 'gateway'>;

interface Question {
  readonly askerMac: Mac;
  readonly askerIp: Ip;
  readonly target: Ip;
}

/** True when the VR should send `answer(question, …)` with the MAC that it serves the LAN with. Anything but a question gives false. */
export function shouldAnswer(frame: NeighbourFrame, lan: ProxyLan, view: ProxyView): boolean {
  const question = questionOf(frame);
  if (question === undefined) return false;
  const { target } = question;
  if (target.isGroup || target.isUnspecified || target.isLoopback) return false;
  if (lan.addresses.some((own) => own.equals(target)) || isGatewayAddress(lan, target)) return false;
  if (isAboutItself(question, lan, view) || isOnLan(target, lan, view)) return false;
  const askers = askersOf(question, lan, view).filter((ip) => mayAsk(ip, question, lan, view));
  if (askers.length === 0) return false;
  return (
    isAway(target, lan, view) ||
    askers.some((asker) => isVisitorOf(asker, target, lan, view)) ||
    (target.isLinkLocal && askers.some((asker) => isVisiting(asker, lan, view))) ||
    askers.some((asker) => sharesLargeSubnet(asker, target, lan, view))
  );
}

function questionOf(frame: NeighbourFrame): Question | undefined {
  if (isGratuitous(frame) || isProbe(frame)) return undefined;
  if (frame.kind === 'ns') {
    const askerMac = frame.sourceMac ?? frame.ethernetSource;
    return { askerMac, askerIp: frame.source, target: frame.target };
  }
  if (frame.kind !== 'arp' || frame.operation !== ArpOperation.request) return undefined;
  return { askerMac: frame.senderMac, askerIp: frame.senderIp, target: frame.targetIp };
}

function isAboutItself(question: Question, lan: ProxyLan, view: ProxyView): boolean {
  if (question.askerIp.equals(question.target)) return true;
  return view.directory.here(lan.vnet, question.target)?.mac === question.askerMac;
}

/** The directory decides where it knows; a binding may outlive a node that has moved on. */
function isOnLan(ip: Ip, lan: ProxyLan, view: ProxyView): boolean {
  if (view.gndt.clientAt(lan.vnet, ip) !== undefined) return false;
  const record = view.directory.here(lan.vnet, ip);
  if (record !== undefined && record.router !== view.gndt.self) return false;
  const binding = view.hwdt.get(lan.vnet, ip);
  return binding === undefined ? record !== undefined : binding.lan === lan.index;
}

/**
 * The addresses that the asker may be known by. IPv6 hosts may ask from their link-local address, which is in no
 * network: then it is the node here with that MAC.
 */
function askersOf(question: Question, lan: ProxyLan, view: ProxyView): readonly Ip[] {
  if (!question.askerIp.isLinkLocal) return [question.askerIp];
  return view.directory
    .byMac(lan.vnet, question.askerMac)
    .filter((record) => record.router === view.gndt.self && record.ip.family === question.askerIp.family)
    .map((record) => record.ip);
}

/** The gateway of the target's network may always ask: what comes from the outside world comes through it. */
function mayAsk(asker: Ip, question: Question, lan: ProxyLan, view: ProxyView): boolean {
  const gateway = view.gndt.networkOf(lan.vnet, question.target)?.gateway;
  return gateway?.equals(asker) === true || view.lndt.authorises(lan.vnet, asker, question.askerMac);
}

/** Native to one of this VR's networks, and at another VR or behind WireGuard. */
function isAway(target: Ip, lan: ProxyLan, view: ProxyView): boolean {
  if (view.gndt.networkOf(lan.vnet, target)?.router !== view.gndt.self) return false;
  if (view.gndt.clientAt(lan.vnet, target) !== undefined) return true;
  const record = view.directory.here(lan.vnet, target);
  return record !== undefined && record.router !== view.gndt.self;
}

function isVisitorOf(asker: Ip, target: Ip, lan: ProxyLan, view: ProxyView): boolean {
  const home = view.gndt.networkOf(lan.vnet, asker);
  return isVisiting(asker, lan, view) && home?.prefix.contains(target) === true;
}

function isVisiting(asker: Ip, lan: ProxyLan, view: ProxyView): boolean {
  const home = view.gndt.networkOf(lan.vnet, asker);
  if (home === undefined || home.router === view.gndt.self) return false;
  return view.directory.here(lan.vnet, asker)?.router === view.gndt.self;
}

function sharesLargeSubnet(asker: Ip, target: Ip, lan: ProxyLan, view: ProxyView): boolean {
  const subnet = view.gndt.vnet(lan.vnet)?.subnet;
  if (subnet === undefined || !subnet.contains(asker) || !subnet.contains(target)) return false;
  const network = view.gndt.networkOf(lan.vnet, target);
  return network !== undefined && network.router !== view.gndt.self;
}
