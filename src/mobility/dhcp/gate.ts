/**
 * What a router may say of a node's DHCP: only of one that is visiting, only between its home router and the one where it
 * is, and only what is a message of a client (to the home router) or of a server (back). What is put on a LAN is made
 * here from such a message; no frame and no packet of another router ever is.
 */
import { type DhcpMessage, decodeDhcp } from '../../arp/dhcp/frame.js';
import type { DhcpCarriedMessage } from '../../protocol/table-message.js';
import type { RouterId } from '../../tables/model.js';
import type { Context } from '../context.js';
import { isBetween, isForHome, speaksOfItself } from './relation.js';

/** The carried message, read; or why it may not be said. */
export function readCarried(
  context: Context,
  from: RouterId,
  { vnet, mac, family, bytes, routed }: DhcpCarriedMessage,
): DhcpMessage | 'malformed' | 'not-yours' {
  const message = decodeDhcp(family, bytes);
  if (typeof message === 'string') return 'malformed';
  if (message.family === 4 && (message.mac !== mac || !message.giaddr.isUnspecified)) return 'not-yours';
  const { self } = context;
  if (message.from === 'server') {
    return isBetween(context, vnet, mac, { home: from, at: self }) ? message : 'not-yours';
  }
  if (routed === true) return 'malformed';
  const isVisitor = isBetween(context, vnet, mac, { home: self, at: from });
  const isIts = isForHome(context, vnet, self, message) && speaksOfItself(context, vnet, mac, message);
  return isVisitor && isIts ? message : 'not-yours';
}
