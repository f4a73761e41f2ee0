/**
 * Faults of a router's links. `unplugged`: the other end goes down, and the router's interface loses its carrier. `silent`:
 * nothing passes in either direction, and the carrier stays. And two faults of a LAN: its routers do not hear each other while
 * both hear all others; and it falls in two halves.
 */
import { namespaceOf } from './build.js';
import type { Lab } from './lab.js';
import { lanBridge, type RouterPlan, type SiteLetter, switchName, wanPort } from './plan.js';
import { inNamespace, ipBatch, runSync } from './shell.js';

export type Side = 'lan' | 'wan';
export type Cut = 'unplugged' | 'silent';

/** Port states of a bridge (uapi/linux/if_bridge.h); one that is disabled passes nothing and keeps its carrier. */
const DISABLED = 0;
const FORWARDING = 3;

interface Port {
  readonly namespace: string;
  readonly name: string;
}

function portOf(lab: Lab, router: RouterPlan, side: Side): Port {
  const node = side === 'lan' ? switchName(router.site.letter) : 'wan';
  return { namespace: namespaceOf(lab.name, node), name: side === 'lan' ? router.id : wanPort(router) };
}

const bridgePort = ({ namespace, name }: Port, ...words: string[]): void =>
  void runSync(inNamespace(namespace, ['bridge', 'link', 'set', 'dev', name, ...words]));

/** Resolves when nothing passes any more. */
export async function cutLink(lab: Lab, id: string, side: Side, how: Cut): Promise<void> {
  const { router } = lab.router(id);
  const port = portOf(lab, router, side);
  if (how === 'unplugged') ipBatch(port.namespace, [`link set ${port.name} down`]);
  else if (side === 'wan') await silentWan(lab, router, true);
  else bridgePort(port, 'state', String(DISABLED));
}

/** Undoes the same cut. */
export async function healLink(lab: Lab, id: string, side: Side, how: Cut): Promise<void> {
  const { router } = lab.router(id);
  const port = portOf(lab, router, side);
  if (how === 'unplugged') ipBatch(port.namespace, [`link set ${port.name} up`]);
  else if (side === 'wan') await silentWan(lab, router, false);
  else bridgePort(port, 'state', String(FORWARDING));
}

/** The WAN is shaped by a program, or a bridge; only the first has cuts, and it stays once it is there. */
async function silentWan(lab: Lab, { tag }: RouterPlan, cut: boolean): Promise<void> {
  await lab.wan({ from: tag, cut });
  await lab.wan({ to: tag, cut });
}

/** The site's routers hear each other on the LAN no more; all else goes on. */
export function separateOnLan(lab: Lab, routers: readonly string[], separate: boolean): void {
  for (const id of routers)
    bridgePort(portOf(lab, lab.router(id).router, 'lan'), 'isolated', separate ? 'on' : 'off');
}

/** Bridge of a LAN's second half. */
const OTHER_HALF = 'half';

/** The named nodes of the site are on a LAN of their own from now on; no link goes down. */
export function splitLan(lab: Lab, site: SiteLetter, nodes: readonly string[]): void {
  ipBatch(namespaceOf(lab.name, switchName(site)), [
    `link add ${OTHER_HALF} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
    `link set ${OTHER_HALF} up`,
    ...nodes.map((node) => `link set ${node} master ${OTHER_HALF}`),
  ]);
}

export function joinLan(lab: Lab, site: SiteLetter, nodes: readonly string[]): void {
  ipBatch(namespaceOf(lab.name, switchName(site)), [
    ...nodes.map((node) => `link set ${node} master ${lanBridge}`),
    `link del ${OTHER_HALF}`,
  ]);
}
