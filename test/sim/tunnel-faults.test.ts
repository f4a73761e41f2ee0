import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RouterId } from '../../src/tables/model.js';
import { type Datagram, type SimRouter, World } from './tunnel-world.js';

const IDS: readonly RouterId[] = ['vr-a', 'vr-b', 'vr-c'];

/** Cuts, heals, crashes, orderly stops, bad weather and clock steps, at random, for two minutes. */
class Storm {
  readonly world = new World({ routers: IDS });
  readonly routers = new Map<RouterId, SimRouter>();
  readonly log: string[] = [];
  private readonly cuts = new Set<string>();

  constructor() {
    this.world.cut = (datagram) => this.cuts.has(pathOf(datagram));
    for (const id of IDS) this.start(id);
  }

  step(): void {
    const { random, clock, weather } = this.world;
    const pick = <Value>(values: readonly Value[]): Value => {
      const value = values[Math.floor(random.next() * values.length)];
      assert.ok(value !== undefined);
      return value;
    };
    const id = pick(IDS);
    const path = `${1 + Math.floor(random.next() * 3)}>${1 + Math.floor(random.next() * 3)}`;
    const deed = pick(['cut', 'cut', 'heal', 'crash', 'stop', 'weather', 'wait', 'wait']);
    this.log.push(`${Math.round(clock.nowMs())} ${deed} ${deed === 'cut' || deed === 'heal' ? path : id}`);
    if (deed === 'cut') this.cuts.add(path);
    if (deed === 'heal') this.cuts.delete(path);
    if (deed === 'crash') this.start(id);
    if (deed === 'stop') this.routers.get(id)?.tunnel.stop('by hand');
    if (deed === 'stop') this.start(id);
    if (deed === 'weather')
      Object.assign(weather, { loss: 0.4 * random.next(), duplication: 0.2 * random.next() });
    if (deed === 'weather')
      Object.assign(weather, { delayMs: 80 * random.next(), jitterMs: 80 * random.next() });
    clock.advance(random.next() ** 3 * 20_000);
  }

  calm(): void {
    this.cuts.clear();
    Object.assign(this.world.weather, { loss: 0.05, duplication: 0.05, delayMs: 20, jitterMs: 10 });
  }

  get whole(): boolean {
    return [...this.routers.values()].every((router) => router.tunnel.upPeers().length === IDS.length - 1);
  }

  get history(): string {
    return `seed ${this.world.seed}\n${this.log.join('\n')}`;
  }

  private start(id: RouterId): void {
    const former = this.routers.get(id);
    // What it had set in motion goes on in this process; its datagrams must not.
    if (former !== undefined) former.muted = true;
    this.routers.set(id, this.world.start(id));
  }
}

function pathOf({ from, to }: Datagram): string {
  return `${from.address.at(-1)}>${to.address.at(-1)}`;
}

describe('after any history of faults', () => {
  it('all routers are up with one another, believe it for good, and deliver', (test) => {
    for (let run = 0; run < 15; run++) {
      const storm = new Storm();
      test.diagnostic(`seed ${storm.world.seed}`);
      for (let step = 0; step < 25; step++) storm.step();
      storm.calm();
      try {
        const tookMs = storm.world.until('all up', () => storm.whole, 25_000);
        test.diagnostic(`whole after ${tookMs} ms`);
        storm.world.clock.advance(15_000);
        checkSteady(storm);
      } catch (error) {
        throw new Error(storm.history, { cause: error });
      }
    }
  });
});

function checkSteady(storm: Storm): void {
  const before = [...storm.routers.values()].map((router) => router.changes.length);
  storm.world.clock.advance(30_000);
  for (const [index, router] of [...storm.routers.values()].entries()) {
    assert.equal(
      router.changes.length,
      before[index],
      `${router.id} is not steady: ${router.changes.join(', ')}`,
    );
    checkAlternation(router);
    for (const to of IDS) {
      if (to !== router.id) router.tunnel.send(to, { type: 'digest', highestStamp: 4242, count: 0, hash: 0 });
    }
  }
  storm.world.clock.advance(5_000);
  for (const router of storm.routers.values()) {
    const senders = router.messages.map(({ from }) => from).sort();
    assert.deepEqual(
      senders,
      IDS.filter((id) => id !== router.id),
      `to ${router.id}`,
    );
  }
}

/** For each peer: up, down, up, down … */
function checkAlternation(router: SimRouter): void {
  for (const id of IDS) {
    const words = router.changes
      .filter((change) => change.endsWith(id))
      .map((change) => change.split(' ')[0]);
    assert.deepEqual(
      words,
      words.map((_, index) => (index % 2 === 0 ? 'up' : 'down')),
      `${router.id} about ${id}`,
    );
  }
}
