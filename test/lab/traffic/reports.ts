/** What the traffic programs print, one JSON line each, and read: the words "reset" and "finish". */
import { createInterface } from 'node:readline';
import type { Gap } from './gap-meter.js';

export interface StreamReport {
  readonly event: 'listening' | 'connected' | 'progress' | 'done' | 'broken';
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Offset of the first wrong byte; null while all is right. */
  readonly wrongAt: number | null;
  readonly gap: Gap;
  /** How often "reset" was obeyed. */
  readonly resets: number;
  /** Why it broke; empty otherwise. */
  readonly error: string;
}

export interface ProbeReport {
  readonly event: 'listening' | 'progress' | 'done';
  readonly received: number;
  /** Of the numbers up to the highest that arrived, those that did not. */
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly gap: Gap;
  /** How often "reset" was obeyed. */
  readonly resets: number;
}

export interface ProbeSenderReport {
  readonly event: 'progress' | 'done';
  readonly sent: number;
}

/** Of one end of many connections; the lists have one entry each, in the order in which they were opened. */
export interface FlowsReport {
  readonly event: 'listening' | 'progress' | 'done';
  /** Connections that are not closed. */
  readonly open: number;
  /** Why connections broke: reset by the other end, timed out. */
  readonly broken: readonly string[];
  /** Connections in which a byte was wrong. */
  readonly wrong: number;
  readonly sentBytes: readonly number[];
  readonly receivedBytes: readonly number[];
  /** Longest time without an arrival since the last reset, also one that is under way. */
  readonly stallMs: readonly number[];
  readonly resets: number;
}

export const reportEveryMs = 50;

export function print(report: StreamReport | ProbeReport | ProbeSenderReport | FlowsReport): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

/** Calls `commands[word]` for every line on stdin; the end of stdin means that who started us has gone. */
export function obey(commands: Readonly<Record<string, () => void>>): void {
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (word) => commands[word]?.());
  lines.once('close', () => process.exit(0));
}

export const epochMs = (): number => performance.timeOrigin + performance.now();
