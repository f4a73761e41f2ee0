/** The tunnel's events as operators see them. */
import type { TunnelEvent } from '../../tunnel/peer-state.js';
import type { EventFields, EventHub, EventLevel } from './event-hub.js';

const MESSAGES: Readonly<Record<TunnelEvent['event'], readonly [EventLevel, string]>> = {
  peer_up: ['info', 'a peer is up'],
  peer_down: ['warn', 'a peer is down'],
  peer_refused: ['error', 'a peer cannot be talked to'],
  peer_unanswered: ['warn', 'a peer does not answer'],
  peer_path: ['info', 'messages to a peer take another path'],
  peer_cipher: ['info', 'sessions with a peer use another cipher, or one was tried in vain'],
  peer_gndt_differs: ['warn', "a peer's gndt.json is not the same as this router's"],
  name_resolved: ['info', 'a host name of a peer is resolved'],
  name_changed: ['info', 'a host name of a peer means other addresses'],
  name_unresolved: ['warn', 'a host name of a peer is not resolved'],
  name_address_skipped: ['warn', 'an address that a host name of a peer gives cannot be used'],
  clients_called: ['info', 'WireGuard clients that had sessions before are called'],
  clients_answered: ['info', 'no WireGuard client is called for a session of before any more'],
};

export function emitTunnelEvent(hub: EventHub, event: TunnelEvent): void {
  const [level, message] = MESSAGES[event.event];
  hub.emit(level, event.event, message, () => fieldsOf(event));
}

function fieldsOf(event: TunnelEvent): EventFields {
  switch (event.event) {
    case 'peer_up':
      return {
        peer: event.router,
        endpoint: event.endpoint,
        version: event.version,
        rttMs: event.rttMs ?? null,
      };
    case 'peer_path':
      return { peer: event.router, path: event.path, reason: event.reason };
    case 'peer_cipher':
      return { peer: event.router, cipher: event.cipher, reason: event.reason };
    case 'peer_gndt_differs':
      return { peer: event.router };
    case 'clients_called':
      return { clients: event.clients };
    case 'clients_answered':
      return { answered: event.answered, unanswered: event.unanswered, tookMs: event.tookMs };
    case 'name_resolved':
      return { name: event.name, addresses: event.addresses };
    case 'name_changed':
      return { name: event.name, addresses: event.addresses, before: event.before };
    case 'name_unresolved':
      return { name: event.name, reason: event.reason, addresses: event.addresses };
    case 'name_address_skipped':
      return { name: event.name, address: event.address, reason: event.reason };
    default:
      return { peer: event.router, reason: event.reason };
  }
}
