/** What it takes to have a node here: this router's record, its neighbours on the LAN, the claims to the other routers. */
import { BoundedMap } from '../../net/bounded-map.js';
import type { Ip } from '../../net/ip.js';
import type { NodeRecord, VnetId } from '../../tables/model.js';
import { nodeKey } from '../../tables/node-key.js';
import type { Context } from '../context.js';
import type { FollowUp } from '../follow-up.js';
import type { Move } from '../journal.js';
import type { Unheard } from '../search/unheard.js';
import type { Departure } from '../source/departure.js';
import type { DuplicateSuppression } from '../suppression/duplicate-suppression.js';
import type { UpdateBatcher } from '../sync/update-batcher.js';
import type { Arrival } from './arrival.js';
import type { Candidate } from './candidate.js';
import type { Claims, SentClaim } from './claims.js';
import { once } from './once.js';

const KNOWN_SEQUENCES = 4_096;

export interface TakingParts {
  readonly arrival: Arrival;
  readonly departure: Departure;
  readonly updates: UpdateBatcher;
  readonly suppression: DuplicateSuppression;
  readonly claims: Claims;
  readonly unheard: Unheard;
}

export class Taking {
  readonly #context: Context;
  readonly #parts: TakingParts;
  /** Sequence numbers heard of without a record. */
  readonly #heardSeq = new BoundedMap<string, number>(KNOWN_SEQUENCES);

  constructor(context: Context, parts: TakingParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** Its journal entry begins; nothing else has changed. */
  begin(candidate: Candidate, records: readonly NodeRecord[]): Move {
    const { lan, mac, trigger, detectedMs } = candidate;
    const { self, journal } = this.#context;
    const ips = records.map(({ ip }) => ip);
    const seq = Math.max(...records.map(({ vnet, ip }) => this.nextSeq(vnet, ip)));
    const from = records[0]?.router === self ? undefined : records[0]?.router;
    const start = { vnet: lan.vnet, mac, ips, from, to: self, trigger, seq, startedMs: detectedMs };
    const move = journal.begin({ ...start, role: 'destination' });
    move.step('detected', detectedMs);
    return move;
  }

  /** Tables, the first ARP, the claims, the rest of ARP; in a burst the claims of all come before the ARP of most. */
  take(candidate: Candidate, records: readonly NodeRecord[], move: Move): Move {
    const { directory, hwdt, ports, burst } = this.#context;
    const { lan, mac } = candidate;
    const ips = records.map(({ ip }) => ip);
    const { suppression } = this.#parts;
    const bounces = records.some(
      ({ vnet, ip }) =>
        suppression.isMoveTooMany(vnet, ip) ||
        (candidate.objection === true && suppression.isContested(vnet, ip)),
    );
    const next = records.map(({ vnet, ip }) => this.nextSeq(vnet, ip));
    const claimed = records.map(({ vnet, ip }, i) => {
      // The binding first, so that the route is complete when the directory changes.
      hwdt.learn(lan.index, vnet, mac, ip, candidate.source);
      return directory.originate(vnet, ip, mac, next[i] ?? 1, bounces);
    });
    move.step('directory');
    // One frame does not hold up the claim; all of them would.
    const tell = once(() => this.#tell(candidate, move, claimed));
    const redirect = (): void =>
      this.#parts.arrival.redirect({ lan, mac, ips }, () => {
        move.step('first_arp');
        tell();
      });
    if (burst.joined()) burst.later(redirect);
    else redirect();
    tell();
    this.#parts.departure.end(lan.vnet, mac);
    this.#parts.unheard.arrived({ lan, mac, ips });
    if (bounces) {
      move.step('frozen');
      for (const record of claimed) {
        this.#parts.suppression.alarm(record, move.start.from ?? this.#context.self);
      }
    }
    const { vnet, from, to, seq, trigger } = move.start;
    ports.event({ event: 'move_claimed', vnet, mac, ips, from, to, seq, trigger });
    this.#context.counters.count(`moves_claimed_${trigger}`);
    ports.saveState();
    return move;
  }

  /** To all routers that are up, the one that had the node first. The claim stands when that one agrees or is down. */
  #tell(candidate: Candidate, move: Move, records: readonly NodeRecord[]): void {
    const up = this.#context.ports.messenger.upPeers();
    const { from } = move.start;
    const first = from !== undefined && up.includes(from) ? from : undefined;
    const claim: SentClaim = { kind: 'claim', candidate, records, move };
    for (const peer of first === undefined ? up : [first, ...up.filter((id) => id !== first)]) {
      this.#parts.claims.send(peer, claim);
      this.#parts.updates.told(peer, records);
    }
    if (first === undefined) move.judge('accepted');
  }

  /** Tells all routers that an own node is here, against the claim of one that was contradicted before. */
  object({ vnet, ip, seq, against }: Extract<FollowUp, { readonly do: 'object' }>): void {
    const { directory, self, clock, journal } = this.#context;
    const own = directory.here(vnet, ip);
    const lan = this.#context.lanOfNode(vnet, ip);
    if (own?.router !== self || own.seq >= seq) return;
    const record = directory.originate(vnet, ip, own.mac, seq);
    // A client of a router without a LAN of its vnet.
    if (lan === undefined) {
      this.#parts.updates.publish(record);
      return;
    }
    const detectedMs = clock.nowMs();
    const { mac } = own;
    const seen = { trigger: 'arp', source: 'arp-reply' } as const;
    const objection = { objection: true, against } as const;
    const candidate: Candidate = { lan, mac, records: [own], ...seen, detectedMs, ...objection };
    const start = { vnet, mac, ips: [ip], from: undefined, to: self, trigger: seen.trigger, seq };
    this.#tell(candidate, journal.unlisted({ ...start, role: 'destination', startedMs: detectedMs }), [
      record,
    ]);
  }

  /** The number that beats all that is known of the node. */
  nextSeq(vnet: VnetId, ip: Ip): number {
    const known = this.#context.directory.get(vnet, ip)?.seq ?? 0;
    return Math.max(known, this.#heardSeq.get(nodeKey(vnet, ip)) ?? 0) + 1;
  }

  /** Another router has told of a number, not of the record. */
  heard(vnet: VnetId, ip: Ip, seq: number): void {
    const key = nodeKey(vnet, ip);
    this.#heardSeq.set(key, Math.max(seq, this.#heardSeq.get(key) ?? 0));
  }
}
