/** A node that has been seen here, and that this router may claim. */
import type { Ip } from '../../net/ip.js';
import type { Mac } from '../../net/mac.js';
import type { Lan } from '../../tables/lan.js';
import type { BindingSource, MoveTrigger, NodeRecord, RouterId } from '../../tables/model.js';
import type { Evidence } from '../evidence.js';

export interface Candidate {
  readonly lan: Lan;
  readonly mac: Mac;
  /** Where its addresses were: all of one router, or tombstones. At least one. */
  readonly records: readonly NodeRecord[];
  readonly trigger: MoveTrigger;
  readonly source: BindingSource;
  readonly detectedMs: number;
  /** It has answered here after another's claim: holds do not count against that, nor the freeze by that very claim. */
  readonly objection?: true;
  /** Of an objection: whose claim that was. None: it is not known, and nobody is contradicted. */
  readonly against?: RouterId;
}

/** A node that has arrived on a LAN of this router. */
export interface Arrived {
  readonly lan: Lan;
  readonly mac: Mac;
  readonly ips: readonly Ip[];
}

/** The candidate's evidence for one of its addresses. */
export function seenAs(
  candidate: Candidate,
  { ip }: NodeRecord,
): Evidence & { readonly ip: NodeRecord['ip'] } {
  const { lan, mac, trigger, source, detectedMs: atMs } = candidate;
  return { lan, mac, ip, trigger, source, isAnswer: false, atMs };
}
