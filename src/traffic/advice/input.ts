/** What an advice is made from, and what it says. */
import type { SiteId, VnetId } from '../../tables/model.js';
import type { TrafficMatrix } from '../matrix.js';
import type { MachineLoad } from './migration.js';

/** What is to become less: bytes between sites; the same, each weighed by its round trip; or what they cost. */
export const OBJECTIVES = ['traffic', 'latency', 'cost'] as const;
export type Objective = (typeof OBJECTIVES)[number];

export interface AdvisedMachine {
  readonly vnet: VnetId;
  /** All of its addresses, as in the matrix. */
  readonly addresses: readonly string[];
  readonly site: SiteId;
  readonly load: MachineLoad;
  /** `load` is what nobody has said: the assumption. */
  readonly isAssumed: boolean;
  /** Why it may not be moved; undefined: it may. */
  readonly stays?: string | undefined;
  /** Sites where it may be; undefined: all. */
  readonly allow?: ReadonlySet<SiteId> | undefined;
  /** Those that are known of. */
  readonly pastMoves?: readonly PastMove[] | undefined;
}

export interface PastMove {
  readonly atMs: number;
  readonly from: SiteId;
}

export interface AdvisedSite {
  readonly id: SiteId;
  /** Undefined: no limit. */
  readonly nodes?: number | undefined;
  readonly memoryBytes?: number | undefined;
}

/** From one site to another. */
export interface SiteLink {
  readonly rttMs: number;
  readonly pricePerGb: number;
  /** What one migration has of it. */
  readonly bytesPerSecond: number;
}

export interface AdviceInput {
  readonly sites: readonly AdvisedSite[];
  readonly machines: readonly AdvisedMachine[];
  readonly matrix: TrafficMatrix;
  /** Asked for two different sites of the list. */
  link(from: SiteId, to: SiteId): SiteLink;
  /** Lists of positions in `machines`. Who is together stays so; who is apart never comes to one site. */
  readonly together: readonly (readonly number[])[];
  readonly apart: readonly (readonly number[])[];
}

export interface AdviceOptions {
  readonly objective: Objective;
  /** A move has to pay for itself within this time. */
  readonly horizonMs: number;
  readonly nowMs: number;
  /** Machines in one advice, at most. */
  readonly most: number;
  /** For how long a machine stays where it has moved to. */
  readonly restMs: number;
}

/** An amount of traffic: of a day, or of a migration. */
export interface Amount {
  readonly bytes: number;
  /** In the objective's unit: bytes, bytes × milliseconds, or the currency of the prices. */
  readonly value: number;
}

export interface AdvisedMove {
  /** Position in the input's `machines`. */
  readonly machine: number;
  readonly from: SiteId;
  readonly to: SiteId;
  readonly bytes: number;
  readonly seconds: number;
  readonly downtimeSeconds: number;
  /** False: it writes to its memory faster than that is sent; it would stand still for `downtimeSeconds`. */
  readonly converges: boolean;
}

/** Moves that are worth it together: the second counts on the first. */
export interface AdviceStep {
  readonly kind: 'move' | 'swap' | 'group';
  /** In an order in which there is room, as far as there is one. */
  readonly moves: readonly AdvisedMove[];
  /** A day. */
  readonly saves: Amount;
  /** Once. */
  readonly costs: Amount;
  readonly paidBackSeconds: number;
}

export interface Advice {
  /** The next one counts on those before it. */
  readonly steps: readonly AdviceStep[];
  /** A day's traffic between sites, of machines and of what they talk with. */
  readonly now: Amount;
  readonly after: Amount;
  /** Machines that would gain too, and have no place in this advice (`most`). */
  readonly later: number;
  /** What could not be taken into account as asked, one sentence each. */
  readonly notes: readonly string[];
}
