/** Who hears whom: every way by which one part sets off another, on one page. */

import { CLIENT_MTU_BYTES } from '../protocol/overhead.js';
import type { Parts } from './assembly.js';
import { emitTunnelEvent } from './view/tunnel-events.js';

export function connect(parts: Parts): void {
  const { topics, tables, mobility, plane } = parts;
  topics.lans.frames.subscribe((lan, frame, atMs) => mobility.frameSeen(lan, frame, atMs));
  topics.lans.frames.subscribe((lan, frame, atMs) => parts.gateways.frameSeen(lan, frame, atMs));
  topics.lans.frames.subscribe((lan, frame) => parts.ports.frameSeen(lan, frame));
  topics.lans.toGroup.subscribe((lan, atMs) => parts.ports.groupHeard(lan, atMs));
  topics.mobility.answered.subscribe((lan, question) => parts.ports.answered(lan, question));
  const { pair } = parts;
  if (pair !== undefined) {
    topics.lans.frames.subscribe((lan, frame, atMs) => pair.lans.frameSeen(lan, frame, atMs));
    topics.tunnel.up.subscribe((router) => pair.desk.peerUp(router));
    topics.lans.advertised.subscribe((priority) => pair.desk.advertised(priority));
  }
  topics.lans.virtualMac.subscribe((lan, atMs) => parts.virtualMacs.heard(lan, atMs));
  topics.lans.taken.subscribe(() => mobility.announceAll());
  topics.lans.dhcp.subscribe((lan, frame, atMs) => mobility.dhcpSeen(lan, frame, atMs));
  topics.lans.gone.subscribe((vnet, ip) => mobility.nodeGone(vnet, ip));

  // Mobility knows sites; the router that speaks for one is the active one.
  const { gndt } = tables;
  const { sites } = parts;
  topics.tunnel.messages.subscribe((from, message) => {
    if (from === gndt.partner) mobility.partnerMessage(message);
    else mobility.message(gndt.siteOf(from), message);
  });
  sites.subscribe((site, router) => {
    if (site === gndt.self) return;
    mobility.siteSwitched(site, parts.tunnel.upPeers().includes(router));
    parts.pairEvents.siteSwitched({ site, router, term: parts.roles.termOf(site) });
  });
  topics.tunnel.pair.subscribe((from, message) => parts.roles.received(from, message));
  topics.tunnel.up.subscribe((router) => {
    if (router === gndt.partner) mobility.partnerUp();
    else if (sites.isActive(router)) mobility.peerUp(gndt.siteOf(router));
  });
  const { network } = parts;
  if (network !== undefined) {
    topics.tunnel.network.subscribe((from, message) => network.received(from, message));
    topics.tunnel.up.subscribe((router) => network.peerUp(router));
    topics.tunnel.down.subscribe((router) => network.peerDown(router));
  }
  topics.tunnel.up.subscribe((router) => parts.initialSync.peerUp(router));
  topics.tunnel.down.subscribe((router) => {
    if (router === gndt.partner) mobility.partnerDown();
    else if (sites.isActive(router)) mobility.peerDown(gndt.siteOf(router));
  });
  topics.tunnel.up.subscribe((router) => parts.memberships.peerUp(router));
  topics.tunnel.memberships.subscribe((from, message) => parts.memberships.received(from, message));
  topics.tunnel.traffic.subscribe((from, message) => parts.traffic.received(from, message));
  topics.tunnel.mtu.subscribe((peer, innerBytes) => plane.setPeerMtu(peer, innerBytes));
  topics.tunnel.clients.subscribe(({ peer }, isConnected) =>
    plane.setPeerMtu(peer, isConnected ? CLIENT_MTU_BYTES : 0),
  );
  topics.tunnel.heard.subscribe((last) => parts.endpoints.heard(last));
  topics.tunnel.resolved.subscribe((kept) => parts.names.resolved(kept));
  topics.tunnel.events.subscribe((event) => emitTunnelEvent(parts.hub, event));

  // Who misbehaves is also heard less.
  parts.conduct.subscribe((router) => {
    const peer = tables.gndt.peerIndex(router);
    if (peer >= 0) plane.setControlShare(peer, 1 / parts.conduct.price(router));
  });

  topics.mobility.judged.subscribe((move) => parts.metrics.judged(move));

  tables.hwdt.subscribe((_vnet, _ip, change) => {
    if (change === 'seen') plane.wakeHolding();
  });
  parts.local.subscribe(() => parts.store.schedule(() => parts.local.all()));
  parts.sockets.lans.subscribe(({ interface: lan, addresses }, before) => {
    if (addresses === before.addresses) return;
    parts.hub.emit('info', 'lan_readdressed', 'the machine has other addresses on a LAN', {
      lan,
      addresses: addresses.map(String),
    });
  });
}
