/** Optimistic: a lie about where a node is, repeated, diverts it once for a moment, and a true move goes through it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Ip } from '../../src/net/ip.js';
import type { RouterId } from '../../src/tables/model.js';
import type { SimHost } from '../support/sim-lan-host.js';
import { BLUE } from '../support/sim-lan-world.js';
import { DELAY_MS, HONEST, MAD, MadWorld } from './mad-world.js';

const MOST_DIVERTED_MS = 250 + 4 * DELAY_MS;
const EVERY_MS = 100;
const LIES_MS = 60_000;
const FOUND_MS = 1_000;

/** From when to when an honest router had an address elsewhere than where the node is. */
interface Diversion {
  readonly at: RouterId;
  readonly ip: string;
  readonly sinceMs: number;
  untilMs: number;
}

/** Looks at every change; the truth may change with `truth`. */
class Diversions {
  readonly all: Diversion[] = [];
  readonly #world: MadWorld;
  readonly #node: SimHost;
  truth: RouterId;

  constructor(world: MadWorld, node: SimHost) {
    this.#world = world;
    this.#node = node;
    this.truth = world.world.siteOf(node)?.id ?? '';
    for (const site of world.honest) site.watch = (_, { after }) => this.#look(site.id, after.ip);
  }

  get #nowMs(): number {
    return this.#world.world.clock.nowMs();
  }

  #look(at: RouterId, ip: Ip): void {
    if (!this.#node.ips.some((own) => own.equals(ip))) return;
    const record = this.#world.honest.find(({ id }) => id === at)?.directory.here(BLUE, ip);
    const open = this.all.find((one) => one.at === at && one.ip === ip.key && one.untilMs === Infinity);
    const isRight = record?.router === this.truth;
    if (isRight && open !== undefined) open.untilMs = this.#nowMs;
    if (!isRight && open === undefined)
      this.all.push({ at, ip: ip.key, sinceMs: this.#nowMs, untilMs: Infinity });
  }

  /** No router had an address elsewhere more often, or for longer. */
  check(most: number): void {
    const told = this.all.map(
      ({ at, ip, sinceMs, untilMs }) => `${at} ${ip} from ${sinceMs} ms for ${untilMs - sinceMs} ms`,
    );
    for (const at of HONEST) {
      for (const { key } of this.#node.ips) {
        const its = this.all.filter((one) => one.at === at && one.ip === key);
        assert(its.length <= most, `${its.length} diversions at ${at}:\n${told.join('\n')}`);
      }
    }
    const longest = Math.max(0, ...this.all.map(({ sinceMs, untilMs }) => untilMs - sinceMs));
    assert(longest <= MOST_DIVERTED_MS, `diverted for ${longest} ms:\n${told.join('\n')}`);
  }
}

interface Lie {
  readonly what: string;
  readonly to: readonly RouterId[];
  readonly asRecords?: true;
  readonly objection?: true;
  /** The objection is to the router that has the node. */
  readonly isNamed?: true;
  readonly frozen?: true;
  /** By how much the n-th number is above the one that is known. */
  readonly step?: (n: number) => number;
}

const LIES: readonly Lie[] = [
  { what: 'a claim, to all', to: HONEST },
  { what: 'records, to all', to: HONEST, asRecords: true },
  { what: 'an objection, to all', to: HONEST, objection: true },
  { what: 'an objection to the one that has it, to all', to: HONEST, objection: true, isNamed: true },
  { what: 'a frozen claim, to all', to: HONEST, frozen: true },
  { what: 'a claim, to the router that has the node only', to: ['vr-b'] },
  { what: 'a claim, to a third router only', to: ['vr-c'] },
  { what: 'records, to a third router only', to: ['vr-c'], asRecords: true },
  { what: 'claims with numbers far ahead', to: HONEST, step: (n) => 1 + n * 1_000 },
];

function lie(all: MadWorld, node: SimHost, one: Lie, n: number): void {
  const { to, asRecords, objection, isNamed, frozen, step } = one;
  const above = step?.(n) ?? 1;
  const records = node.ips.map((ip) =>
    all.lie(ip, { seq: all.record(ip).seq + above, ...(frozen && { frozen }) }),
  );
  if (asRecords) all.mad.tellAll(to, { type: 'records', records });
  else {
    const move = { vnet: BLUE, mac: node.mac, records, trigger: 'rarp' as const, sinceDetectionUs: 1 };
    const against = isNamed && { against: all.record(node.ip).router };
    const moves = [{ ...move, ...(objection && { objection, ...against }) }];
    all.mad.tellAll(to, { type: 'claim', claimId: n, moves });
  }
}

describe('a lie repeated every 100 ms for a minute', () => {
  for (const one of LIES) {
    test(`${one.what}: at most one diversion at each router`, () => {
      const all = new MadWorld();
      all.world.settle(10_000);
      const node = all.world.host('h2-1');
      const diversions = new Diversions(all, node);
      for (let n = 0; n < LIES_MS / EVERY_MS; n++) {
        lie(all, node, one, n);
        all.world.settle(EVERY_MS);
      }
      all.world.settle(2_000);
      diversions.check(1);
      for (const ip of node.ips) assert.equal(all.places(ip), 'vr-b vr-b vr-b');
    });

    test(`${one.what}: true moves in between are found`, () => {
      const all = new MadWorld();
      all.world.settle(10_000);
      const node = all.world.host('h2-1');
      for (const [round, number] of [3, 1, 2].entries()) {
        const to = all.world.site(number);
        all.world.move(node, to, 'both', 10);
        for (let n = 0; n < 80; n++) {
          if (n * EVERY_MS === 4_000) {
            for (const ip of node.ips)
              assert.equal(all.places(ip), `${to.id} ${to.id} ${to.id}`, `round ${round}`);
          }
          lie(all, node, one, n);
          all.world.settle(EVERY_MS);
        }
        for (const ip of node.ips)
          assert.equal(all.places(ip), `${to.id} ${to.id} ${to.id}`, `round ${round}`);
      }
    });
  }

  test('when the lies have ended, the next true move is found as always', () => {
    const all = new MadWorld();
    all.world.settle(10_000);
    const node = all.world.host('h2-1');
    for (let n = 0; n < 100; n++) {
      for (const one of LIES) lie(all, node, one, n);
      all.world.settle(EVERY_MS);
    }
    all.world.settle(2_000);
    all.world.move(node, all.world.site(3), 'rarp', 10);
    all.world.settle(10 + FOUND_MS);
    for (const ip of node.ips) assert.equal(all.places(ip), 'vr-c vr-c vr-c');
    assert(all.honest.every(({ directory }) => directory.of(MAD).every(({ ip }) => !node.ips.includes(ip))));
  });
});
