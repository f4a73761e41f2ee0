/** The tables in the control API's JSON. */
import type {
  DirectoryView,
  GndtView,
  HwdtView,
  LndtView,
  MigrationView,
  MissingView,
} from '../../control/api.js';
import type { MoveView } from '../../mobility/ports.js';
import type { DoubtCause, MissingNode } from '../../mobility/search/missing.js';
import { formatMac } from '../../net/mac.js';
import type { Gndt } from '../../tables/gndt.js';
import type { Binding } from '../../tables/hwdt.js';
import type { NodeRecord, VnetId } from '../../tables/model.js';
import type { LocalRecords } from '../state/local-records.js';
import type { Tables } from '../tables.js';

/** Does the node that this record is of not answer here? */
type IsMissing = (record: NodeRecord) => boolean;

export function vnetName(gndt: Gndt, id: VnetId): string {
  return gndt.vnet(id)?.name ?? String(id);
}

export function* gndtView({ gndt, directory }: Tables): Generator<GndtView> {
  for (const { vnet, prefix, router, gateway } of gndt.config.networks) {
    yield {
      vnet: vnetName(gndt, vnet),
      prefix: prefix.key,
      router,
      kind: 'network',
      gateway: gateway?.key ?? null,
      home: null,
      seq: null,
    };
  }
  for (const { vnet, ip, router, state, seq } of directory.all()) {
    const home = gndt.homeOf(vnet, ip);
    if (state !== 'here' || home === router) continue;
    yield {
      vnet: vnetName(gndt, vnet),
      prefix: `${ip}/${ip.bits}`,
      router,
      kind: 'host',
      gateway: null,
      home: home ?? null,
      seq,
    };
  }
}

export function* lndtView(tables: Tables, local: LocalRecords, isMissing: IsMissing): Generator<LndtView> {
  const { gndt, lndt, hwdt, directory } = tables;
  const plain = { mac: null, router: null, frozen: false, missing: false } as const;
  for (const { vnet, prefix, mac } of lndt.entries) {
    const node = prefix.isHost ? prefix.address.key : prefix.key;
    const pin = mac === undefined ? null : formatMac(mac);
    const record = prefix.isHost ? directory.get(vnet, prefix.address) : undefined;
    const missing = record !== undefined && isMissing(record);
    yield { ...plain, vnet: vnetName(gndt, vnet), node, mac: pin, state: 'static', missing };
  }
  for (const record of local.visiting()) {
    const home = gndt.homeOf(record.vnet, record.ip) ?? null;
    yield { ...nodeView(gndt, record, 'visiting', home), missing: isMissing(record) };
  }
  for (const { vnet, ip } of lndt.clients()) {
    yield { ...plain, vnet: vnetName(gndt, vnet), node: ip.key, state: 'client' };
  }
  for (const record of local.departed()) yield nodeView(gndt, record, 'departed', record.router);
  // A copy: the table puts what is seen meanwhile at its end.
  for (const binding of [...hwdt.all()]) {
    const { vnet, ip, mac } = binding;
    if (isDeparted(tables, binding) || mayTakePart(tables, binding)) continue;
    const node = { vnet: vnetName(gndt, vnet), node: ip.key, mac: formatMac(mac) };
    yield { ...plain, ...node, state: 'unauthorised' };
  }
}

function nodeView(
  gndt: Gndt,
  { vnet, ip, mac, frozen }: NodeRecord,
  state: LndtView['state'],
  router: string | null,
): LndtView {
  const node = { vnet: vnetName(gndt, vnet), node: ip.key, mac: formatMac(mac) };
  return { ...node, state, router, frozen: frozen === true, missing: false };
}

/** `nowMs` and `wallMs` are the two clocks at this moment: bindings carry monotonic times. */
export function* hwdtView(
  tables: Tables,
  lanNames: readonly string[],
  nowMs: number,
  wallMs: number,
): Generator<HwdtView> {
  const { gndt, hwdt } = tables;
  const iso = (atMs: number): string => new Date(wallMs - (nowMs - atMs)).toISOString();
  for (const binding of [...hwdt.all()]) {
    yield {
      vnet: vnetName(gndt, binding.vnet),
      lan: lanNames[binding.lan] ?? '?',
      mac: formatMac(binding.mac),
      ip: binding.ip.key,
      source: binding.source,
      firstSeenAt: iso(binding.firstSeenMs),
      lastSeenAt: iso(binding.lastSeenMs),
      silent: binding.silent,
      authorised: mayTakePart(tables, binding),
    };
  }
}

export function* directoryView({ gndt, directory }: Tables, isMissing: IsMissing): Generator<DirectoryView> {
  for (const record of directory.all()) yield recordView(gndt, record, isMissing(record));
}

export function recordView(gndt: Gndt, record: NodeRecord, missing: boolean): DirectoryView {
  const { vnet, ip, mac, router, seq, state, frozen, stamp } = record;
  return {
    vnet: vnetName(gndt, vnet),
    ip: ip.key,
    mac: formatMac(mac),
    router,
    seq,
    state,
    frozen: frozen === true,
    missing,
    stampedAt: new Date(stamp / 1000).toISOString(),
  };
}

const WHY: Readonly<Record<DoubtCause, string>> = {
  unanswered: 'packets went to it for 300 ms and none came from it',
  'asked-again': 'a host of its LAN asked for it twice within 3 s',
  wanted: 'a packet for it waits for its MAC',
};

/** `nowMs` and `wallMs` as in {@link hwdtView}. */
export function missingView(
  gndt: Gndt,
  { vnet, ips, mac, sinceMs, rounds, nextMs, askedRouters, cause }: MissingNode,
  nowMs: number,
  wallMs: number,
): MissingView {
  const iso = (atMs: number): string => new Date(wallMs - (nowMs - atMs)).toISOString();
  const [home] = ips.flatMap((ip) => gndt.homeOf(vnet, ip) ?? []);
  return {
    vnet: vnetName(gndt, vnet),
    ips: ips.map(String),
    mac: formatMac(mac),
    home: home ?? null,
    missingSince: iso(sinceMs),
    searches: rounds,
    nextSearchAt: nextMs > nowMs ? iso(nextMs) : null,
    askedRouters,
    why: WHY[cause],
  };
}

export function migrationView(gndt: Gndt, move: MoveView): MigrationView {
  return {
    vnet: vnetName(gndt, move.vnet),
    ips: move.ips.map(String),
    mac: formatMac(move.mac),
    from: move.from ?? null,
    to: move.to,
    role: move.role,
    trigger: move.trigger,
    seq: move.seq,
    verdict: move.verdict,
    reason: move.reason,
    blackoutUs: move.blackoutUs ?? null,
    startedAt: new Date(move.startedWallMs).toISOString(),
    startedUnixMs: Math.round(move.startedWallMs * 1_000) / 1_000,
    steps: move.steps,
  };
}

/** The gateway machine's own addresses are always there, and link-local ones are no node's: neither is a stranger. */
function mayTakePart({ lndt }: Tables, { vnet, ip, mac, source }: Binding): boolean {
  return source === 'static' || ip.isLinkLocal || lndt.authorises(vnet, ip, mac);
}

function isDeparted({ directory, gndt }: Tables, { vnet, ip }: Binding): boolean {
  const record = directory.here(vnet, ip);
  return record !== undefined && record.router !== gndt.self && gndt.isHome(vnet, ip);
}
