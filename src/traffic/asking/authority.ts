/**
 * Who may say what about traffic: the gate that every such message passes. Every member may ask; a question costs what its answer
 * costs. An answer must have been asked for, and is about the sender's own site: a pair is counted at one of its two ends.
 *
 *   trafficAsk   priced by the periods that have to be looked at
 *   trafficPart  in answer to an open question of ours to that peer; rows of other sites', and those that cannot be, are taken out
 *
 * What is refused is counted and told to `Conduct`; it is never an exception, and never logged.
 */
import type { Clock } from '../../net/clock.js';
import { type CounterTable, DeclaredCounters } from '../../net/counters.js';
import { KeyedRateLimit, type Rate } from '../../net/rate-limit.js';
import type { Conduct } from '../../protocol/conduct.js';
import type {
  TrafficAskMessage,
  TrafficMessage,
  TrafficPartMessage,
} from '../../protocol/traffic-message.js';
import type { RouterId, SiteId } from '../../tables/model.js';
import { PERIOD_SECONDS } from '../periods.js';
import type { Question } from '../query.js';

export const TRAFFIC_COUNTERS = {
  'traffic_refused_*': 'drop',
  /** So many questions wait for their answer already. */
  traffic_questions_dropped_queue_full: 'drop',
  traffic_questions_answered: 'event',
  /** More than any router forwards, as only an exporter can have told it: said as the most that can be. */
  traffic_rows_held_down: 'event',
  /** To each collector. */
  traffic_messages_exported: 'event',
  /** One could not be sent, or a collector was not there. */
  traffic_export_failed: 'drop',
  /** Of exporters of this site. */
  traffic_flow_datagrams: 'event',
  traffic_flows_counted: 'event',
  traffic_sensors_accepted: 'event',
  /** They had another token, or did not say who they are. */
  traffic_sensors_refused: 'drop',
  /** One host had as many connections as one may have that has not shown the token. */
  traffic_sensors_refused_host: 'drop',
  traffic_sensor_messages: 'event',
  /** What they told of and is no pair of ours, or is counted by somebody else. */
  'traffic_flows_ignored_*': 'event',
  'traffic_flows_dropped_*': 'drop',
} as const satisfies CounterTable;

export type TrafficCounters = DeclaredCounters<typeof TRAFFIC_COUNTERS>;
export function trafficCounters(): TrafficCounters {
  return new DeclaredCounters(TRAFFIC_COUNTERS);
}

type Refusal = 'too-soon' | 'unasked' | 'not-yours' | 'impossible';

/** A day's 2,880 periods cost 30: three of those at once, then one every 8 s. */
const PERIODS_A_UNIT = 100;
const ASKS: Rate = { perSecond: 4, burst: 100 };
const PARTS: Rate = { perSecond: 2_000, burst: 4_000 };
/** More than this in a row, for the whole time that was asked for, no router forwards: 1 Tbit/s, in the smallest frames. */
const MOST_BYTES_A_SECOND = 125e9;
const MOST_PACKETS_A_SECOND = 1.5e9;
/** What a row in answer to a question can come to: who answers says no more, who asks believes no more. */
export function mostOf({ detail, periods }: Pick<Question, 'detail' | 'periods'>): {
  readonly bytes: number;
  readonly packets: number;
} {
  const seconds = PERIOD_SECONDS * (detail ? 1 : periods);
  return { bytes: seconds * MOST_BYTES_A_SECOND, packets: seconds * MOST_PACKETS_A_SECOND };
}

/** What is on the way when a question is given up, or comes twice, is no fault. */
const INNOCENT: Rate = { perSecond: 20, burst: 600 };

export interface AuthorityContext {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly conduct: Conduct;
  readonly counters: TrafficCounters;
  readonly siteOf: (router: RouterId) => SiteId;
}

export class TrafficAuthority {
  readonly #context: AuthorityContext;
  readonly #asks: KeyedRateLimit<RouterId>;
  readonly #parts: KeyedRateLimit<RouterId>;
  readonly #innocent: KeyedRateLimit<RouterId>;

  constructor(context: AuthorityContext) {
    this.#context = context;
    this.#asks = new KeyedRateLimit(context.clock, ASKS);
    this.#parts = new KeyedRateLimit(context.clock, PARTS);
    this.#innocent = new KeyedRateLimit(context.clock, INNOCENT);
  }

  allowsAsk(from: RouterId, { first, periods }: TrafficAskMessage): boolean {
    const cost = first === 0 ? 1 + periods / PERIODS_A_UNIT : 1;
    const isPaid =
      this.#asks.take(from, Math.min(ASKS.burst, cost * this.#context.conduct.price(from))) === 'taken';
    return isPaid || this.#refused(from, 'trafficAsk', 'too-soon');
  }

  /**
   * What of it counts; undefined: nothing.
   * @param asked the open question that it answers, if there is one
   */
  admitPart(
    from: RouterId,
    part: TrafficPartMessage,
    asked: Pick<Question, 'detail' | 'periods'> | undefined,
  ): TrafficPartMessage | undefined {
    if (asked === undefined) {
      this.#refused(from, 'trafficPart', 'unasked');
      return undefined;
    }
    if (!this.#parts.allow(from, Math.min(PARTS.burst, this.#context.conduct.price(from)))) {
      this.#refused(from, 'trafficPart', 'too-soon');
      return undefined;
    }
    const site = this.#context.siteOf(from);
    const own = part.rows.filter(
      (row) => row.kind === 'nobody' || row.sourceSite === site || row.destinationSite === site,
    );
    if (own.length < part.rows.length) this.#refused(from, 'trafficPart', 'not-yours');
    const most = mostOf(asked);
    const rows = own.filter(({ bytes, packets }) => bytes <= most.bytes && packets <= most.packets);
    if (rows.length < own.length) this.#refused(from, 'trafficPart', 'impossible');
    return { ...part, rows };
  }

  #refused(from: RouterId, type: TrafficMessage['type'], refusal: Refusal): false {
    const { counters, conduct } = this.#context;
    counters.count(`traffic_refused_${type}_${refusal}`);
    const isInnocent = refusal === 'unasked' && this.#innocent.allow(from);
    if (!isInnocent) conduct.refused(from, type, refusal);
    return false;
  }
}
