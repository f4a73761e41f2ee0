/**
 * The frames that redirect a host's traffic: "`ip` is at `at`". What Linux takes and refuses was measured:
 *   - a request with sender IP = target IP is always taken;
 *   - a reply overrides the 1 s lock time of a fresh entry only when it is gratuitous, and to Linux it is so only
 *     when its target MAC is its sender MAC;
 *   - unicast, a gratuitous reply makes the entry REACHABLE at once;
 *   - a neighbour advertisement replaces a live entry only with the Override flag.
 *
 * `via` is the VR's own MAC. It is the Ethernet source of every frame here: with the node's own, a switch would learn
 * the wrong port for the node. IPv6 frames come from the link-local address that belongs to `via` (RFC 4861 §7.2.6:
 * an address of the sending interface).
 *
 * `router` is the R flag of an advertisement: an R = 0 makes hosts forget a default router of theirs (RFC 4861
 * §7.2.5), so it must be true where `ip` is a gateway. Without meaning for IPv4.
 */
import { Ip } from '../net/ip.js';
import { BROADCAST_MAC, isGroupMac, type Mac, ZERO_MAC } from '../net/mac.js';
import { ArpOperation, type ArpPacket, encodeArp } from './arp.js';
import { ALL_NODES, groupMac, linkLocalOf, solicitedNodeAddress } from './ipv6.js';
import { encodeNdp, type NeighbourSolicitation } from './ndp.js';

const UNSPECIFIED_V4 = Ip.v4(0);

/** To the whole LAN. IPv4: request form, then reply form. IPv6: an unsolicited NA to all nodes. */
export function announcementBroadcast(ip: Ip, at: Mac, via: Mac, router = false): Uint8Array[] {
  if (ip.family === 6) return [advertisement(ip, at, via, groupMac(ALL_NODES), ALL_NODES, router)];
  const request: ArpPacket = {
    kind: 'arp',
    ethernetSource: via,
    ethernetDestination: BROADCAST_MAC,
    operation: ArpOperation.request,
    senderMac: at,
    senderIp: ip,
    targetMac: ZERO_MAC,
    targetIp: ip,
  };
  return [encodeArp(request), gratuitousReply(ip, at, via, BROADCAST_MAC)];
}

/**
 * To one host only, by its MAC: nobody else's cache is touched. `toIp` is the host's address if known; without it an
 * IPv6 host gets the NA as one to all nodes, in a frame addressed to it alone.
 */
export function announcementTo(
  ip: Ip,
  at: Mac,
  via: Mac,
  to: Mac,
  toIp: Ip | undefined,
  router = false,
): Uint8Array[] {
  if (ip.family === 4) return [gratuitousReply(ip, at, via, to)];
  return [advertisement(ip, at, via, to, toIp?.family === 6 ? toIp : ALL_NODES, router)];
}

/**
 * "Are you there?" `to` is the MAC where `ip` is expected, or broadcast. `from` is an own address; without it the
 * question is an ARP probe (sender 0.0.0.0, RFC 5227), which no host learns from. IPv6 has no such question from
 * nobody (an NS from `::` is duplicate detection), so it comes from the link-local address of `via`; and it goes to
 * the solicited-node group also in a frame to one MAC, because an answer to a unicast address may leave out the MAC
 * (RFC 4861 §4.4), and that is what is asked for.
 */
export function probe(ip: Ip, via: Mac, to: Mac, from: Ip | undefined): Uint8Array {
  if (ip.family === 6) {
    const destination = solicitedNodeAddress(ip);
    return encodeNdp({
      kind: 'ns',
      ethernetSource: via,
      ethernetDestination: isGroupMac(to) ? groupMac(destination) : to,
      source: from?.family === 6 ? from : linkLocalOf(via),
      destination,
      target: ip,
      sourceMac: via,
    });
  }
  return encodeArp({
    kind: 'arp',
    ethernetSource: via,
    ethernetDestination: to,
    operation: ArpOperation.request,
    senderMac: via,
    senderIp: from?.family === 4 ? from : UNSPECIFIED_V4,
    targetMac: ZERO_MAC,
    targetIp: ip,
  });
}

/**
 * "Are you there?" as nobody, to one IPv4 machine (ARP probe, RFC 5227: no host learns from it), with the answer to go to
 * `answerTo` (RFC 826: to the sender's hardware address), who need not be who sends the frame.
 */
export function strayProbe(ip: Ip, via: Mac, answerTo: Mac, to: Mac): Uint8Array {
  return encodeArp({
    kind: 'arp',
    ethernetSource: via,
    ethernetDestination: to,
    operation: ArpOperation.request,
    senderMac: answerTo,
    senderIp: UNSPECIFIED_V4,
    targetMac: ZERO_MAC,
    targetIp: ip,
  });
}

/** The proxy answer "what you ask for is at `at`", to the asker alone. */
export function answer(
  question: ArpPacket | NeighbourSolicitation,
  at: Mac,
  via: Mac,
  router = false,
): Uint8Array {
  if (question.kind === 'ns') return answerSolicitation(question, at, via, router);
  return encodeArp({
    kind: 'arp',
    ethernetSource: via,
    ethernetDestination: question.senderMac,
    operation: ArpOperation.reply,
    senderMac: at,
    senderIp: question.targetIp,
    targetMac: question.senderMac,
    targetIp: question.senderIp,
  });
}

function answerSolicitation(question: NeighbourSolicitation, at: Mac, via: Mac, router: boolean): Uint8Array {
  return encodeNdp({
    kind: 'na',
    ethernetSource: via,
    ethernetDestination: question.sourceMac ?? question.ethernetSource,
    source: linkLocalOf(via),
    // Duplicate detection asks from `::`, which cannot be answered but to all nodes (RFC 4861 §7.2.4).
    destination: question.source.isUnspecified ? ALL_NODES : question.source,
    target: question.target,
    targetMac: at,
    override: true,
    solicited: !question.source.isUnspecified,
    router,
  });
}

function gratuitousReply(ip: Ip, at: Mac, via: Mac, to: Mac): Uint8Array {
  return encodeArp({
    kind: 'arp',
    ethernetSource: via,
    ethernetDestination: to,
    operation: ArpOperation.reply,
    senderMac: at,
    senderIp: ip,
    targetMac: at,
    targetIp: ip,
  });
}

function advertisement(ip: Ip, at: Mac, via: Mac, to: Mac, toIp: Ip, router: boolean): Uint8Array {
  return encodeNdp({
    kind: 'na',
    ethernetSource: via,
    ethernetDestination: to,
    source: linkLocalOf(via),
    destination: toIp,
    target: ip,
    targetMac: at,
    override: true,
    solicited: false,
    router,
  });
}
