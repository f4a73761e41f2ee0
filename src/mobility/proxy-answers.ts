/** Proxy ARP and ND, at once: the kernel's own would wait up to 0.8 s. */
import { answer } from '../arp/announce.js';
import type { NeighbourFrame } from '../arp/frame.js';
import { shouldAnswer } from '../arp/proxy.js';
import { servingMac } from '../tables/gateway.js';
import type { Lan } from '../tables/lan.js';
import type { Context } from './context.js';
import { isGateway } from './neighbours.js';

export function answerInName(context: Context, lan: Lan, frame: NeighbourFrame): void {
  if (frame.kind === 'na' || frame.kind === 'rarp' || context.isOwnMac(frame.ethernetSource)) return;
  if (!context.lans.isActive(lan.index) || !shouldAnswer(frame, lan, context)) return;
  const target = frame.kind === 'ns' ? frame.target : frame.targetIp;
  // A default router that says it is none is given up by the host (RFC 4861 §7.2.5).
  const router = target.isLinkLocal || isGateway(context, lan.vnet, target);
  const at = servingMac(lan, target.family);
  context.ports.sendFrame(lan.index, answer(frame, at, at, router));
  context.counters.count('proxy_answers');
  context.ports.answered?.(lan.index, frame);
}
