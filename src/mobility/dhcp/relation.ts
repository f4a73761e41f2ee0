/** Whose DHCP is carried, and between which routers: only that of nodes that are visiting. */
import type { DhcpMessage } from '../../arp/dhcp/frame.js';
import type { Ip } from '../../net/ip.js';
import type { Mac } from '../../net/mac.js';
import type { NodeRecord, RouterId, VnetId } from '../../tables/model.js';
import type { Context } from '../context.js';

type Family = 4 | 6;

/** A node away from home: one of its records, and the two routers. */
export interface Visit {
  readonly record: NodeRecord;
  readonly home: RouterId;
}

/** The node is on a LAN of this router, and native to another's network. Of several networks, that of the family first. */
export function visitHere(context: Context, vnet: VnetId, mac: Mac, family: Family): Visit | undefined {
  const { self } = context;
  return best(context, vnet, mac, family, ({ record, home }) => record.router === self && home !== self);
}

/** The node is native to a network of this router, and on another's LAN. */
export function visitElsewhere(context: Context, vnet: VnetId, mac: Mac, family: Family): Visit | undefined {
  const { self } = context;
  return best(context, vnet, mac, family, ({ record, home }) => record.router !== self && home === self);
}

/** Is there a visit of the node with these two routers? */
export function isBetween(
  context: Context,
  vnet: VnetId,
  mac: Mac,
  { home, at }: { readonly home: RouterId; readonly at: RouterId },
): boolean {
  return (
    home !== at &&
    visits(context, vnet, mac).some((visit) => visit.home === home && visit.record.router === at)
  );
}

/**
 * Does a client's message speak of no address that the directory has with another MAC? Servers go by identifiers in the
 * message that nobody can check; so nobody gives back, declines or takes over the lease of a node that takes part. What a
 * client wishes for (DISCOVER, SOLICIT) is no claim.
 */
export function speaksOfItself(
  { directory }: Context,
  vnet: VnetId,
  mac: Mac,
  message: DhcpMessage,
): boolean {
  return addressesIn(message).every((ip) => {
    const record = directory.here(vnet, ip);
    return record === undefined || record.mac === mac;
  });
}

/**
 * Are all addresses that a client's message speaks of native to the router's networks? A node that has taken an address of
 * the site that it visits speaks of that to the server there; its home server would refuse it.
 */
export function isForHome({ gndt }: Context, vnet: VnetId, home: RouterId, message: DhcpMessage): boolean {
  return addressesIn(message).every((ip) => gndt.homeOf(vnet, ip) === home);
}

function addressesIn(message: DhcpMessage): readonly Ip[] {
  if (message.from === 'server' || message.kind === 'solicit') return [];
  if (message.family === 6) return message.addresses;
  const requested = message.kind === 'discover' || message.requested === undefined ? [] : [message.requested];
  return message.ciaddr.isUnspecified ? requested : [message.ciaddr, ...requested];
}

function best(
  context: Context,
  vnet: VnetId,
  mac: Mac,
  family: Family,
  fits: (visit: Visit) => boolean,
): Visit | undefined {
  const fitting = visits(context, vnet, mac).filter(fits);
  return fitting.find(({ record }) => record.ip.family === family) ?? fitting[0];
}

/** Where a WireGuard client is the file says: it is no visitor. */
function visits({ directory, gndt }: Context, vnet: VnetId, mac: Mac): readonly Visit[] {
  return directory.byMac(vnet, mac).flatMap((record) => {
    const home = gndt.clientAt(vnet, record.ip) === undefined ? gndt.homeOf(vnet, record.ip) : undefined;
    return home === undefined || home === record.router ? [] : [{ record, home }];
  });
}
