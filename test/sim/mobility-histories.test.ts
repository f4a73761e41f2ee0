import { test } from 'node:test';
import fc from 'fast-check';
import { type Announcement, type Families, SimWorld } from '../support/sim-lan-world.js';

const SITES = 4;
const NODES_PER_SITE = 2;
/** Longer than a contradiction is put off (5 s) and than digests take to be exchanged (30 s). */
const QUIET_MS = 70_000;
const SUPPRESSED_MS = 190_000;

type Step =
  | {
      readonly kind: 'move';
      readonly node: number;
      readonly to: number;
      readonly announcement: Announcement;
      readonly downtimeMs: number;
    }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'cut' | 'heal'; readonly a: number; readonly b: number };

const site = fc.integer({ min: 1, max: SITES });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('move' as const),
      // Few nodes, so that the moves of one follow and cross each other.
      node: fc.integer({ min: 0, max: 2 }),
      to: site,
      announcement: fc.constantFrom<Announcement>('rarp', 'gratuitous', 'both'),
      downtimeMs: fc.constantFrom(1, 5, 30),
    }),
  },
  // From far less than a message takes to far more.
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 5, 10, 40, 100, 400, 3000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), a: site, b: site }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('heal' as const), a: site, b: site }) },
);

function play(world: SimWorld, history: readonly Step[]): void {
  const nodes = world.nodes();
  for (const step of history) {
    if (step.kind === 'wait') world.settle(step.ms);
    else if (step.kind === 'move') {
      const node = nodes[step.node];
      if (node !== undefined) world.move(node, world.site(step.to), step.announcement, step.downtimeMs);
    } else if (step.a !== step.b) world.wan[step.kind](world.site(step.a).id, world.site(step.b).id);
  }
  for (let a = 1; a <= SITES; a++) {
    for (let b = a + 1; b <= SITES; b++) world.wan.heal(world.site(a).id, world.site(b).id);
  }
  world.settle(QUIET_MS);
  // Claims that were contradicted (they crossed a return) are not believed again for a while.
  if (world.sites.some(({ mobility }) => mobility.suppressed().length > 0)) world.settle(SUPPRESSED_MS);
}

const KINDS = [
  { largeSubnet: false, ipv6: false },
  { largeSubnet: true, ipv6: false },
  { largeSubnet: false, ipv6: true },
  { largeSubnet: '6', ipv6: true },
] as const;
const FAMILIES: readonly Families[] = ['4', '6', '46'];

for (const { largeSubnet, ipv6 } of KINDS) {
  const kind = `${ipv6 ? ', IPv4 and IPv6' : ''}${largeSubnet === false ? '' : ', one large subnet'}`;
  test(`any history of moves and cuts ends in agreement with the truth${kind}`, () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 1_000_000 }),
        (history, seed) => {
          const wan = { delayMs: 20, jitterMs: 30, loss: 0.1, retryMs: 60, duplicate: 0.05 };
          let hosts = seed;
          const families = (): Families => FAMILIES[hosts++ % FAMILIES.length] ?? '46';
          const size = { sites: SITES, hostsPerSite: NODES_PER_SITE };
          const world = new SimWorld({ ...size, wan, seed, largeSubnet, ...(ipv6 ? { families } : {}) });
          world.fillCaches();
          play(world, history);
          world.checkAll();
        },
      ),
      { numRuns: ipv6 ? 75 : 150 },
    );
  });
}
