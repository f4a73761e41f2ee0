/**
 * What the router says for the gateway addresses of a LAN, which no kernel has: the answers of RFC 826 and RFC 4861 §7.2.4,
 * and the announcements by which switches and hosts learn where they are (RFC 9568 §6.4.1).
 */
import { type Family, Ip } from '../net/ip.js';
import { BROADCAST_MAC, isGroupMac, ZERO_MAC } from '../net/mac.js';
import { isGatewayAddress, macsOf, type Served, servingMac } from '../tables/gateway.js';
import { announcementBroadcast, answer } from './announce.js';
import { ArpOperation, encodeArp } from './arp.js';
import { isGratuitous, type NeighbourFrame } from './frame.js';

const NOBODY = Ip.v4(0);

/**
 * The answer to a question for a gateway address; undefined to anything else. Whoever asks is answered, as by a kernel: also
 * duplicate detection, so that nobody takes the address. Who only says that it has the address is not answered.
 */
export function answerForGateway(frame: NeighbourFrame, lan: Served): Uint8Array | undefined {
  if (frame.kind === 'na' || frame.kind === 'rarp' || isGratuitous(frame)) return undefined;
  if (frame.kind === 'arp' && frame.operation !== ArpOperation.request) return undefined;
  const target = frame.kind === 'ns' ? frame.target : frame.targetIp;
  if (!isGatewayAddress(lan, target)) return undefined;
  const asker = frame.kind === 'ns' ? (frame.sourceMac ?? frame.ethernetSource) : frame.senderMac;
  // An answer to a group would be made up by one machine for all.
  if (asker === ZERO_MAC || isGroupMac(asker) || macsOf(lan).includes(asker)) return undefined;
  const mac = servingMac(lan, target.family);
  return answer(frame, mac, mac, true);
}

/**
 * Says to the whole LAN that this router serves it now. Of virtual MACs a frame from each is enough: it tells the switches,
 * and hosts have them already. What is said of an address is said to hosts too, for those that know it at another MAC.
 */
export function servingAnnouncements(lan: Served): Uint8Array[] {
  const { gateway = [], vrid } = lan;
  const frames = gateway.flatMap((ip) => {
    const mac = servingMac(lan, ip.family);
    const forms = announcementBroadcast(ip, mac, mac, true);
    // With its own MAC each host has to hear it: some take the one form, some the other.
    return vrid === undefined ? forms : forms.slice(0, 1);
  });
  if (vrid === undefined) return frames;
  const silent = ([4, 6] as const).filter((family) => !gateway.some((ip) => ip.family === family));
  return [...frames, ...silent.map((family) => reverseRequest(lan, family))];
}

/** As a hypervisor tells where a machine is now, and nothing of addresses (docs/decisions.md has the announcements). */
function reverseRequest(lan: Served, family: Family): Uint8Array {
  const mac = servingMac(lan, family);
  return encodeArp({
    kind: 'rarp',
    ethernetSource: mac,
    ethernetDestination: BROADCAST_MAC,
    operation: ArpOperation.reverseRequest,
    senderMac: mac,
    senderIp: NOBODY,
    targetMac: mac,
    targetIp: NOBODY,
  });
}
