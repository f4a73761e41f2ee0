/** docs/logs.md against the code: every event that the sources name is listed with its level, no other is. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { pino } from 'pino';
import type { EventView } from '../../../src/control/api.js';
import type { MobilityEvent } from '../../../src/mobility/ports.js';
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import { EventHub } from '../../../src/router/view/event-hub.js';
import { tellMobilityEvent } from '../../../src/router/view/mobility-events.js';
import { PairEvents } from '../../../src/router/view/pair-events.js';
import { emitTunnelEvent } from '../../../src/router/view/tunnel-events.js';
import { Gndt } from '../../../src/tables/gndt.js';
import type { TunnelEvent } from '../../../src/tunnel/peer-state.js';
import { SimClock } from '../../support/sim-clock.js';
import { BLUE, gndtConfig } from '../tables/fixtures.js';
import { documentedEvents } from './log-list.js';

const ROUTER = new URL('../../../../src/router/', import.meta.url);

/** `event level` as the sources have them: calls of the hub and of the log, and the two tables of messages. */
function eventsInSources(): string[] {
  const found: string[] = [];
  for (const file of readdirSync(ROUTER, { encoding: 'utf8', recursive: true }).filter((name) =>
    name.endsWith('.ts'),
  )) {
    const text = readFileSync(new URL(file, ROUTER), 'utf8');
    for (const [, level, event] of text.matchAll(/\b(?:emit|tell)\(\s*'(\w+)',\s*'(\w+)'/g))
      found.push(`${event} ${level}`);
    for (const [, event, level] of text.matchAll(/^ {2}(\w+): \['(info|warn|error)', /gm))
      found.push(`${event} ${level}`);
    for (const [, level, event] of text.matchAll(
      /\b(trace|debug|info|warn|error|fatal)\(\s*\{\s*event: '(\w+)'/g,
    ))
      found.push(`${event} ${level}`);
    // A parameter of that name is none.
    const spoken = [...text.matchAll(/(?<!\()\bevent: '(\w+)'/g)].length;
    const matched = [...text.matchAll(/\b(?:trace|debug|info|warn|error|fatal)\(\s*\{\s*event: '/g)].length;
    assert.equal(matched, spoken, `${file}: an event is logged in a way that this test does not see`);
  }
  return [...new Set(found)].sort();
}

test('the events and their levels', () => {
  const documented = [...documentedEvents()].map(([event, { level }]) => `${event} ${level}`);
  assert.deepEqual(documented.sort(), eventsInSources());
});

const node = { vnet: BLUE, ip: Ip.of('10.1.0.9'), mac: mac('52:54:00:00:00:09') };
const move = { ...node, ips: [node.ip], from: 'vr-a', to: 'vr-b', seq: 2, trigger: 'rarp' } as const;
const MOBILITY: { readonly [Event in MobilityEvent['event']]: MobilityEvent } = {
  move_claimed: { event: 'move_claimed', ...move },
  move_learned: { event: 'move_learned', ...move },
  claim_refused: { event: 'claim_refused', ...node, by: 'vr-b', reason: 'stale', seq: 2 },
  move_undone: { event: 'move_undone', ...node, other: 'vr-b' },
  duplicate_address: { event: 'duplicate_address', ...node, other: node.mac },
  node_frozen: { event: 'node_frozen', ...node, other: 'vr-b' },
  node_released: { event: 'node_released', ...node },
  node_learned: { event: 'node_learned', ...node },
  node_rebound: { event: 'node_rebound', ...node },
  node_withdrawn: { event: 'node_withdrawn', ...node },
  node_missing: { event: 'node_missing', ...node },
  node_found: { event: 'node_found', ...node },
  unauthorised_seen: { event: 'unauthorised_seen', ...node },
  dhcp_answered: { event: 'dhcp_answered', ...node },
  dhcp_refused: { event: 'dhcp_refused', ...node },
};
const TUNNEL: { readonly [Event in TunnelEvent['event']]: TunnelEvent } = {
  peer_up: { event: 'peer_up', router: 'vr-b', endpoint: 'x', version: '1', rttMs: 1 },
  peer_down: { event: 'peer_down', router: 'vr-b', reason: 'x' },
  peer_refused: { event: 'peer_refused', router: 'vr-b', reason: 'x' },
  peer_unanswered: { event: 'peer_unanswered', router: 'vr-b', reason: 'x' },
  peer_path: { event: 'peer_path', router: 'vr-b', path: 'relay vr-c', reason: 'x' },
  peer_cipher: { event: 'peer_cipher', router: 'vr-b', cipher: 'aes-256-gcm', reason: 'fast at both' },
  peer_gndt_differs: { event: 'peer_gndt_differs', router: 'vr-b' },
  name_resolved: { event: 'name_resolved', name: 'b.test', addresses: ['192.0.2.2'] },
  name_changed: { event: 'name_changed', name: 'b.test', addresses: ['192.0.2.2'], before: ['192.0.2.3'] },
  name_unresolved: { event: 'name_unresolved', name: 'b.test', reason: 'x', addresses: [] },
  name_address_skipped: { event: 'name_address_skipped', name: 'b.test', address: '127.0.0.1', reason: 'x' },
  clients_called: { event: 'clients_called', clients: 1 },
  clients_answered: { event: 'clients_answered', answered: 1, unanswered: 0, tookMs: 1 },
};

test('the fields of what mobility and the tunnel tell; both go to the stream', () => {
  const hub = new EventHub(pino({ enabled: false }), new SimClock());
  const gndt = new Gndt(gndtConfig([]), 'vr-a');
  const seen: EventView[] = [];
  hub.subscribe((event) => seen.push(event));
  for (const event of Object.values(MOBILITY)) tellMobilityEvent(hub, gndt, event, 0);
  for (const event of Object.values(TUNNEL)) emitTunnelEvent(hub, event);
  const documented = documentedEvents();
  for (const { at: _, event, ...fields } of seen) {
    const listed = documented.get(event);
    assert.deepEqual(Object.keys(fields).sort(), [...(listed?.fields ?? [])].sort(), event);
    assert.equal(listed?.stream, true, event);
  }
});

/** Every event of a site's two routers. */
function tellAll(events: PairEvents): void {
  const [site, lan, address] = ['site-a', 'eth1', Ip.of('192.0.2.9')];
  events.roleChanged({ site, role: 'active', term: 8, cause: 'silence' });
  events.handOver({ site, to: 'vr-a2', cause: 'order' });
  events.handOverFailed({ site, to: 'vr-a2', reason: 'no answer' });
  events.partnerLost('vr-a2', 250.4);
  events.partnerFound('vr-a2');
  events.siteSwitched({ site: 'site-b', router: 'vr-b2', term: 3 });
  events.vrrpStranger({ lan, vrid: 17, address });
  events.gatewaysDiffer({ lan, ips: [Ip.of('10.1.0.1'), Ip.of('fd00:1::1')] });
  events.virtualMacFiltered({ lan, mac: mac('00:00:5e:00:01:11') });
}

test('what is told of two routers: all fields, and what is wrong on a LAN once a minute', () => {
  const clock = new SimClock();
  const hub = new EventHub(pino({ enabled: false }), clock);
  const events = new PairEvents(hub, clock);
  const seen: EventView[] = [];
  hub.subscribe((event) => seen.push(event));
  tellAll(events);
  const documented = documentedEvents();
  for (const { at: _, event, ...fields } of seen) {
    assert.deepEqual(Object.keys(fields).sort(), [...(documented.get(event)?.fields ?? [])].sort(), event);
    assert.equal(documented.get(event)?.stream, true, event);
  }
  const names = seen.map(({ event }) => event);
  assert.deepEqual(names, [
    'role_changed',
    'hand_over',
    'hand_over_failed',
    'partner_lost',
    'partner_found',
    'site_switched',
    'vrrp_stranger',
    'gateways_differ',
    'virtual_mac_filtered',
  ]);
  assert.equal(seen[3]?.silentMs, 250);
  assert.deepEqual(seen[7]?.ips, ['10.1.0.1', 'fd00:1::1']);
  assert.equal(seen[8]?.mac, '00:00:5e:00:01:11');
  seen.length = 0;
  clock.advance(59_999);
  tellAll(events);
  assert.deepEqual(
    seen.map(({ event }) => event),
    names.slice(0, 6),
  );
  events.vrrpStranger({ lan: 'eth1', vrid: 17, address: Ip.of('192.0.2.10') });
  assert.equal(seen.at(-1)?.address, '192.0.2.10', 'another stranger is told at once');
  clock.advance(1);
  events.gatewaysDiffer({ lan: 'eth1', ips: [] });
  assert.equal(seen.at(-1)?.event, 'gateways_differ');
  assert.deepEqual(events.counters(), { pair_role_changed: 2, pair_partner_lost: 2 });
});
