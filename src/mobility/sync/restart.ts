/** A router begins anew: it says on its LANs what it would have said, and takes back what it has lost. */
import type { Ip } from '../../net/ip.js';
import type { ReturnedMessage } from '../../protocol/table-message.js';
import type { NodeRecord, VnetId } from '../../tables/model.js';
import { compareRecords } from '../../tables/record.js';
import { type AddressProbe, PATIENT } from '../address-probe.js';
import type { Context } from '../context.js';
import type { Arrival } from '../destination/arrival.js';
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

  /** Own records from before the state was lost. Each holds until its node turns out not to be here. */
  returned({ records }: ReturnedMessage): void {
    for (const record of records) {
      const { directory, self, counters } = this.#context;
      const known = directory.get(record.vnet, record.ip);
      if (record.router !== self || (known !== undefined && compareRecords(record, known) <= 0)) continue;
      directory.apply(record);
      counters.count('records_recovered');
      // A claim that was agreed to when its answer no longer counted is known to one router only.
      this.#parts.updates.publish(record);
      if (record.state === 'here') this.#check(record);
    }
  }

  #check(record: NodeRecord): void {
    const { vnet, ip, mac } = record;
    const { hwdt } = this.#context;
    if (this.#context.isOwnAddress(vnet, ip)) return;
    this.#parts.addressProbe.check({
      vnet,
      ip,
      mac,
      probes: PATIENT,
      found: ({ lan, source }) => void hwdt.learn(lan.index, vnet, mac, ip, source),
      gone: () => this.#withdraw(record),
    });
  }

  #withdraw({ vnet, ip, seq }: NodeRecord): void {
    const { directory, self } = this.#context;
    const current = directory.here(vnet, ip);
    if (current?.router !== self || current.seq !== seq) return;
    const tombstone = directory.withdraw(vnet, ip);
    if (tombstone !== undefined) this.#parts.updates.publish(tombstone);
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
