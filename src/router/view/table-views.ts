/** The tables in the control API's JSON. */
import type { DirectoryView, GndtView, HwdtView, LndtView, MigrationView } from '../../control/api.js';
import type { MoveView } from '../../mobility/ports.js';
import { formatMac } from '../../net/mac.js';
import type { Directory } from '../../tables/directory.js';
import type { Gndt } from '../../tables/gndt.js';
import type { Binding, Hwdt } from '../../tables/hwdt.js';
import type { Lndt } from '../../tables/lndt.js';
import type { NodeRecord, VnetId } from '../../tables/model.js';

export interface Tables {
  readonly gndt: Gndt;
  readonly lndt: Lndt;
  readonly hwdt: Hwdt;
  readonly directory: Directory;
}

export function vnetName(gndt: Gndt, id: VnetId): string {
  return gndt.vnet(id)?.name ?? String(id);
}

export function gndtView({ gndt, directory }: Tables): GndtView[] {
  const networks = gndt.config.networks.map(
    ({ vnet, prefix, router, gateway }): GndtView => ({
      vnet: vnetName(gndt, vnet),
      prefix: prefix.key,
      router,
      kind: 'network',
      gateway: gateway?.key ?? null,
      home: null,
      seq: null,
    }),
  );
  const hosts: GndtView[] = [];
  for (const { vnet, ip, router, state, seq } of directory.all()) {
    const home = gndt.homeOf(vnet, ip);
    if (state !== 'here' || home === router) continue;
    hosts.push({
      vnet: vnetName(gndt, vnet),
      prefix: `${ip}/${ip.bits}`,
      router,
      kind: 'host',
      gateway: null,
      home: home ?? null,
      seq,
    });
  }
  return [...networks, ...hosts];
}

export function lndtView(tables: Tables): LndtView[] {
  const { gndt, lndt, hwdt } = tables;
  const view = (
    state: LndtView['state'],
    vnet: VnetId,
    node: string,
    mac: string | null,
    router: string | null,
    frozen = false,
  ): LndtView => ({
    vnet: vnetName(gndt, vnet),
    node,
    mac,
    state,
    router,
    frozen,
  });
  const departed = lndt.departed();
  const away = new Set(departed.map(({ vnet, ip }) => `${vnet} ${ip}`));
  const unauthorised = [...hwdt.all()].filter(
    (binding) => !away.has(`${binding.vnet} ${binding.ip}`) && !mayTakePart(tables, binding),
  );
  return [
    ...lndt.entries.map(({ vnet, prefix, mac }) =>
      view(
        'static',
        vnet,
        prefix.isHost ? prefix.address.key : prefix.key,
        mac === undefined ? null : formatMac(mac),
        null,
      ),
    ),
    ...lndt
      .visiting()
      .map(({ vnet, ip, mac, frozen }) =>
        view('visiting', vnet, ip.key, formatMac(mac), gndt.homeOf(vnet, ip) ?? null, frozen),
      ),
    ...lndt.clients().map(({ vnet, ip }) => view('client', vnet, ip.key, null, null)),
    ...lndt
      .departed()
      .map(({ vnet, ip, mac, router, frozen }) =>
        view('departed', vnet, ip.key, formatMac(mac), router, frozen),
      ),
    ...unauthorised.map(({ vnet, ip, mac }) => view('unauthorised', vnet, ip.key, formatMac(mac), null)),
  ];
}

/** `nowMs` and `wallMs` are the two clocks at this moment: bindings carry monotonic times. */
export function hwdtView(
  tables: Tables,
  lanNames: readonly string[],
  nowMs: number,
  wallMs: number,
): HwdtView[] {
  const { gndt, hwdt } = tables;
  const iso = (atMs: number): string => new Date(wallMs - (nowMs - atMs)).toISOString();
  return [...hwdt.all()].map((binding) => ({
    vnet: vnetName(gndt, binding.vnet),
    lan: lanNames[binding.lan] ?? '?',
    mac: formatMac(binding.mac),
    ip: binding.ip.key,
    source: binding.source,
    firstSeenAt: iso(binding.firstSeenMs),
    lastSeenAt: iso(binding.lastSeenMs),
    silent: binding.silent,
    authorised: mayTakePart(tables, binding),
  }));
}

export function directoryView({ gndt, directory }: Tables): DirectoryView[] {
  return [...directory.all()].map((record) => recordView(gndt, record));
}

export function recordView(gndt: Gndt, record: NodeRecord): DirectoryView {
  const { vnet, ip, mac, router, seq, state, frozen, stamp } = record;
  return {
    vnet: vnetName(gndt, vnet),
    ip: ip.key,
    mac: formatMac(mac),
    router,
    seq,
    state,
    frozen: frozen === true,
    stampedAt: new Date(stamp / 1000).toISOString(),
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
    steps: move.steps,
  };
}

/** The gateway machine's own addresses are always there, and link-local ones are no node's: neither is a stranger. */
function mayTakePart({ lndt }: Tables, { vnet, ip, mac, source }: Binding): boolean {
  return source === 'static' || ip.isLinkLocal || lndt.authorises(vnet, ip, mac);
}
