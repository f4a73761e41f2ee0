/** Own records on their way to the other routers: gathered for a moment, then sent together. */
import { chunks } from '../../tables/chunks.js';
import type { NodeRecord, RouterId } from '../../tables/model.js';
import { type Context, nodeKey } from '../context.js';

/** A burst of changes within this time is one message a peer. */
const GATHER_MS = 2;
/** So that a message fits in one datagram even with IPv6 addresses and long router ids. */
export const RECORDS_PER_MESSAGE = 16;

export class UpdateBatcher {
  readonly #context: Context;
  #waiting = new Map<string, NodeRecord>();

  constructor(context: Context) {
    this.#context = context;
  }

  /** Sends an own record to all routers that are up; the others get it when tables are compared. */
  publish(record: NodeRecord): void {
    if (this.#waiting.size === 0) this.#context.timers.after('records', GATHER_MS, () => this.#flush());
    this.#waiting.set(nodeKey(record.vnet, record.ip), record);
  }

  /** Sends records to one router at once, cut into messages. */
  sendTo(to: RouterId, records: readonly NodeRecord[]): void {
    for (const part of chunks(records, RECORDS_PER_MESSAGE)) {
      this.#context.ports.messenger.send(to, { type: 'records', records: part });
      this.#context.counters.count('records_sent', part.length);
    }
  }

  #flush(): void {
    const { directory, self, ports } = this.#context;
    const records = [...this.#waiting.values()].filter(
      (record) => directory.get(record.vnet, record.ip)?.router === self,
    );
    this.#waiting = new Map();
    for (const peer of ports.messenger.upPeers()) this.sendTo(peer, records);
  }
}
