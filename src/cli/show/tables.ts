/** `vinectl peers`, `clients`, `gndt`, `lndt`, `hwdt`, `directory`, `missing`. */
import type {
  ClientView,
  DirectoryView,
  GndtView,
  HwdtView,
  LndtView,
  MissingView,
  PeerView,
} from '../../control/api.js';
import { age, bytes, count, duration } from '../../control/units.js';
import { type Column, type Look, table } from './text.js';

const PEER_STYLES = { up: 'green', connecting: 'yellow', down: 'red', refused: 'red' } as const;

/** Three that are shown only when there is something in them. */
const SITE: Column<PeerView> = {
  title: 'SITE',
  text: ({ site, active }) => site && `${site}, ${active ? 'active' : 'standby'}`,
  style: ({ site, active }) => (site && active ? 'green' : undefined),
};
const NAME: Column<PeerView> = { title: 'NAME', text: peerName };
const resolvedAt = (nowMs: number): Column<PeerView> => ({
  title: 'RESOLVED',
  text: (peer) => peerResolved(peer, nowMs),
  style: ({ names }) => (names.some(({ problem }) => problem !== '') ? 'yellow' : undefined),
});
const CIPHER_NAMES: Readonly<Record<string, string>> = {
  'chacha20-poly1305': 'ChaCha20',
  'aes-256-gcm': 'AES',
};
const CIPHER: Column<PeerView> = {
  title: 'CIPHER',
  text: ({ cipher, cipherReason }) => cipher && `${CIPHER_NAMES[cipher] ?? cipher} (${cipherReason})`,
};
const REASON: Column<PeerView> = { title: 'REASON', text: (peer) => peer.reason || null };
const REFUSED: Column<PeerView> = {
  title: 'REFUSED',
  text: ({ refusals, misbehaving }) => `${count(refusals)}${misbehaving ? ', misbehaving' : ''}`,
  style: (peer) => (peer.misbehaving ? 'red' : undefined),
};

export function showPeers(peers: readonly PeerView[], { paint, nowMs }: Look): string {
  const hasNames = peers.some((peer) => peer.names.length > 0);
  const columns: Column<PeerView>[] = [
    { title: 'PEER', text: (peer) => peer.id },
    ...(peers.some((peer) => peer.site) ? [SITE] : []),
    { title: 'STATE', text: (peer) => peer.state, style: (peer) => PEER_STYLES[peer.state] },
    { title: 'PATH', text: peerPath, style: (peer) => PATH_STYLES[peer.transport] },
    { title: 'ENDPOINT', text: (peer) => peer.endpoint },
    ...(hasNames ? [NAME, resolvedAt(nowMs)] : []),
    { title: 'HANDSHAKE', text: (peer) => age(peer.lastHandshakeAt, nowMs) },
    {
      title: 'RTT',
      text: (peer) => (peer.rttMs === null ? null : `${peer.rttMs.toFixed(1)} ms`),
      right: true,
    },
    {
      title: 'LOSS',
      text: (peer) => (peer.lossPercent === null ? null : `${Math.round(peer.lossPercent)} %`),
      right: true,
    },
    { title: 'RECEIVED', text: (peer) => bytes(peer.bytesReceived), right: true },
    { title: 'SENT', text: (peer) => bytes(peer.bytesSent), right: true },
    { title: 'MTU', text: (peer) => String(peer.innerMtuBytes), right: true },
    {
      title: 'PATH MTU',
      text: (peer) => (peer.pathMtuBytes === null ? null : String(peer.pathMtuBytes)),
      right: true,
    },
    { title: 'VERSION', text: (peer) => peer.version },
    ...(peers.some((peer) => peer.cipher) ? [CIPHER] : []),
    ...(peers.some((peer) => peer.refusals > 0) ? [REFUSED] : []),
    ...(peers.some((peer) => peer.reason !== '') ? [REASON] : []),
  ];
  return table(peers, columns, paint, 'no peers');
}

/** The name that the endpoint was found by; in parentheses those that it was not found by. */
function peerName({ names, nameInUse }: PeerView): string | null {
  if (nameInUse !== null) return nameInUse;
  return names.length === 0 ? null : `(${[...new Set(names.map(({ name }) => name))].join(', ')})`;
}

/** When the name was resolved last, and whether that fails now. */
function peerResolved({ names, nameInUse }: PeerView, nowMs: number): string | null {
  const shown = names.find(({ name }) => name === nameInUse) ?? names[0];
  if (shown === undefined) return null;
  const when = age(shown.resolvedAt, nowMs);
  return shown.problem === '' ? when : `${when}, failing`;
}

const PATH_STYLES = { udp: undefined, tcp: 'yellow', relay: 'yellow', none: undefined } as const;

/** `direct`, `tcp`, or `via` the router that relays; null when there is none. */
function peerPath({ transport, relay }: PeerView): string | null {
  if (transport === 'none') return null;
  if (transport === 'relay') return `via ${relay}`;
  return transport === 'udp' ? 'direct' : 'tcp';
}

/** Shown while one is being called. */
const CALLS: Column<ClientView> = {
  title: 'CALLS',
  text: (client) => (client.calls > 0 ? String(client.calls) : null),
  style: () => 'yellow',
  right: true,
};

export function showClients(clients: readonly ClientView[], { paint, nowMs }: Look): string {
  const columns: Column<ClientView>[] = [
    { title: 'VNET', text: (client) => client.vnet },
    { title: 'IP', text: (client) => client.ip },
    {
      title: 'STATE',
      text: (client) => client.state,
      style: (client) => (client.state === 'connected' ? 'green' : 'dim'),
    },
    { title: 'ENDPOINT', text: (client) => client.endpoint },
    { title: 'HANDSHAKE', text: (client) => age(client.lastHandshakeAt, nowMs) },
    { title: 'RECEIVED', text: (client) => bytes(client.bytesReceived), right: true },
    { title: 'SENT', text: (client) => bytes(client.bytesSent), right: true },
    ...(clients.some((client) => client.calls > 0) ? [CALLS] : []),
    { title: 'KEY', text: (client) => client.publicKey },
  ];
  return table(clients, columns, paint, 'no clients');
}

export function showGndt(rows: readonly GndtView[], { paint }: Look): string {
  const columns: Column<GndtView>[] = [
    { title: 'VNET', text: (row) => row.vnet },
    { title: 'PREFIX', text: (row) => row.prefix },
    { title: 'ROUTER', text: (row) => row.router },
    { title: 'KIND', text: (row) => row.kind, style: (row) => (row.kind === 'host' ? 'cyan' : undefined) },
    { title: 'GATEWAY', text: (row) => row.gateway },
    { title: 'HOME', text: (row) => row.home },
    { title: 'SEQ', text: (row) => (row.seq === null ? null : String(row.seq)), right: true },
  ];
  return table(rows, columns, paint, 'no networks');
}

const LNDT_STYLES = {
  static: undefined,
  visiting: 'cyan',
  departed: 'yellow',
  client: 'green',
  unauthorised: 'red',
} as const;

export function showLndt(rows: readonly LndtView[], { paint }: Look): string {
  const columns: Column<LndtView>[] = [
    { title: 'VNET', text: (row) => row.vnet },
    { title: 'NODE', text: (row) => row.node },
    { title: 'MAC', text: (row) => row.mac },
    {
      title: 'STATE',
      text: nodeState,
      style: (row) => (row.frozen ? 'red' : row.missing ? 'yellow' : LNDT_STYLES[row.state]),
    },
    { title: 'ROUTER', text: (row) => row.router },
  ];
  return table(rows, columns, paint, 'no nodes');
}

/** `here`, `here, missing`, `visiting, frozen` … */
function nodeState({ state, frozen, missing }: LndtView | DirectoryView): string {
  return [state, ...(frozen ? ['frozen'] : []), ...(missing ? ['missing'] : [])].join(', ');
}

export function showHwdt(rows: readonly HwdtView[], { paint, nowMs }: Look): string {
  const columns: Column<HwdtView>[] = [
    { title: 'VNET', text: (row) => row.vnet },
    { title: 'LAN', text: (row) => row.lan },
    { title: 'MAC', text: (row) => row.mac },
    { title: 'IP', text: (row) => row.ip },
    { title: 'SOURCE', text: (row) => row.source },
    { title: 'FIRST SEEN', text: (row) => age(row.firstSeenAt, nowMs) },
    { title: 'LAST SEEN', text: (row) => age(row.lastSeenAt, nowMs) },
    { title: 'STATE', text: hwdtState, style: (row) => (row.authorised ? undefined : 'red') },
  ];
  return table(rows, columns, paint, 'no bindings');
}

function hwdtState(row: HwdtView): string {
  const presence = row.silent ? 'silent' : 'seen';
  return row.authorised ? presence : `${presence}, unauthorised`;
}

export function showDirectory(rows: readonly DirectoryView[], { paint, nowMs }: Look): string {
  const columns: Column<DirectoryView>[] = [
    { title: 'VNET', text: (row) => row.vnet },
    { title: 'IP', text: (row) => row.ip },
    { title: 'MAC', text: (row) => row.mac },
    { title: 'ROUTER', text: (row) => row.router },
    { title: 'SEQ', text: (row) => String(row.seq), right: true },
    {
      title: 'STATE',
      text: nodeState,
      style: directoryStyle,
    },
    { title: 'STAMPED', text: (row) => age(row.stampedAt, nowMs) },
  ];
  return table(rows, columns, paint, 'no records');
}

function directoryStyle(row: DirectoryView): 'red' | 'yellow' | 'dim' | undefined {
  if (row.frozen) return 'red';
  if (row.missing) return 'yellow';
  return row.state === 'here' ? undefined : 'dim';
}

export function showMissing(rows: readonly MissingView[], { paint, nowMs }: Look): string {
  const columns: Column<MissingView>[] = [
    { title: 'VNET', text: (row) => row.vnet },
    { title: 'IPS', text: (row) => row.ips.join(', ') },
    { title: 'MAC', text: (row) => row.mac },
    { title: 'HOME', text: (row) => row.home },
    { title: 'MISSING FOR', text: (row) => duration(nowMs - Date.parse(row.missingSince)) },
    { title: 'SEARCHES', text: (row) => count(row.searches), right: true },
    { title: 'ASKED', text: routersAsked, style: (row) => (isInVain(row) ? 'red' : undefined) },
    { title: 'NEXT', text: (row) => nextSearch(row, nowMs) },
    { title: 'WHY', text: (row) => row.why },
  ];
  return table(rows, columns, paint, 'no node is missing');
}

function routersAsked({ askedRouters }: MissingView): string {
  return askedRouters === 1 ? '1 router' : `${count(askedRouters)} routers`;
}

/** Searched for, and there was nobody to ask. */
function isInVain({ searches, askedRouters }: MissingView): boolean {
  return searches > 0 && askedRouters === 0;
}

/** When another search may be made; none is unless somebody wants the node. */
function nextSearch({ nextSearchAt }: MissingView, nowMs: number): string {
  const waitMs = nextSearchAt === null ? 0 : Date.parse(nextSearchAt) - nowMs;
  // Rounded up: "in 0 s" would be now.
  return waitMs > 0 ? `in ${duration(waitMs + 999)} at the earliest` : 'when wanted';
}
