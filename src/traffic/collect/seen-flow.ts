/** What an exporter has seen, whichever way it says it; and what became of a datagram. */
import type { Ip } from '../../net/ip.js';

/** One direction. Counts are those before sampling. */
export interface SeenFlow {
  readonly source: Ip;
  readonly destination: Ip;
  readonly packets: number;
  /** Of IP packets, headers included. */
  readonly bytes: number;
  /** Seen where it left, perhaps where it came in too; who sees one place only may call half of what he sees so, as softflowd does. */
  readonly isEgress: boolean;
}

/** Why a datagram, a set, a template, a sample or a record was refused. */
export const FLOW_DROP_REASONS = [
  /** Neither IPFIX nor NetFlow v9 nor sFlow v5. */
  'version',
  /** A length that goes beyond what it is in, or is shorter than what must be there. */
  'length',
  'bad-template',
  /** A set whose template has not come yet, or was too old to be kept. */
  'unknown-template',
  /** A rate of 0, of more than 2^24, or one that was named and never told. */
  'sampling',
  /** So many bytes cannot be so many packets. */
  'counters',
  /** A record without bytes and packets of its time. */
  'no-counters',
  /** A sampled packet that is none. */
  'packet',
] as const;
export type FlowDropReason = (typeof FLOW_DROP_REASONS)[number];

/** What is in order and no flow of ours. */
export const FLOW_IGNORE_REASONS = [
  /** Not IP, or a record about something else. */
  'no-addresses',
  /** Counters of interfaces and other things that sFlow carries. */
  'other-sample',
] as const;
export type FlowIgnoreReason = (typeof FLOW_IGNORE_REASONS)[number];

interface Seen {
  readonly packets: number;
  readonly bytes: number;
  readonly isEgress?: boolean;
}

/** What was in one datagram. */
export class Decoded {
  readonly flows: SeenFlow[] = [];
  readonly dropped: FlowDropReason[] = [];
  readonly ignored: FlowIgnoreReason[] = [];

  /** @param observer who has seen it: what two of them tell of a pair may be the same packets */
  constructor(readonly observer: string) {}

  drop(reason: FlowDropReason): void {
    this.dropped.push(reason);
  }

  ignore(reason: FlowIgnoreReason): void {
    this.ignored.push(reason);
  }

  /** @param oneIn packets of which one was looked at */
  add(source: Ip, destination: Ip, counts: Seen, oneIn: number): void {
    const { packets, bytes, isEgress = false } = counts;
    if (packets === 0 && bytes === 0) return;
    if (!isRate(oneIn)) {
      this.drop('sampling');
      return;
    }
    if (!isPlausible(packets, bytes) || bytes * oneIn > MOST_BYTES) {
      this.drop('counters');
      return;
    }
    this.flows.push({
      source,
      destination,
      packets: Math.round(packets * oneIn),
      bytes: Math.round(bytes * oneIn),
      isEgress,
    });
  }
}

const MOST_RATE = 2 ** 24;
/** An hour at 400 Gbit/s is 1.6 times 2^47. */
const MOST_BYTES = 2 ** 48;
const LEAST_PACKET_BYTES = 20;
const MOST_PACKET_BYTES = 40 + 65_535;

export function isRate(oneIn: number): boolean {
  return oneIn >= 1 && oneIn <= MOST_RATE;
}

function isPlausible(packets: number, bytes: number): boolean {
  return bytes >= packets * LEAST_PACKET_BYTES && bytes <= packets * MOST_PACKET_BYTES && bytes <= MOST_BYTES;
}
