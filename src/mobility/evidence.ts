/** What a captured frame says about who is on the LAN: a MAC, or a MAC and an address. Pure. */
import { ArpOperation, type ArpPacket, isGratuitous, isProbe, type NeighbourFrame } from '../arp/frame.js';
import type { Ip } from '../net/ip.js';
import { isGroupMac, type Mac, ZERO_MAC } from '../net/mac.js';
import type { Lan } from '../tables/lan.js';
import type { BindingSource, MoveTrigger } from '../tables/model.js';

export interface Evidence {
  readonly lan: Lan;
  readonly mac: Mac;
  /** Undefined: RARP, which says nothing about addresses. */
  readonly ip: Ip | undefined;
  readonly trigger: MoveTrigger;
  readonly source: BindingSource;
  /** Said to this router, as answers to its questions are; not to all. */
  readonly isAnswer: boolean;
  /** When the frame was captured, milliseconds of the monotonic clock. */
  readonly atMs: number;
}

/** Why a frame says nothing. */
export type NotEvidence = 'own-frame' | 'address-probe' | 'bad-sender' | 'no-binding';

/**
 * @param isOwnMac the VR's LAN interfaces: its proxy answers, its announcements and its kernel's own frames are no
 *   evidence of anything
 */
export function evidenceOf(
  lan: Lan,
  frame: NeighbourFrame,
  atMs: number,
  isOwnMac: (mac: Mac) => boolean,
): Evidence | NotEvidence {
  if (isOwnMac(frame.ethernetSource)) return 'own-frame';
  if (isProbe(frame) && frame.kind !== 'rarp') return 'address-probe';
  if (frame.kind === 'rarp') return ofRarp(lan, frame, atMs);
  const [ip, mac] = bindingOf(frame);
  if (mac === undefined) return 'no-binding';
  if (isOwnMac(mac)) return 'own-frame';
  if (mac === ZERO_MAC || isGroupMac(mac) || ip.isGroup || ip.isUnspecified || ip.isLoopback) {
    return 'bad-sender';
  }
  const isAnswer = isReply(frame) && isOwnMac(frame.ethernetDestination);
  return { lan, mac, ip, trigger: triggerOf(frame), source: sourceOf(frame), isAnswer, atMs };
}

/** A reverse request (RFC 903, operation 3) as hypervisors broadcast it: "this MAC is now on this port". */
function ofRarp(lan: Lan, frame: ArpPacket, atMs: number): Evidence | NotEvidence {
  if (frame.operation !== ArpOperation.reverseRequest) return 'no-binding';
  const mac = frame.senderMac;
  if (mac === ZERO_MAC || isGroupMac(mac)) return 'bad-sender';
  return { lan, mac, ip: undefined, trigger: 'rarp', source: 'rarp', isAnswer: false, atMs };
}

/** The binding of the frame's sender (RFC 826), solicitor or advertised target (RFC 4861 §7.2). */
function bindingOf(frame: NeighbourFrame): [Ip, Mac | undefined] {
  if (frame.kind === 'na') return [frame.target, frame.targetMac ?? frame.ethernetSource];
  if (frame.kind === 'ns') return [frame.source, frame.sourceMac];
  return [frame.senderIp, frame.senderMac];
}

function isReply(frame: NeighbourFrame): boolean {
  return frame.kind === 'na' || (frame.kind === 'arp' && frame.operation === ArpOperation.reply);
}

function triggerOf(frame: NeighbourFrame): MoveTrigger {
  if (frame.kind === 'na' || frame.kind === 'ns') return 'neighbour-advertisement';
  return isGratuitous(frame) ? 'gratuitous-arp' : 'arp';
}

function sourceOf(frame: NeighbourFrame): BindingSource {
  if (frame.kind === 'na' || frame.kind === 'ns') return 'ndp';
  if (isGratuitous(frame)) return 'gratuitous';
  return frame.kind === 'arp' && frame.operation === ArpOperation.request ? 'arp-request' : 'arp-reply';
}
