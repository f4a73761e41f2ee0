/** Sites and their routers: state, round trip, and what passes between two looks. */
import type { PeerView, StatusView } from '../../api.js';
import { growthPerSecond } from '../../rates.js';

/** A look at the peers. */
export interface PeerSample {
  readonly atMs: number;
  readonly peers: readonly Pick<PeerView, 'id' | 'bytesSent' | 'bytesReceived'>[];
}

export interface Rate {
  readonly sentPerSecond: number;
  readonly receivedPerSecond: number;
}

/** A router in the table, this one too. */
export interface RouterRow {
  /** A router in no site of gndt.json is a site by itself. */
  readonly site: string;
  readonly id: string;
  readonly state: 'this router' | PeerView['state'];
  /** It answers and forwards for its site. */
  readonly active: boolean;
  readonly reason: string;
  readonly transport: string;
  readonly rttMs: number | null;
  readonly lossPercent: number | null;
  /** Undefined: there are no two looks yet. */
  readonly rate: Rate | undefined;
}

/** By peer, from two looks; one that was not there before has none. */
export function ratesOf(before: PeerSample | undefined, now: PeerSample): ReadonlyMap<string, Rate> {
  const rates = new Map<string, Rate>();
  if (before === undefined || now.atMs <= before.atMs) return rates;
  const seconds = (now.atMs - before.atMs) / 1000;
  const old = new Map(before.peers.map((peer) => [peer.id, peer]));
  for (const { id, bytesSent, bytesReceived } of now.peers) {
    const then = old.get(id);
    if (then === undefined) continue;
    rates.set(id, {
      sentPerSecond: growthPerSecond(then.bytesSent, bytesSent, seconds),
      receivedPerSecond: growthPerSecond(then.bytesReceived, bytesReceived, seconds),
    });
  }
  return rates;
}

export function totalOf(rates: Iterable<Rate>): Rate {
  let [sentPerSecond, receivedPerSecond] = [0, 0];
  for (const rate of rates) {
    sentPerSecond += rate.sentPerSecond;
    receivedPerSecond += rate.receivedPerSecond;
  }
  return { sentPerSecond, receivedPerSecond };
}

/** This router first, then by site and name. */
export function routerRows(
  status: StatusView,
  peers: readonly PeerView[],
  rates: ReadonlyMap<string, Rate>,
): readonly RouterRow[] {
  const own: RouterRow = {
    site: status.role?.site ?? status.id,
    id: status.id,
    state: 'this router',
    active: status.role === null || status.role.role === 'active',
    reason: status.ready ? '' : 'not ready',
    transport: '',
    rttMs: null,
    lossPercent: null,
    rate: rates.size === 0 ? undefined : totalOf(rates.values()),
  };
  const others = peers.map(
    ({ id, site, state, active, reason, transport, relay, rttMs, lossPercent }): RouterRow => ({
      site: site ?? id,
      id,
      state,
      active,
      reason,
      transport: relay === null ? transport : `by way of ${relay}`,
      rttMs,
      lossPercent,
      rate: rates.get(id),
    }),
  );
  const inOrder = (one: RouterRow, other: RouterRow): number =>
    compare(one.site, other.site) || compare(one.id, other.id);
  return [own, ...others.sort(inOrder)];
}

export function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
