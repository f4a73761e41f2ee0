/** What a host asks its LAN for. Pure. */
import { ArpOperation, type NeighbourFrame } from '../../arp/frame.js';
import type { Ip } from '../../net/ip.js';

/** Undefined: the frame asks for nothing, or says something of its sender (an announcement, duplicate detection). */
export function questionOf(frame: NeighbourFrame): Ip | undefined {
  if (frame.kind === 'ns') return frame.source.isUnspecified ? undefined : frame.target;
  if (frame.kind !== 'arp' || frame.operation !== ArpOperation.request) return undefined;
  if (frame.senderIp.isUnspecified || frame.senderIp.equals(frame.targetIp)) return undefined;
  return frame.targetIp;
}
