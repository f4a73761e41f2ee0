/** `vinectl role`. */
import type { PartnerView, RoleLanView, RoleView } from '../../control/role-view.js';
import { age, count, duration, time } from '../../control/units.js';
import { type Block, blocks, type Look } from './text.js';

export function showRole(view: RoleView, { paint, nowMs }: Look): string {
  const { partner } = view;
  const shown: Block[] = [
    ['site', view.site, siteLines(view, nowMs)],
    ...(partner === null ? [] : [['partner', partner.router, partnerLines(partner)] as const]),
    ...view.lans.map((lan): Block => ['lan', lan.interface, lanLines(lan)]),
  ];
  return blocks(shown, paint).join('\n');
}

function siteLines(view: RoleView, nowMs: number): [string, string][] {
  const { router, role, draining, term, since, cause, partner } = view;
  const first: [string, string][] = [
    ['router', router],
    ['role', draining ? `${role}, still forwarding` : role],
    ['since', `${time(since)}, ${age(since, nowMs)}`],
    ['cause', cause],
  ];
  if (partner === null) return [...first, ['partner', 'none: the site has one router']];
  return [...first, ['term', String(term)], ...serviceLines(view)];
}

function partnerLines(partner: PartnerView): [string, string][] {
  const { role, term, priority, health, heardAgoMs, advertisedAgoMs } = partner;
  return [
    ['role', role ?? 'not heard yet'],
    ['term', term === null ? 'not heard yet' : String(term)],
    ...serviceLines({ priority, health }),
    ['heard', ago(heardAgoMs)],
    ['advertised', ago(advertisedAgoMs)],
  ];
}

/** How well a router can serve. */
function serviceLines({ priority, health }: Pick<PartnerView, 'priority' | 'health'>): [string, string][] {
  if (priority === null || health === null) return [];
  const { soundLans, lans, peersUp } = health;
  return [
    ['priority', String(priority)],
    ['health', `${count(soundLans)} of ${count(lans)} LANs sound, ${count(peersUp)} peers up`],
  ];
}

const ADVERTISING = {
  up: 'yes',
  down: 'no: the interface is down',
  gone: 'no: the interface is gone',
  failing: 'no: sending fails',
  none: 'no: it has no address to advertise from',
} as const;

function lanLines(lan: RoleLanView): [string, string][] {
  const { vrid, advertising, carrier, heardHostAgoMs, partnerAgoMs } = lan;
  const { strangers, otherGateways, virtualMacPasses } = lan;
  return [
    ['vrid', String(vrid)],
    ['advertises', ADVERTISING[advertising]],
    ['carrier', carrier ? 'yes' : 'no'],
    ['hosts heard', ago(heardHostAgoMs)],
    ['partner heard', ago(partnerAgoMs)],
    ...(virtualMacPasses === null ? [] : [passing(virtualMacPasses)]),
    ...(strangers.length === 0 ? [] : [line('strangers', strangers.join(', '))]),
    ...(otherGateways.length === 0 ? [] : [line('gateways that differ', otherGateways.join(', '))]),
  ];
}

function passing(passes: boolean): [string, string] {
  return line('virtual MAC', passes ? 'passes' : 'does not pass the switch');
}

function line(label: string, value: string): [string, string] {
  return [label, value];
}

/** Heartbeats come twenty times a second: what is younger than that matters. */
function ago(ms: number | null): string {
  if (ms === null) return 'never';
  return ms < 2_000 ? `${Math.round(ms)} ms ago` : `${duration(ms)} ago`;
}
