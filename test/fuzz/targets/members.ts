/**
 * Running routers and a member that is mad: well-formed messages about the tables, made at random and changed byte by byte
 * as long as the decoder takes them. Nothing may throw, what nobody has moved stays where it is, and then a node moves.
 */
import assert from 'node:assert/strict';
import { MadJudge } from '../../sim/mad-judge.js';
import { Liar } from '../../sim/mad-lies.js';
import { payloadOf } from '../../sim/mad-router.js';
import { DELAY_MS, HONEST, MadWorld } from '../../sim/mad-world.js';
import { mutated } from '../mutate.js';
import type { Random } from '../random.js';
import type { Target } from '../target.js';

const MOST_LIES = 60;
const DIVERSION_MS = 250 + 4 * DELAY_MS;
/** Refusals are held against a node for 5 s. */
const FOUND_MS = 8_000;

class Scene {
  readonly #random: Random;
  readonly #all: MadWorld;
  readonly #liar: Liar;
  readonly #judge: MadJudge;

  constructor(random: Random) {
    this.#random = random;
    const verify = random.pick(['optimistic', 'strict', 'off'] as const);
    this.#all = new MadWorld({ verify, hostsPerSite: [1, 1, 0, 1], seed: random.word() >>> 0 });
    const uniform = (): number => (random.word() >>> 0) / 2 ** 32;
    this.#liar = new Liar(this.#all, uniform);
    const options = { verify, diversionMs: DIVERSION_MS, onlyOnce: true, isOnItsWay: () => false };
    this.#judge = new MadJudge(this.#all, this.#all.nodes(), options);
    for (const node of this.#all.nodes()) {
      const at = this.#all.world.siteOf(node);
      assert(at);
      this.#judge.rest(node, at);
    }
  }

  work(): string {
    const { world, mad } = this.#all;
    for (let lies = 1 + this.#random.below(MOST_LIES); lies > 0; lies--) {
      this.#lie();
      world.settle(this.#random.chance(90) ? this.#random.below(30) : this.#random.below(2_000));
    }
    world.settle(DIVERSION_MS);
    this.#judge.check();
    this.#moveTruly();
    if (this.#judge.diversions > 0) return 'diverted for a moment';
    return mad.told > 0 ? 'unharmed' : 'nothing was read';
  }

  #lie(): void {
    const random = this.#random;
    const to = random.pick(HONEST);
    const payload = payloadOf(this.#liar.message(to, this.#liar.subject()));
    this.#all.mad.tellPayload(to, random.chance(50) ? payload : mutated(payload, random));
  }

  #moveTruly(): void {
    const { world, honest } = this.#all;
    const node = this.#random.pick(this.#all.nodes());
    const to = this.#random.pick(honest.filter((site) => site !== world.siteOf(node)));
    this.#judge.disturb(node);
    world.move(node, to, this.#random.pick(['rarp', 'gratuitous'] as const), 10);
    world.settle(10 + FOUND_MS);
    assert(this.#judge.agrees(node, to), `${node.name} is at ${to.id}, and not found there`);
  }
}

export const members: Target = {
  name: 'members',
  outcomes: ['unharmed'],
  open: () => (random) => new Scene(random).work(),
};
