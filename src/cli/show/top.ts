/** `vinectl top`: two looks at the router, and what happened between them. */
import type { CountersView, MigrationView, PeerView, StatusView } from '../../control/api.js';
import { growthPerSecond } from '../../control/rates.js';
import type { SiteRoleView } from '../../control/role-view.js';
import { bytes, count, longDuration, preciseTime } from '../../control/units.js';
import { nodesLine } from './status.js';
import { clean, type Look, table } from './text.js';

export interface Sample {
  readonly atMs: number;
  readonly status: StatusView;
  readonly peers: readonly PeerView[];
  readonly counters: CountersView;
  readonly moves: readonly MigrationView[];
}

interface PeerRate {
  readonly id: string;
  readonly state: string;
  readonly rttMs: number | null;
  readonly sentBytesPerSecond: number;
  readonly receivedBytesPerSecond: number;
  readonly sentPacketsPerSecond: number;
  readonly receivedPacketsPerSecond: number;
}

/** What `vinectl top --json` prints, a line each time. */
export interface TopView {
  readonly router: string;
  readonly ready: boolean;
  readonly uptimeSeconds: number;
  /** Only of a site with two routers. */
  readonly role?: SiteRoleView;
  readonly nodesHere: number;
  readonly nodesVisiting: number;
  readonly nodesDeparted: number;
  readonly nodesMissing: number;
  readonly seconds: number;
  readonly peers: readonly PeerRate[];
  /** Reasons that have grown, with how many a second. */
  readonly dropsPerSecond: Readonly<Record<string, number>>;
  readonly moves: readonly MigrationView[];
}

export function rates(before: Sample, now: Sample): TopView {
  const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1000);
  const rate = (old: number, value: number): number => growthPerSecond(old, value, seconds);
  const old = new Map(before.peers.map((peer) => [peer.id, peer]));
  const { status, peers, counters, moves } = now;
  const drops = Object.entries(counters).flatMap(([name, value]): [string, number][] => {
    const grown = rate(before.counters[name] ?? 0, value);
    return name.startsWith('drop_') && grown > 0 ? [[name.slice('drop_'.length), grown]] : [];
  });
  return {
    router: status.id,
    ready: status.ready,
    uptimeSeconds: status.uptimeSeconds,
    ...(status.role && { role: status.role }),
    nodesHere: status.nodesHere,
    nodesVisiting: status.nodesVisiting,
    nodesDeparted: status.nodesDeparted,
    nodesMissing: status.nodesMissing,
    seconds,
    peers: peers.map((peer) => ({
      id: peer.id,
      state: peer.state,
      rttMs: peer.rttMs,
      sentBytesPerSecond: rate(old.get(peer.id)?.bytesSent ?? peer.bytesSent, peer.bytesSent),
      receivedBytesPerSecond: rate(old.get(peer.id)?.bytesReceived ?? peer.bytesReceived, peer.bytesReceived),
      sentPacketsPerSecond: rate(old.get(peer.id)?.packetsSent ?? peer.packetsSent, peer.packetsSent),
      receivedPacketsPerSecond: rate(
        old.get(peer.id)?.packetsReceived ?? peer.packetsReceived,
        peer.packetsReceived,
      ),
    })),
    dropsPerSecond: Object.fromEntries(drops.sort((a, b) => b[1] - a[1])),
    moves,
  };
}

export function showTop(view: TopView, { paint }: Look): string {
  const up = view.peers.filter(({ state }) => state === 'up').length;
  const head = [
    `${paint('bold', clean(view.router))}: ${view.ready ? 'ready' : 'not ready'}, up ${longDuration(view.uptimeSeconds * 1000)}`,
    ...(view.role === undefined ? [] : [roleWords(view.role)]),
    `${count(up)} of ${count(view.peers.length)} peers up`,
    nodesLine(view, 'nodes here'),
  ].join('; ');
  const busiest = [...view.peers].sort(
    (a, b) =>
      b.sentBytesPerSecond + b.receivedBytesPerSecond - a.sentBytesPerSecond - a.receivedBytesPerSecond,
  );
  const peers = table(
    busiest,
    [
      { title: 'PEER', text: (peer) => peer.id },
      {
        title: 'STATE',
        text: (peer) => peer.state,
        style: (peer) => (peer.state === 'up' ? 'green' : 'red'),
      },
      { title: 'RTT', text: ({ rttMs }) => (rttMs === null ? null : `${rttMs.toFixed(1)} ms`), right: true },
      { title: 'SENT/S', text: (peer) => bytes(Math.round(peer.sentBytesPerSecond)), right: true },
      { title: 'PACKETS/S', text: (peer) => count(Math.round(peer.sentPacketsPerSecond)), right: true },
      { title: 'RECEIVED/S', text: (peer) => bytes(Math.round(peer.receivedBytesPerSecond)), right: true },
      { title: 'PACKETS/S', text: (peer) => count(Math.round(peer.receivedPacketsPerSecond)), right: true },
    ],
    paint,
    'no peers',
  );
  const drops = table(
    Object.entries(view.dropsPerSecond),
    [
      { title: 'DROPPED FOR', text: ([reason]) => reason },
      { title: 'PACKETS/S', text: ([, perSecond]) => perSecond.toFixed(1), right: true },
    ],
    paint,
    'no drops',
  );
  const moves = table(
    [...view.moves].reverse(),
    [
      { title: 'MOVED AT', text: (move) => preciseTime(move.startedAt) },
      { title: 'NODE', text: (move) => move.ips.join(', ') },
      { title: 'FROM', text: (move) => move.from },
      { title: 'TO', text: (move) => move.to },
      { title: 'VERDICT', text: (move) => move.verdict },
    ],
    paint,
    'no moves',
  );
  return `${head}\n\n${peers}\n${drops}\n${moves}`;
}

function roleWords({ site, role, term, partner, partnerRole }: SiteRoleView): string {
  return clean(`${role} at ${site}, term ${term}, with ${partner} (${partnerRole ?? 'not heard yet'})`);
}
