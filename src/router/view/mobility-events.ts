/** Mobility's events as operators see them: names of vnets instead of numbers, addresses as text, a level, a sentence. */
import type { MobilityEvent } from '../../mobility/ports.js';
import type { Clock } from '../../net/clock.js';
import { Debouncer } from '../../net/debouncer.js';
import { formatMac } from '../../net/mac.js';
import type { Gndt } from '../../tables/gndt.js';
import type { EventFields, EventHub, EventLevel } from './event-hub.js';
import { vnetName } from './table-views.js';

const MESSAGES: Readonly<Record<MobilityEvent['event'], readonly [EventLevel, string]>> = {
  move_claimed: ['info', 'a node has arrived here'],
  move_learned: ['info', 'a node is at another router'],
  claim_refused: ['warn', 'a claim was refused'],
  move_undone: ['warn', 'a move was undone'],
  duplicate_address: ['error', 'one address is claimed by two machines'],
  node_frozen: ['error', 'a node is at two places or moves too often: it is frozen'],
  node_released: ['info', 'a node is no longer frozen'],
  node_learned: ['info', 'a node is known here now'],
  node_rebound: ['info', 'a node has another MAC'],
  node_withdrawn: ['info', 'a node no longer answers'],
  node_missing: ['warn', 'a node is wanted and does not answer: it is searched for'],
  node_found: ['info', 'a node that was missing is there again, here or elsewhere'],
  unauthorised_seen: ['warn', 'a machine that is not in lndt.json was seen'],
  dhcp_answered: ['info', 'a visiting node was told at once that it keeps its address'],
  dhcp_refused: ['warn', 'a visiting node’s home DHCP server has refused it its address'],
};

/** A log line costs as much as a tenth of a move: it is written when the burst is over, with the event's own time. */
export class MobilityEvents {
  readonly #hub: EventHub;
  readonly #gndt: Gndt;
  readonly #clock: Clock;
  readonly #afterwards: Debouncer;

  constructor(hub: EventHub, gndt: Gndt, clock: Clock) {
    this.#hub = hub;
    this.#gndt = gndt;
    this.#clock = clock;
    this.#afterwards = new Debouncer(clock, 'afterwards', { quietMs: 5, longestMs: 50 });
  }

  tell(event: MobilityEvent): void {
    const atMs = this.#clock.wallMs();
    this.#afterwards.touch();
    if (!this.#hub.admit(event.event, () => fieldsOf(this.#gndt, event))) return;
    this.#afterwards.later(() => tellMobilityEvent(this.#hub, this.#gndt, event, atMs));
  }

  /** Events that will be told when the burst is over. */
  get waiting(): number {
    return this.#afterwards.size;
  }

  /** The router stops: what waits is told now. */
  flush(): void {
    this.#afterwards.flush();
  }
}

/** @param atMs when it happened, Unix milliseconds */
export function tellMobilityEvent(hub: EventHub, gndt: Gndt, event: MobilityEvent, atMs: number): void {
  const [level, message] = MESSAGES[event.event];
  hub.tell(level, event.event, message, fieldsOf(gndt, event), atMs);
}

function fieldsOf(gndt: Gndt, event: MobilityEvent): EventFields {
  const vnet = vnetName(gndt, event.vnet);
  switch (event.event) {
    case 'move_claimed':
    case 'move_learned': {
      const { mac, ips, from, to, seq, trigger } = event;
      return { vnet, mac: formatMac(mac), ips: ips.map(String), from: from ?? null, to, seq, trigger };
    }
    case 'claim_refused':
      return { vnet, ip: event.ip.key, by: event.by, reason: event.reason, seq: event.seq };
    case 'move_undone':
    case 'duplicate_address':
    case 'node_frozen': {
      const other = typeof event.other === 'number' ? formatMac(event.other) : event.other;
      return { vnet, ip: event.ip.key, mac: formatMac(event.mac), other };
    }
    default:
      return { vnet, ip: event.ip.key, mac: formatMac(event.mac) };
  }
}
