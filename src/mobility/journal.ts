/** The last moves with the times of their steps, for `vinectl migrations`. */
import type { Clock } from '../net/clock.js';
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { RouterId, VnetId } from '../tables/model.js';
import type { MoveStep, MoveView, SeenTrigger } from './ports.js';

const KEPT_MOVES = 1_000;
/** A move at a thousand routers must not list a thousand steps twice over. */
const STEPS_PER_MOVE = 64;

export interface MoveStart {
  readonly vnet: VnetId;
  readonly mac: Mac;
  readonly ips: readonly Ip[];
  readonly from: RouterId | undefined;
  readonly to: RouterId;
  readonly trigger: SeenTrigger;
  readonly seq: number;
  readonly role: MoveView['role'];
  /** When it began, on the monotonic clock: capture of the announcement, or arrival of the claim. */
  readonly startedMs: number;
}

/** One move while it goes on. */
export class Move {
  readonly start: MoveStart;
  readonly #clock: Clock;
  readonly #onJudged: (move: Move) => void;
  #startedWallMs: number | undefined;
  readonly #steps: MoveStep[] = [];
  #verdict: MoveView['verdict'] = 'claiming';
  #reason = '';

  constructor(clock: Clock, start: MoveStart, onJudged: (move: Move) => void) {
    this.#clock = clock;
    this.#onJudged = onJudged;
    this.start = start;
  }

  get verdict(): MoveView['verdict'] {
    return this.#verdict;
  }

  /** Notes a step now, or at the given time of the monotonic clock. */
  step(name: string, atMs = this.#clock.nowMs()): void {
    if (this.#steps.length >= STEPS_PER_MOVE) return;
    this.#steps.push({ step: name, atUs: Math.round((atMs - this.start.startedMs) * 1000) });
  }

  /** Notes a step unless it is there already. */
  stepOnce(name: string): void {
    if (!this.#steps.some(({ step }) => step === name)) this.step(name);
  }

  judge(verdict: MoveView['verdict'], reason = ''): void {
    const isNew = verdict !== this.#verdict;
    this.#verdict = verdict;
    this.#reason = reason;
    this.#date();
    if (isNew) this.#onJudged(this);
  }

  view(): MoveView {
    const { startedMs: _, ...start } = this.start;
    return {
      ...start,
      verdict: this.#verdict,
      reason: this.#reason,
      blackoutUs: this.#blackoutUs(),
      startedWallMs: this.#date(),
      steps: [...this.#steps],
    };
  }

  /** The two clocks are compared when it is first judged or looked at, not while the node waits. */
  #date(): number {
    this.#startedWallMs ??= this.#clock.wallMs() - (this.#clock.nowMs() - this.start.startedMs);
    return this.#startedWallMs;
  }

  /**
   * Estimated where the node arrived. When the VR that had it answers, its own forwarding was changed half a round trip
   * ago: the first packet that it has sent on arrives together with the answer.
   */
  #blackoutUs(): number | undefined {
    const { role, from } = this.start;
    if (role !== 'destination' || from === undefined || this.#verdict !== 'accepted') return undefined;
    return this.#steps.find(({ step }) => step === `accepted:${from}`)?.atUs;
  }
}

export class Journal {
  readonly #clock: Clock;
  readonly #onJudged: (move: Move) => void;
  readonly #moves: Move[] = [];

  /** @param onJudged told of every verdict that a move gets */
  constructor(clock: Clock, onJudged: (move: Move) => void = () => {}) {
    this.#clock = clock;
    this.#onJudged = onJudged;
  }

  begin(start: MoveStart): Move {
    const move = new Move(this.#clock, start, this.#onJudged);
    this.#moves.push(move);
    if (this.#moves.length > KEPT_MOVES) this.#moves.shift();
    return move;
  }

  /** For what is told as a move, and is none. */
  unlisted(start: MoveStart): Move {
    return new Move(this.#clock, start, () => {});
  }

  /** The node's last move that is known. */
  latest(vnet: VnetId, mac: Mac): Move | undefined {
    return this.#moves.findLast(({ start }) => start.vnet === vnet && start.mac === mac);
  }

  /** Nobody waits for an answer any more. */
  abandon(reason: string): void {
    for (const move of this.#moves) if (move.verdict === 'claiming') move.judge('undone', reason);
  }

  /** Oldest first. */
  views(): readonly MoveView[] {
    return this.#moves.map((move) => move.view());
  }
}
