/**
 * A router that was killed a moment after a claim, or lost its disk, has forgotten records that the others still hold.
 * They may not tell anybody but it (a router speaks for itself alone), and nobody else can claim in its place: it has
 * to ask. It notices by a peer's digest, whose highest stamp is one that it does not remember having given.
 */
import type { HasMessage } from '../tables/message.js';
import type { NodeRecord, RouterId } from '../tables/model.js';
import type { Context } from './context.js';
import type { Outbox } from './outbox.js';

/** In the question and its answers. `Queries` counts its own from 1. */
const RECALL_QUERY = 0;

export class Recall {
  readonly #context: Context;
  readonly #outbox: Outbox;
  /** Own stamps that are remembered: from disk, or recalled. Microseconds. */
  #remembered: number;
  readonly #startedUs: number;

  constructor(context: Context, outbox: Outbox) {
    this.#context = context;
    this.#outbox = outbox;
    this.#remembered = context.directory.digest(context.self).highestStamp;
    this.#startedUs = context.clock.wallMs() * 1000;
  }

  /** A peer has told the highest stamp that it knows of this router's records. */
  compare(peer: RouterId, highestStamp: number): void {
    if (highestStamp <= this.#remembered) return;
    const { directory, self, ports, counters } = this.#context;
    // Stamps are never older than the clock; ahead of those given since the start they are of a clock that was ahead.
    const isOfNow = highestStamp >= this.#startedUs && highestStamp <= directory.digest(self).highestStamp;
    if (isOfNow) return;
    this.#remembered = highestStamp;
    counters.count('recalls_sent');
    ports.messenger.send(peer, {
      type: 'whoHas',
      queryId: RECALL_QUERY,
      vnet: this.#context.lans[0]?.vnet ?? 1,
      mac: undefined,
      ip: undefined,
    });
  }

  /** Takes the records among these that are this router's own and forgotten as if they had been on its disk. */
  answered({ queryId, records }: HasMessage): boolean {
    if (queryId !== RECALL_QUERY) return false;
    for (const record of records) if (this.#isForgotten(record)) this.#restore(record);
    return true;
  }

  /** One that contradicts what another router says of itself is left alone: the node has gone on. */
  #isForgotten({ vnet, ip, router, seq, state }: NodeRecord): boolean {
    const { self, directory, gndt } = this.#context;
    if (router !== self || state !== 'here' || !gndt.mayClaim(vnet, ip, self)) return false;
    const known = directory.get(vnet, ip);
    return known === undefined || (known.router === self && known.seq < seq);
  }

  #restore({ vnet, ip, mac, seq }: NodeRecord): void {
    const { directory, counters, ports } = this.#context;
    this.#outbox.publish(directory.originate(vnet, ip, mac, seq));
    counters.count('records_recalled');
    ports.event({ event: 'node_learned', vnet, ip, mac });
    ports.saveState();
  }
}
