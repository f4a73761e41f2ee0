/** What is wrong on the LANs of a site's two routers, for operators. */
import type { RoleLanView } from '../../control/role-view.js';
import { Ip } from '../../net/ip.js';
import { virtualMac } from '../../tables/gateway.js';
import type { PairEvents } from '../view/pair-events.js';

export function tellOfLans(
  views: readonly RoleLanView[],
  tell: Pick<PairEvents, 'vrrpStranger' | 'gatewaysDiffer' | 'virtualMacFiltered'>,
): void {
  for (const { interface: lan, vrid, strangers, otherGateways, virtualMacPasses } of views) {
    for (const address of strangers) tell.vrrpStranger({ lan, vrid, address: Ip.of(address) });
    if (otherGateways.length > 0) tell.gatewaysDiffer({ lan, ips: otherGateways.map(Ip.of) });
    if (virtualMacPasses === false) tell.virtualMacFiltered({ lan, mac: virtualMac(vrid, 4) });
  }
}
