import type { Ip } from '../net/ip.js';
import type { VnetId } from './model.js';

interface Asked<Answer> {
  readonly vnet: VnetId;
  /** Undefined: nothing has been asked yet. */
  readonly ip: Ip | undefined;
  readonly answer: Answer | undefined;
}

const NOTHING = { vnet: 0, ip: undefined, answer: undefined };

/**
 * The last two questions about a node's address, and their answers: all that has to do with a move asks again and again about
 * the one or two addresses of a node, by the same objects.
 */
export class LatestAnswers<Answer> {
  readonly #find: (vnet: VnetId, ip: Ip) => Answer;
  #latest: Asked<Answer> = NOTHING;
  #before: Asked<Answer> = NOTHING;

  constructor(find: (vnet: VnetId, ip: Ip) => Answer) {
    this.#find = find;
  }

  of(vnet: VnetId, ip: Ip): Answer {
    const latest = this.#latest;
    if (latest.ip === ip && latest.vnet === vnet) return latest.answer as Answer;
    const before = this.#before;
    const isKnown = before.ip === ip && before.vnet === vnet;
    const found = isKnown ? before : { vnet, ip, answer: this.#find(vnet, ip) };
    this.#latest = found;
    this.#before = latest;
    return found.answer as Answer;
  }

  /** What the answers were found in has changed. */
  forget(): void {
    this.#latest = NOTHING;
    this.#before = NOTHING;
  }
}
