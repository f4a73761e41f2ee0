/**
 * The detector's table (docs of the design, "Detector"): what a piece of evidence means, given what the tables say.
 * Pure; each row of the table is one branch. A move makes the directory say "here", so the rest of an announcement
 * burst is `local`: at most one candidate per (vnet, MAC).
 */
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { NetworkConfig, NodeRecord, RouterId, VnetId } from '../tables/model.js';
import type { Evidence } from './evidence.js';

export type Verdict =
  /** Where the directory says it is. */
  | { readonly verdict: 'local' }
  /** Authorised here and not known anywhere: learn it. */
  | { readonly verdict: 'new'; readonly ip: Ip; readonly seq: number }
  /** Here with another MAC: failover inside the site. */
  | { readonly verdict: 'rebinding'; readonly record: NodeRecord }
  /** A node that was elsewhere; all its addresses there move together. */
  | { readonly verdict: 'move'; readonly records: readonly NodeRecord[] }
  /** Its address is at another VR with another MAC: reuse, failover pair, or theft. */
  | { readonly verdict: 'conflict'; readonly record: NodeRecord }
  /** Someone uses an address of the gateway machine itself. */
  | { readonly verdict: 'own-address'; readonly ip: Ip }
  /** RARP of a MAC that is at several VRs (cloned or virtual): only its addresses can tell which node it is. */
  | { readonly verdict: 'ambiguous'; readonly records: readonly NodeRecord[] }
  /** RARP of a MAC that nobody has told us of: ask. */
  | { readonly verdict: 'unknown-mac' }
  /** An address native to another site that nobody has told us of: its home VR may know. */
  | { readonly verdict: 'unknown-address'; readonly ip: Ip; readonly home: RouterId }
  /** In no network, not in the LNDT, or not with the MAC that the LNDT pins. */
  | { readonly verdict: 'unauthorised'; readonly ip: Ip; readonly pinned: boolean }
  /** Link-local: on every host, in no network. */
  | { readonly verdict: 'link-local' };

/** What the detector asks of the tables; `Gndt`, `Lndt`, `Directory` and `Context` fit. */
export interface DetectorView {
  readonly self: RouterId;
  readonly gndt: {
    networkOf(vnet: VnetId, ip: Ip): NetworkConfig | undefined;
    mayClaim(vnet: VnetId, ip: Ip, router: RouterId): boolean;
  };
  readonly lndt: { authorises(vnet: VnetId, ip: Ip, mac: Mac | undefined): boolean };
  readonly directory: {
    get(vnet: VnetId, ip: Ip): NodeRecord | undefined;
    byMac(vnet: VnetId, mac: Mac): readonly NodeRecord[];
  };
  isOwnAddress(vnet: VnetId, ip: Ip): boolean;
}

export function classify(evidence: Evidence, view: DetectorView): Verdict {
  const { ip } = evidence;
  return ip === undefined ? ofMac(evidence, view) : ofBinding(evidence, ip, view);
}

function ofMac(evidence: Evidence, view: DetectorView): Verdict {
  const records = view.directory.byMac(evidence.lan.vnet, evidence.mac);
  const [first] = records;
  if (first === undefined) return { verdict: 'unknown-mac' };
  if (records.some((record) => record.router === view.self)) return { verdict: 'local' };
  const together = records.every((record) => record.router === first.router);
  return { verdict: together ? 'move' : 'ambiguous', records };
}

function ofBinding(evidence: Evidence, ip: Ip, view: DetectorView): Verdict {
  const { vnet } = evidence.lan;
  if (view.isOwnAddress(vnet, ip)) return { verdict: 'own-address', ip };
  if (ip.isLinkLocal) return { verdict: 'link-local' };
  const record = view.directory.get(vnet, ip);
  if (record === undefined || record.state === 'withdrawn') return ofUnplaced(evidence, ip, record, view);
  if (record.router !== view.self) {
    if (record.mac !== evidence.mac) return { verdict: 'conflict', record };
    return { verdict: 'move', records: withOthers(record, view) };
  }
  if (record.mac === evidence.mac) return { verdict: 'local' };
  return view.lndt.authorises(vnet, ip, evidence.mac)
    ? { verdict: 'rebinding', record }
    : { verdict: 'unauthorised', ip, pinned: true };
}

/** The record and the node's other addresses at the same VR. */
function withOthers(record: NodeRecord, view: DetectorView): readonly NodeRecord[] {
  const others = view.directory
    .byMac(record.vnet, record.mac)
    .filter((other) => other.router === record.router && !other.ip.equals(record.ip));
  return [record, ...others];
}

/** No router says that it has this address: never heard of, or withdrawn. */
function ofUnplaced(
  evidence: Evidence,
  ip: Ip,
  tombstone: NodeRecord | undefined,
  view: DetectorView,
): Verdict {
  const { vnet } = evidence.lan;
  const network = view.gndt.networkOf(vnet, ip);
  if (network === undefined) return { verdict: 'unauthorised', ip, pinned: false };
  const authorised = view.lndt.authorises(vnet, ip, evidence.mac);
  if (tombstone === undefined) {
    if (authorised) return { verdict: 'new', ip, seq: 1 };
  } else if (authorised && tombstone.router === view.self) {
    return { verdict: 'new', ip, seq: tombstone.seq };
  } else if (authorised || tombstone.mac === evidence.mac) {
    // Withdrawn elsewhere, or by us as a place it had only visited: caches may still lead there, so it is a move.
    return { verdict: 'move', records: [tombstone] };
  }
  if (network.router !== view.self) {
    // Another address of a machine that is visiting: it follows without a move of its own.
    const isVisitors = view.directory
      .byMac(vnet, evidence.mac)
      .some(
        (own) => own.router === view.self && view.gndt.networkOf(vnet, own.ip)?.router === network.router,
      );
    if (tombstone === undefined && isVisitors && view.gndt.mayClaim(vnet, ip, view.self)) {
      return { verdict: 'new', ip, seq: 1 };
    }
    return { verdict: 'unknown-address', ip, home: network.router };
  }
  return { verdict: 'unauthorised', ip, pinned: view.lndt.authorises(vnet, ip, undefined) };
}
