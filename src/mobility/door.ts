/**
 * What a single record of another router may change: the same for a claim and for records that are sent, because both say
 * where a node is. Before anything changes: whose word it is, `mobility.allow`, the numbers, the bounds, the protection of
 * native hosts, and whether the node must first be asked for where it was.
 */
import type { Ip } from '../net/ip.js';
import { Prefix } from '../net/prefix.js';
import type { ClaimReason } from '../protocol/table-message.js';
import type { NodeRecord, RouterId, VnetId } from '../tables/model.js';
import { compareRecords, isDisowned, MAX_SEQUENCE } from '../tables/record.js';
import type { Context } from './context.js';
import type { DuplicateSuppression } from './suppression/duplicate-suppression.js';

/**
 * Sequence numbers up to here are taken from whoever may speak of the node, whatever is known: a router that has lost its
 * tables, or was cut off while others lied and were contradicted, must be able to follow. Half of the range is left.
 */
export const FREE_SEQUENCE = 2 ** 51;
/** Above it numbers rise in steps, so that no one gets a node's number to the end of the range: by so much in one message … */
export const SEQUENCE_STEP = 2 ** 10;
/** … and by so much for the router that has the node, had it, or is its home: it may have answered lies of which nothing is known here. */
export const HOLDERS_STEP = 2 ** 20;

export type Door =
  | { readonly is: 'open' }
  /** Open when the node is known to have gone from this router's LANs. */
  | { readonly is: 'ask-here' }
  /** Open when the router that has the node says that it has it no more. */
  | { readonly is: 'ask-there'; readonly router: RouterId }
  | {
      readonly is: 'shut';
      /** What the claimer is told. */
      readonly reason: Exclude<ClaimReason, ''>;
      /** Why it is misconduct; undefined: it can happen among honest routers. */
      readonly misconduct?: string;
    };

const OPEN: Door = { is: 'open' };
const ASK_HERE: Door = { is: 'ask-here' };
/** A claim of the same router was contradicted a while ago. */
const SUPPRESSED: Door = { is: 'shut', reason: 'node-answers-here' };

export function openDoor(
  context: Context,
  suppression: DuplicateSuppression,
  from: RouterId,
  record: NodeRecord,
  isObjection: boolean,
): Door {
  const { vnet, ip } = record;
  const { directory, gndt, self } = context;
  const shut = mayNotSay(context, from, record);
  if (shut !== undefined) return shut;
  const known = directory.get(vnet, ip);
  // It ends nothing but what that router has said.
  if (isDisowned(record)) return OPEN;
  if (known === undefined || known.router === from) return roomFor(context, from, known);
  if (record.state === 'withdrawn') return doorForTombstone(context, record, known);
  if (compareRecords(record, known) <= 0) return OPEN;
  if (known.state === 'withdrawn') return roomFor(context, from, known);
  const hadIt = isObjection && suppression.mayObject(vnet, ip, from);
  if (known.router === self) return doorToOwn(context, suppression, record, known, hadIt);
  const isSuppressed =
    suppression.suppressedMs(vnet, ip, from) > 0 || (suppression.isDoubted(vnet, ip, from) && !hadIt);
  const room = roomFor(context, from, known);
  if (room.is === 'shut') return room;
  // By the router that has it; it may have it no more.
  if (isSuppressed && !context.ports.messenger.upPeers().includes(known.router)) return SUPPRESSED;
  const isHeld = suppression.isFrozen(known) && !hadIt && gndt.peerIndex(known.router) >= 0;
  if (!isHeld && !isSuppressed && context.config.verify !== 'strict') return OPEN;
  return { is: 'ask-there', router: known.router };
}

/** May a number from outside be believed of this node? Else one message could push it to the end of its range. */
export function isWithinReach(
  { directory, gndt }: Pick<Context, 'directory' | 'gndt'>,
  from: RouterId | undefined,
  vnet: VnetId,
  ip: Ip,
  seq: number,
): boolean {
  const known = directory.get(vnet, ip);
  const isHolder =
    known?.router === from || directory.previous(vnet, ip) === from || gndt.homeOf(vnet, ip) === from;
  const base = known?.seq ?? 0;
  const most = isHolder
    ? Math.max(base, FREE_SEQUENCE) + HOLDERS_STEP
    : Math.max(base + SEQUENCE_STEP, FREE_SEQUENCE);
  return seq <= Math.min(most, MAX_SEQUENCE - HOLDERS_STEP);
}

/** Has this router sent packets for the address to that one, as far as its tables tell? */
export function isSentTo({ directory, gndt }: Context, to: RouterId, vnet: VnetId, ip: Ip): boolean {
  const known = directory.get(vnet, ip);
  return known?.router === to || directory.previous(vnet, ip) === to || gndt.homeOf(vnet, ip) === to;
}

function mayNotSay(context: Context, from: RouterId, record: NodeRecord): Door | undefined {
  const { vnet, ip } = record;
  const { gndt, self, directory } = context;
  if (record.router !== from || from === self) {
    return { is: 'shut', reason: 'not-yours', misconduct: 'not-yours' };
  }
  // It was a member when it said that.
  if (gndt.peerIndex(from) < 0) return { is: 'shut', reason: 'not-allowed' };
  // A record of before the network was taken out ends with its router's word.
  const isEnd = record.state === 'withdrawn' && directory.get(vnet, ip)?.router === from;
  // With another gndt.json: no misconduct.
  if (gndt.networkOf(vnet, ip) === undefined && !isEnd) return { is: 'shut', reason: 'unknown-network' };
  if (!gndt.mayClaim(vnet, ip, from) && !isEnd) return { is: 'shut', reason: 'not-allowed' };
  if (context.isOwnAddress(vnet, ip)) return { is: 'shut', reason: 'not-allowed' };
  if (!isWithinReach(context, from, vnet, ip, record.seq)) {
    return { is: 'shut', reason: 'not-allowed', misconduct: 'number' };
  }
  return undefined;
}

/** The directory is bounded, each router's share of it too, so that one cannot take the places of the others. */
function roomFor({ directory, limits }: Context, from: RouterId, known: NodeRecord | undefined): Door {
  if (known?.router === from) return OPEN;
  const isFull =
    directory.digest(from).count >= limits.nodesPerRouter ||
    (known === undefined && directory.size >= limits.nodes);
  return isFull ? { is: 'shut', reason: 'not-allowed', misconduct: 'too-many' } : OPEN;
}

/** Ends a record of its sender's, or stands in for one; it never displaces a live record of another router unasked. */
function doorForTombstone(context: Context, record: NodeRecord, known: NodeRecord): Door {
  if (known.state === 'withdrawn' || compareRecords(record, known) <= 0) return OPEN;
  if (known.router === context.self) return { is: 'shut', reason: 'node-answers-here' };
  return { is: 'ask-there', router: known.router };
}

/** @param hadIt the sender objects to the claim by which this router has the node, and had the node before */
function doorToOwn(
  { gndt, lndt, config, missing }: Context,
  suppression: DuplicateSuppression,
  record: NodeRecord,
  own: NodeRecord,
  hadIt: boolean,
): Door {
  const { vnet, ip, mac } = record;
  if (own.mac !== mac && gndt.isHome(vnet, ip)) {
    const pin = lndt.entryFor(vnet, Prefix.host(ip))?.mac;
    if (pin !== undefined && pin !== mac) return { is: 'shut', reason: 'not-allowed' };
  }
  // It was asked already, and did not answer. Whoever has found it may have it at once.
  const isMissing = missing.has(vnet, ip, mac);
  const isStrict = config.verify === 'strict' && !isMissing;
  // Two that froze it at once: the order of records decides, or they would refuse each other for ever.
  const isOrdered = record.frozen === true;
  if (suppression.isFrozen(own) && !hadIt && !isOrdered) return { is: 'shut', reason: 'frozen' };
  if (suppression.suppressedMs(vnet, ip, record.router) > 0) return SUPPRESSED;
  return isStrict || own.mac !== mac ? ASK_HERE : OPEN;
}
