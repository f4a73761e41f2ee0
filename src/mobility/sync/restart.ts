/** A router begins anew: it says on its LANs what it would have said, and takes back what it has lost. */
import type { Ip } from '../../net/ip.js';
import type { ReturnedMessage } from '../../protocol/table-message.js';
import type { NodeRecord, VnetId } from '../../tables/model.js';
import { compareRecords } from '../../tables/record.js';
import { type AddressProbe, PATIENT } from '../address-probe.js';
import type { Context } from '../context.js';
import type { Arrival } from '../destination/arrival.js';
import type { Evidence } from '../evidence.js';
import type { Departure } from '../source/departure.js';
import type { UpdateBatcher } from './update-batcher.js';

interface Parts {
  readonly departure: Departure;
  readonly arrival: Arrival;
  readonly addressProbe: AddressProbe;
  readonly updates: UpdateBatcher;
}

export class Restart {
  readonly #context: Context;
  readonly #parts: Parts;

  constructor(context: Context, parts: Parts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** The LANs are open. Nodes may have left while this router was away, and its MAC may be another one now. */
  redirectAll(): void {
    const { lndt } = this.#context;
    for (const node of byNode(lndt.departed())) {
      this.#parts.departure.left(node);
      this.#parts.departure.redirect(node);
    }
    for (const node of byNode(lndt.visiting())) {
      const [ip] = node.ips;
      const lan = ip && this.#context.lanOfNode(node.vnet, ip);
      if (lan !== undefined) this.#parts.arrival.redirect({ lan, ...node }, () => {});
    }
  }

  /**
   * Own records from before the state was lost, as another router has kept them. Each holds until its node turns out not
   * to be here; but one of a node that another router is known to have only when the node answers here. They are issued
   * anew: the number is the other's word within the gate's bounds, the stamp is this router's own; so is all the rest of
   * a node that this router knows to be here.
   */
  returned({ records }: ReturnedMessage): void {
    const { directory, self, counters } = this.#context;
    for (const record of records) {
      const { vnet, ip } = record;
      const known = directory.get(vnet, ip);
      if (known !== undefined && compareRecords(record, known) <= 0) continue;
      const isHere = known?.state === 'here' && known.router === self;
      // These are where the configuration has them, and nowhere else.
      const isFixed = this.#context.isFixed(vnet, ip);
      if (isFixed && !isHere) continue;
      counters.count('records_recovered');
      const recovered = isHere ? { ...record, mac: known.mac, state: known.state } : record;
      const isElsewhere = known?.state === 'here' && !isHere;
      if (!isElsewhere) this.#issue(recovered);
      const isSeen = this.#context.hwdt.get(vnet, ip)?.mac === recovered.mac;
      if (recovered.state === 'here' && !isFixed) this.#ask(recovered);
      else if (recovered.state === 'withdrawn' && isSeen) this.#askSeen(recovered);
    }
  }

  /** A node whose record has come back was asked. */
  returnedProbed(record: NodeRecord, evidence: Evidence | undefined): void {
    const { vnet, ip, mac, seq } = record;
    const { directory, self, hwdt } = this.#context;
    if (evidence === undefined) {
      this.#parts.updates.withdrawUnchanged(record);
      return;
    }
    hwdt.learn(evidence.lan.index, vnet, mac, ip, evidence.source);
    const known = directory.get(vnet, ip);
    if (known?.router !== self && (known === undefined || seq >= known.seq)) this.#issue(record);
  }

  #issue({ vnet, ip, mac, seq, state }: NodeRecord): void {
    const { directory } = this.#context;
    const issued = directory.originate(vnet, ip, mac, seq);
    const record = state === 'withdrawn' ? directory.withdraw(vnet, ip) : issued;
    // A claim that was agreed to when its answer no longer counted is known to one router only.
    if (record !== undefined) this.#parts.updates.publish(record);
  }

  #ask(record: NodeRecord): void {
    const { vnet, ip, mac } = record;
    const purpose = { for: 'returned', record } as const;
    this.#parts.addressProbe.ask({ vnet, ip, mac, probes: PATIENT, purpose });
  }

  /** It has left, as far as the record says; but it was seen here since. */
  #askSeen({ vnet, ip, mac }: NodeRecord): void {
    this.#parts.addressProbe.ask({ vnet, ip, mac, probes: PATIENT, purpose: { for: 'deferred' } });
  }
}

function byNode(
  records: readonly NodeRecord[],
): Iterable<{ vnet: VnetId; mac: NodeRecord['mac']; ips: Ip[] }> {
  const nodes = new Map<string, { vnet: VnetId; mac: NodeRecord['mac']; ips: Ip[] }>();
  for (const { vnet, mac, ip } of records) {
    const node = nodes.get(`${vnet}|${mac}`) ?? { vnet, mac, ips: [] };
    node.ips.push(ip);
    nodes.set(`${vnet}|${mac}`, node);
  }
  return nodes.values();
}
