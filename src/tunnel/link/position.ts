/** Where this router is among the others, as round trips tell. */
import { type Coordinate, measured, ORIGIN } from '../../net/coordinates.js';

export class Position {
  readonly #chance: () => number;
  #own = ORIGIN;

  /** @param chance 0 … 1 */
  constructor(chance: () => number) {
    this.#chance = chance;
  }

  get own(): Coordinate {
    return this.#own;
  }

  /** A straight way to a peer that says it is there takes so long, to and fro. */
  measured(peer: Coordinate, rttMs: number): void {
    this.#own = measured(this.#own, peer, rttMs, this.#chance);
  }
}
