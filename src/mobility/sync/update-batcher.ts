/** Own records on their way to the other routers: gathered for a moment, then sent together. */
import type { Ip } from '../../net/ip.js';
import { chunks } from '../../tables/chunks.js';
import type { NodeRecord, RouterId, VnetId } from '../../tables/model.js';
import { nodeKey } from '../../tables/node-key.js';
import { DISOWNED_STAMP } from '../../tables/record.js';
import type { Context } from '../context.js';

/** A burst of changes within this time is one message a peer. */
const GATHER_MS = 2;
/** So that a message fits in one datagram even with IPv6 addresses and long router ids. */
export const RECORDS_PER_MESSAGE = 16;
/** An answer to what was told comes sooner than this. */
const ANSWERED_WITHIN_MS = 60_000;
/** What is older has been compared since, or is when tables are compared. */
const LATEST_MS = 60_000;
/** Tellings within this time grow together, so those of a minute are no more than `MOST_TELLINGS`. */
const TELLING_MS = 1_000;
const MOST_TELLINGS = 128;

/** Own records with stamps from … to were told. Stamps rise with each record that this router originates. */
interface Telling {
  readonly fromStamp: number;
  toStamp: number;
  readonly sinceMs: number;
  atMs: number;
}

export class UpdateBatcher {
  readonly #context: Context;
  #waiting = new Map<string, NodeRecord>();
  /** By router: what it has given back that is not known here. */
  #disowned = new Map<RouterId, NodeRecord[]>();
  /** By router: what it was told lately, oldest first. */
  readonly #tellings = new Map<RouterId, Telling[]>();

  constructor(context: Context) {
    this.#context = context;
  }

  /** Sends an own record to all routers that are up; the others get it when tables are compared. */
  publish(record: NodeRecord): void {
    if (this.#waiting.size === 0) this.#context.timers.after('records', GATHER_MS, () => this.#flush());
    this.#waiting.set(nodeKey(record.vnet, record.ip), record);
  }

  /** Withdraws an own record of a node that is here, and says so; undefined: there is none. */
  withdraw(vnet: VnetId, ip: Ip): NodeRecord | undefined {
    const tombstone = this.#context.directory.withdraw(vnet, ip);
    if (tombstone !== undefined) this.publish(tombstone);
    return tombstone;
  }

  /** The same, unless another record, or one with another number, has taken its place. */
  withdrawUnchanged({ vnet, ip, seq }: NodeRecord): void {
    if (this.#context.directory.here(vnet, ip)?.seq === seq) this.withdraw(vnet, ip);
  }

  /** Tells a router that an own record which it has kept is of a node of which nothing is known here: it forgets it. */
  disown(to: RouterId, record: NodeRecord): void {
    const { frozen: _, ...rest } = record;
    const disowned: NodeRecord = { ...rest, seq: record.seq + 1, state: 'withdrawn', stamp: DISOWNED_STAMP };
    if (this.#disowned.size === 0)
      this.#context.timers.after('disowned', GATHER_MS, () => this.#flushDisowned());
    const waiting = this.#disowned.get(to);
    if (waiting === undefined) this.#disowned.set(to, [disowned]);
    else waiting.push(disowned);
  }

  /** Sends records to one router at once, cut into messages. */
  sendTo(to: RouterId, records: readonly NodeRecord[]): void {
    for (const part of chunks(records, RECORDS_PER_MESSAGE)) {
      this.#context.ports.messenger.send(to, { type: 'records', records: part });
      this.#context.counters.count('records_sent', part.length);
    }
    this.told(to, records);
  }

  /** What has changed lately: whoever was told of it may not have lived to pass it on. */
  sendLatest(to: RouterId): void {
    const { directory, self, clock } = this.#context;
    const sinceUs = (clock.wallMs() - LATEST_MS) * 1_000;
    const latest = directory.of(self).filter(({ stamp }) => stamp >= sinceUs);
    this.sendTo(to, latest);
  }

  /** Own records have been told to the router: it may say that they are beaten. */
  told(to: RouterId, records: readonly NodeRecord[]): void {
    if (records.length === 0) return;
    let fromStamp = Number.POSITIVE_INFINITY;
    let toStamp = 0;
    for (const { stamp } of records) {
      fromStamp = Math.min(fromStamp, stamp);
      toStamp = Math.max(toStamp, stamp);
    }
    const atMs = this.#context.clock.nowMs();
    const tellings = this.#recent(to);
    const last = tellings.at(-1);
    if (last !== undefined && fromStamp >= last.fromStamp && atMs - last.sinceMs < TELLING_MS) {
      last.toStamp = Math.max(last.toStamp, toStamp);
      last.atMs = atMs;
    } else tellings.push({ fromStamp, toStamp, sinceMs: atMs, atMs });
    this.#tellings.set(to, tellings.slice(-MOST_TELLINGS));
  }

  /** Was the router told of this own record lately, as it is now? */
  hasTold(to: RouterId, { stamp }: NodeRecord): boolean {
    return this.#recent(to).some(({ fromStamp, toStamp }) => stamp >= fromStamp && stamp <= toStamp);
  }

  #recent(to: RouterId): Telling[] {
    const sinceMs = this.#context.clock.nowMs() - ANSWERED_WITHIN_MS;
    return (this.#tellings.get(to) ?? []).filter(({ atMs }) => atMs >= sinceMs);
  }

  #flushDisowned(): void {
    const all = this.#disowned;
    this.#disowned = new Map();
    for (const [to, records] of all) {
      this.#context.counters.count('records_disowned', records.length);
      for (const part of chunks(records, RECORDS_PER_MESSAGE)) {
        this.#context.ports.messenger.send(to, { type: 'records', records: part });
      }
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
