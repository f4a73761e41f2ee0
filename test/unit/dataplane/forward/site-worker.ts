/** A packet worker of router vr-b with its tables, for the tests of the two forwarders. */
import { Ip } from '../../../../src/net/ip.js';
import { mac } from '../../../../src/net/mac.js';
import { Prefix } from '../../../../src/net/prefix.js';
import { followOwnAddresses, followRoles } from '../../../../src/router/lan/own-addresses.js';
import { Directory } from '../../../../src/tables/directory.js';
import { ForwardingCompiler } from '../../../../src/tables/forwarding/forwarding-compiler.js';
import { ForwardingTable } from '../../../../src/tables/forwarding/forwarding-table.js';
import { MacTable } from '../../../../src/tables/forwarding/mac-table.js';
import { NodeActivity } from '../../../../src/tables/forwarding/node-activity.js';
import { Rescue } from '../../../../src/tables/forwarding/rescue.js';
import { SitePeers } from '../../../../src/tables/forwarding/site-peers.js';
import { Gndt } from '../../../../src/tables/gndt.js';
import { Hwdt } from '../../../../src/tables/hwdt.js';
import type { Lan, Lans } from '../../../../src/tables/lan.js';
import { Lndt } from '../../../../src/tables/lndt.js';
import type { GndtConfig } from '../../../../src/tables/model.js';
import { lansOf } from '../../../support/lans.js';
import { networkOf, PacketWorker, routerOf } from '../../../support/packet-worker.js';
import { SimClock } from '../../../support/sim-clock.js';

/** This router is vr-b; a node native to vr-a's network may visit, one of its own may be away at vr-c. */
export const [A, B, C] = [0, 1, 2];
export const VR_MAC = mac('02:00:00:00:02:01');
export const HOST_MAC = mac('52:54:00:00:02:11');
export const VM_MAC = mac('52:54:00:00:00:09');
export const GATEWAY_MAC = mac('52:54:00:00:02:fe');
export const AWAY_MAC = mac('52:54:00:00:02:22');
export const MTU = 1436;

export interface Site {
  readonly host: string;
  readonly remote: string;
  readonly third: string;
  readonly visitor: string;
  readonly away: string;
  readonly outside: string;
  readonly unlisted: string;
  readonly own: string;
}

export const SITES: Record<'IPv4' | 'IPv6', Site> = {
  IPv4: {
    host: '10.2.0.11',
    remote: '10.1.0.11',
    third: '10.3.0.11',
    visitor: '10.1.0.9',
    away: '10.2.0.22',
    outside: '198.51.100.10',
    unlisted: '10.2.0.200',
    own: '10.2.0.1',
  },
  IPv6: {
    host: 'fd00:2::11',
    remote: 'fd00:1::11',
    third: 'fd00:3::11',
    visitor: 'fd00:1::9',
    away: 'fd00:2::22',
    outside: '2001:db8::10',
    unlisted: 'fd00:2:0:0:ffff::1',
    own: 'fd00:2::1',
  },
};

function gndtConfig(subnet: boolean, withoutGateways: boolean): GndtConfig {
  const way = (gateway: string): string | undefined => (withoutGateways ? undefined : gateway);
  return {
    vnets: [{ name: 'blue', id: 1, subnet: subnet ? Prefix.of('10.0.0.0/8') : undefined }],
    routers: ['vr-a', 'vr-b', 'vr-c'].map(routerOf),
    networks: [
      networkOf('10.1.0.0/24', 'vr-a', way('10.1.0.254')),
      networkOf('10.2.0.0/24', 'vr-b', way('10.2.0.254')),
      networkOf('10.3.0.0/24', 'vr-c'),
      networkOf('fd00:1::/64', 'vr-a', way('fd00:1::fe')),
      networkOf('fd00:2::/64', 'vr-b', way('fd00:2::fe')),
      networkOf('fd00:3::/64', 'vr-c'),
    ],
    cipher: 'chacha20-poly1305',
    nodes: [],
  };
}

export class SiteWorker extends PacketWorker {
  readonly directory: Directory;
  readonly activity: NodeActivity;
  readonly hwdt: Hwdt;
  readonly sitePeers: SitePeers;
  readonly lans: Lans;

  /** @param lan what its LAN has besides */
  constructor(
    site: Site,
    subnet = false,
    lan: Pick<Lan, 'gateway' | 'vrid'> = {},
    { withoutGateways = false } = {},
  ) {
    const clock = new SimClock();
    const gndt = new Gndt(gndtConfig(subnet, withoutGateways), 'vr-b');
    const directory = new Directory('vr-b', clock);
    const hwdt = new Hwdt(clock);
    const listed = [Prefix.of('10.2.0.0/25'), Prefix.of('fd00:2::/80')];
    const lndt = new Lndt(
      listed.map((prefix) => ({ vnet: 1, prefix, mac: undefined })),
      gndt,
      directory,
    );
    const table = ForwardingTable.create();
    const own = Ip.of(site.own);
    const lans = lansOf([{ index: 0, vnet: 1, addresses: [own], ...lan }]);
    const activity = new NodeActivity('vr-b', directory, 16);
    new ForwardingCompiler({ gndt, lndt, hwdt, directory, table, clock, lans, activity }).rebuild();
    const macs = MacTable.create(16);
    new Rescue(gndt, directory, macs, () => {});
    const sitePeers = SitePeers.create();
    super({
      clock,
      self: B,
      mac: VR_MAC,
      mtuBytes: MTU,
      given: {
        table: table.memory,
        macs: macs.memory,
        activity: activity.memory,
        activityMacs: activity.macs.memory,
        sitePeers: sitePeers.memory,
        lanAddresses: followOwnAddresses(lans).memory,
        gatewayLans: [lan.gateway !== undefined],
      },
      ...(lan.vrid === undefined ? {} : { vrid: lan.vrid }),
      lanRoles: followRoles(lans),
    });
    this.directory = directory;
    this.sitePeers = sitePeers;
    this.activity = activity;
    this.hwdt = hwdt;
    this.lans = lans;
    this.#populate(site);
  }

  #populate(site: Site): void {
    const { directory, hwdt } = this;
    hwdt.learn(0, 1, HOST_MAC, Ip.of(site.host), 'arp-request');
    directory.originate(1, Ip.of(site.host), HOST_MAC, 1);
    hwdt.learn(0, 1, GATEWAY_MAC, Ip.of(site.own.includes(':') ? 'fd00:2::fe' : '10.2.0.254'), 'arp-reply');
    hwdt.learn(0, 1, mac('52:54:00:00:02:c8'), Ip.of(site.unlisted), 'arp-request');
    directory.apply({
      vnet: 1,
      ip: Ip.of(site.visitor),
      mac: VM_MAC,
      router: 'vr-a',
      seq: 1,
      state: 'here',
      stamp: 1,
    });
    directory.originate(1, Ip.of(site.visitor), VM_MAC, 2);
    hwdt.learn(0, 1, VM_MAC, Ip.of(site.visitor), 'gratuitous');
    directory.originate(1, Ip.of(site.away), AWAY_MAC, 1);
    directory.apply({
      vnet: 1,
      ip: Ip.of(site.away),
      mac: AWAY_MAC,
      router: 'vr-c',
      seq: 2,
      state: 'here',
      stamp: 1,
    });
  }
}
