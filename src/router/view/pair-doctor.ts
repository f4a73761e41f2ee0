/** What the router finds wrong with its site's other router, and with what the two share. */
import { error, type Finding, ok, warning } from '../../config/finding.js';
import type { PartnerView, RoleLanView, RoleView } from '../../control/role-view.js';

/** Twenty heartbeats. */
const HEARD_LIMIT_MS = 1_000;

/** Nothing of a router that has no partner. */
export function checkPair(view: RoleView): Finding[] {
  const { partner } = view;
  if (partner === null) return [];
  return [
    checkHeard(partner),
    ...checkRoles(view, partner),
    ...view.lans.flatMap((lan) => checkLan(lan, partner.router)),
  ];
}

function checkHeard({ router, heardAgoMs, advertisedAgoMs }: PartnerView): Finding {
  const check = 'partner';
  if (heardAgoMs !== null && heardAgoMs <= HEARD_LIMIT_MS)
    return ok(check, router, `heard ${Math.round(heardAgoMs)} ms ago`);
  const since = heardAgoMs === null ? 'has never been heard' : `was heard last ${seconds(heardAgoMs)} ago`;
  const isOnLan = advertisedAgoMs !== null && advertisedAgoMs <= HEARD_LIMIT_MS;
  return error(
    check,
    router,
    `it ${since} in the session between the two${isOnLan ? '; on the LAN it advertises that it is active' : ''}`,
    'is vined running there? does a firewall let through what goes between the WAN addresses of the two (vinectl peers)?',
  );
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function checkRoles({ site, role }: RoleView, partner: PartnerView): Finding[] {
  const check = 'partner';
  const isHeard = partner.heardAgoMs !== null && partner.heardAgoMs <= HEARD_LIMIT_MS;
  if (role === 'isolated')
    return [
      error(
        check,
        site,
        'this router has stopped answering: it hears neither its partner nor another site, and its LANs are down or silent',
        "see to this machine's links",
      ),
    ];
  if (!isHeard) return [];
  if (role === 'active' && partner.role === 'active')
    return [error(check, site, 'both routers say that they are active', 'see vinectl events on both')];
  if (role === 'standby' && partner.role !== 'active')
    return [error(check, site, 'neither router is active', 'vinectl role active on the one that is sound')];
  if (partner.role === 'isolated')
    return [
      warning(check, site, `${partner.router} could not take over: it is isolated`, 'see to its links'),
    ];
  return [];
}

const WHY_SILENT = {
  down: ['the interface is down', 'bring it up (ip link set dev NAME up)'],
  gone: ['the interface is gone', 'bring it back, and restart vined'],
  failing: ['sending fails', 'see journalctl -u vined'],
  none: [
    "this machine's kernel has no address there to send from",
    "give the interface an address of the LAN's network, other than its gateway addresses",
  ],
} as const;

function checkLan(lan: RoleLanView, partner: string): Finding[] {
  const { interface: name, vrid, advertising, strangers, otherGateways, virtualMacPasses } = lan;
  const findings: Finding[] = [];
  if (advertising === 'up') findings.push(ok('advertising', name, `it can advertise VRID ${vrid} there`));
  else {
    const [why, remedy] = WHY_SILENT[advertising];
    findings.push(error('advertising', name, `nothing is advertised there: ${why}`, remedy));
  }
  if (strangers.length > 0)
    findings.push(
      error(
        'vrid',
        name,
        `another machine advertises VRID ${vrid} there: ${strangers.join(', ')}`,
        'give that one another number, or this LAN one that is free ("vrid" in router.json of both routers)',
      ),
    );
  if (otherGateways.length > 0)
    findings.push(
      error(
        'gateway',
        name,
        `${partner} has not the same gateway addresses there; they differ in ${otherGateways.join(', ')}`,
        'make lans[].gateway the same in router.json of both, and run vinectl reload',
      ),
    );
  if (virtualMacPasses === true) findings.push(ok('virtual-mac', name, 'frames from the virtual MAC pass'));
  if (virtualMacPasses === false)
    findings.push(
      error(
        'virtual-mac',
        name,
        'frames from the virtual MAC of the active router do not arrive: its port lets only one MAC address pass',
        'allow it others at the hypervisor or switch (forged transmits, MAC filter), or set "mac": "own" for the LAN in router.json of both',
      ),
    );
  return findings;
}
