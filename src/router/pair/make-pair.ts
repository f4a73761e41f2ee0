import type { PcapAddon } from '../../arp/pcap.js';
import type { Clock } from '../../net/clock.js';
import type { RouterConfig } from '../../tables/model.js';
import type { Tunnel } from '../../tunnel/tunnel.js';
import type { LanSide } from '../lan/lan-side.js';
import type { VirtualMacWatch } from '../lan/virtual-mac-watch.js';
import type { Sockets } from '../machine/sockets.js';
import type { Tables } from '../tables.js';
import type { LanTopics } from '../topics.js';
import type { CounterBoard } from '../view/counter-board.js';
import type { EventHub } from '../view/event-hub.js';
import { PairDesk } from './desk.js';
import { PairLans } from './pair-lans.js';
import { type RoleActionParts, roleActions } from './role-actions.js';
import type { Sites } from './sites.js';
import type { Terms } from './terms.js';
import { Witnesses } from './witnesses.js';

export interface PairParts extends RoleActionParts {
  readonly clock: Clock;
  readonly native: PcapAddon;
  readonly config: RouterConfig;
  readonly hub: EventHub;
  readonly board: CounterBoard;
  readonly topics: { readonly lans: LanTopics };
  readonly tables: Pick<Tables, 'gndt'>;
  readonly sites: Sites;
  readonly terms: Terms;
  readonly lanSide: LanSide;
  readonly virtualMacs: VirtualMacWatch;
  readonly sockets: Sockets;
  readonly tunnel: Tunnel;
}

/** This router's part in its site of two. */
export function makePair(parts: PairParts): { readonly desk: PairDesk; readonly lans: PairLans } {
  const { clock, native, config, hub, board, topics, tables, sites, terms, lanSide, sockets, tunnel } = parts;
  const { gndt } = tables;
  const lans = new PairLans({
    clock,
    lans: sockets.lans,
    pcap: native,
    site: gndt.self,
    configured: config.lans,
    virtualMacs: parts.virtualMacs,
    sendFrame: (lan, frame) => lanSide.sendFrame(lan, frame),
    onAdvertisement: (priority) => topics.lans.advertised.notify(priority),
    onCondition: ({ interface: lan }, condition) =>
      hub.emit(condition.is === 'up' ? 'info' : 'warn', 'vrrp_socket', 'advertisements on a LAN', {
        lan,
        condition: condition.is,
        reason: condition.is === 'up' ? '' : condition.why,
      }),
  });
  const desk = new PairDesk({
    clock,
    gndt,
    sites,
    tunnel,
    terms,
    lans,
    witnesses: new Witnesses({ clock, gndt, tunnel }),
    actions: roleActions(parts),
    deadMs: config.failover.deadMs,
  });
  for (const source of [desk, lans]) board.add(source);
  return { desk, lans };
}
