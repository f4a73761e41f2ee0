/** Whatever a mad router says, for however long: nothing that an honest router holds on to grows without a bound. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ip } from '../../src/net/ip.js';
import type { Mac } from '../../src/net/mac.js';
import { reachableSizes } from '../support/reachable.js';
import type { SimSite } from '../support/sim-lan-site.js';
import { randomOf } from '../support/sim-lan-wan.js';
import { Liar, type Subject } from './mad-lies.js';
import { MadWorld } from './mad-world.js';

/** The largest of the bounds that there are, and what an overlay of this size has besides. */
const MOST_ELEMENTS = 4_096 + 300;
const LIMITS = { nodesPerRouter: 1_000 };
const LIES = 10_000;
const EVERY_MS = 5;

class Holder {
  readonly #kept = new Map<number, Set<number>>();
  readonly lookUp: (key: number) => number;

  constructor(size: number) {
    const captured = Array.from({ length: size }, (_, i) => i);
    this.lookUp = (key) => captured[key] ?? 0;
    this.#kept.set(1, new Set(captured));
  }

  get size(): number {
    return this.#kept.size;
  }
}

test('what is private, nested or captured by a closure is seen', () => {
  const sizes = reachableSizes({ holder: new Holder(5_000) });
  assert.deepEqual(
    [...sizes].filter(([, size]) => size === 5_000).map(([way]) => way),
    ['.holder.lookUp(captured)', '.holder.#kept[][]'],
  );
});

function largest(site: SimSite, except: readonly object[]): [way: string, size: number] {
  const { mobility, directory, hwdt, gndt, lndt } = site;
  const sizes = reachableSizes({ mobility, directory, hwdt, gndt, lndt }, [
    site,
    site.lan,
    site.table,
    ...except,
  ]);
  const [first] = [...sizes].sort(([, a], [, b]) => b - a);
  assert(first);
  return first;
}

/** An address and a MAC that nobody has spoken of, in some site's network. */
function fresh(n: number): Subject {
  const ip = n % 3 === 0 ? Ip.v4(0x0a000000 + ((1 + (n % 4)) << 16) + (n % 256)) : undefined;
  const ips = [ip ?? Ip.v6(0xfd000000 + 1 + (n % 4), 0, 9, n)];
  return { name: 'fresh', ips, mac: (0x525500000000 + n) as Mac };
}

for (const verify of ['optimistic', 'strict'] as const) {
  test(`${verify}: 50 s of lies about somebody else each time, and false answers`, (t) => {
    const all = new MadWorld({ verify, slots: 16_384, limits: LIMITS });
    const liar = new Liar(all, randomOf(5));
    const { world, wan, mad } = all;
    mad.onHeard = ({ from, message }) => {
      if (message.type === 'whoHas') mad.tell(from, liar.has(message.queryId, from, liar.subject()));
      if (message.type === 'nodesOf') mad.tell(from, liar.nodes(message.queryId));
    };
    for (let n = 0; n < LIES; n++) {
      mad.tell('vr-b', liar.message('vr-b', fresh(n)));
      world.settle(EVERY_MS);
    }
    const [way, size] = largest(world.site(2), [world, world.clock, wan]);
    t.diagnostic(`${size} at ${way}`);
    assert(size <= MOST_ELEMENTS, `${size} elements at ${way}`);
    for (const [name, waiting] of world.site(2).timers)
      assert(waiting <= MOST_ELEMENTS, `${waiting} timers "${name}"`);
  });
}
