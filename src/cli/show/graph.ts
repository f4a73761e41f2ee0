/** The overlay as a tree for people, and in Graphviz' language. */
import type { DirectoryView, GndtView, PeerView, StatusView } from '../../control/api.js';
import { clean, type Look } from './text.js';

interface OverlayNode {
  readonly vnet: string;
  readonly ip: string;
  /** Its home router when it is away from there; null when it is at home. */
  readonly visitingFrom: string | null;
}

interface OverlayRouter {
  readonly id: string;
  /** `self` is the router that was asked. */
  readonly state: 'self' | PeerView['state'];
  readonly rttMs: number | null;
  readonly networks: readonly { readonly vnet: string; readonly prefix: string }[];
  readonly nodes: readonly OverlayNode[];
}

/** What `vinectl graph --json` prints. */
export interface Overlay {
  readonly routers: readonly OverlayRouter[];
}

export function overlayOf(
  status: StatusView,
  peers: readonly PeerView[],
  gndt: readonly GndtView[],
  directory: readonly DirectoryView[],
): Overlay {
  const homes = new Map(
    gndt.flatMap(({ kind, vnet, prefix, home }) => (kind === 'host' ? [[`${vnet} ${prefix}`, home]] : [])),
  );
  const describe = (id: string, state: OverlayRouter['state'], rttMs: number | null): OverlayRouter => ({
    id,
    state,
    rttMs,
    networks: gndt
      .filter(({ kind, router }) => kind === 'network' && router === id)
      .map(({ vnet, prefix }) => ({ vnet, prefix })),
    nodes: directory
      .filter(({ router }) => router === id)
      .map(({ vnet, ip }) => ({
        vnet,
        ip,
        visitingFrom: homes.get(`${vnet} ${ip}/${ip.includes(':') ? 128 : 32}`) ?? null,
      })),
  });
  return {
    routers: [
      describe(status.id, 'self', null),
      ...peers.map(({ id, state, rttMs }) => describe(id, state, rttMs)),
    ],
  };
}

export function showTree({ routers }: Overlay, { paint }: Look): string {
  const lines = routers.flatMap((router) => {
    const branches = [
      ...router.networks.map(({ vnet, prefix }) => `network ${clean(vnet)} ${clean(prefix)}`),
      ...router.nodes.map(({ vnet, ip, visitingFrom }) => {
        const text = `node ${clean(vnet)} ${clean(ip)}`;
        return visitingFrom === null
          ? text
          : paint('yellow', `${text}, visiting from ${clean(visitingFrom)}`);
      }),
    ];
    return [
      `${paint('bold', clean(router.id))}  ${stateOf(router)}`,
      ...branches.map((branch, i) => `${i === branches.length - 1 ? '└─' : '├─'} ${branch}`),
    ];
  });
  return `${lines.join('\n')}\n`;
}

function stateOf({ state, rttMs }: OverlayRouter): string {
  if (state === 'self') return 'this router';
  return rttMs === null ? state : `${state}, ${rttMs.toFixed(1)} ms`;
}

/** Routers in the middle, their networks and nodes around them; a visiting node is tied to its home by a dotted line. */
export function showDot({ routers }: Overlay): string {
  const [self] = routers;
  const lines = routers.flatMap((router) => {
    const me = quote(`router ${router.id}`);
    const colour = router.state === 'self' || router.state === 'up' ? 'black' : 'red';
    const label = quote(`${router.id}\n${stateOf(router)}`);
    return [
      `  ${me} [shape=box, style=bold, color=${colour}, label=${label}];`,
      ...(router === self || self === undefined
        ? []
        : [
            `  ${quote(`router ${self.id}`)} -- ${me} [color=${colour}${router.state === 'up' ? '' : ', style=dashed'}, label=${quote(stateOf(router))}];`,
          ]),
      ...router.networks.map(({ vnet, prefix }) =>
        tie(me, `network ${vnet} ${prefix}`, `${vnet}\n${prefix}`, 'ellipse'),
      ),
      ...router.nodes.map(({ vnet, ip }) => tie(me, `node ${vnet} ${ip}`, ip, 'plaintext')),
      ...router.nodes.flatMap(({ vnet, ip, visitingFrom }) =>
        visitingFrom === null
          ? []
          : [
              `  ${quote(`router ${visitingFrom}`)} -- ${quote(`node ${vnet} ${ip}`)} [style=dotted, label="home"];`,
            ],
      ),
    ];
  });
  return `graph vine {\n  overlap=false;\n  splines=true;\n${lines.join('\n')}\n}\n`;
}

function tie(router: string, id: string, label: string, shape: string): string {
  return `  ${quote(id)} [shape=${shape}, label=${quote(label)}];\n  ${router} -- ${quote(id)};`;
}

/** A quoted string of the DOT language: a quotation mark and a backslash are escaped, a line feed is `\n`. */
function quote(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&').split('\n').map(clean).join('\\n')}"`;
}
