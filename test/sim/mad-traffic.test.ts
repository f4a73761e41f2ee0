/** A member that lies about who talks to whom, and asks without end: what the honest ones tell is right, bounded, and says `partial`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TrafficRequest, TrafficView } from '../../src/control/traffic-view.js';
import { Ip } from '../../src/net/ip.js';
import { MAX_ID } from '../../src/protocol/constants.js';
import type {
  TrafficAskMessage,
  TrafficPartMessage,
  TrafficRow,
} from '../../src/protocol/traffic-message.js';
import { Random } from '../fuzz/random.js';
import { HONEST, MAD, TrafficWorld } from './traffic-world.js';

const SEEDS = [1, 2, 3, 4, 5, 6];
const REQUEST: TrafficRequest = {
  lastSeconds: 30,
  mode: 'ended',
  detail: false,
  weight: 1,
  by: 'node',
  top: 1_024,
  node: undefined,
  vnet: undefined,
  waitSeconds: 5,
};
const QUESTIONS = 600;
/** 1 Tbit/s for a period, in each of as many rows as an answer may have. */
const MOST_BYTES = 8_192 * 30 * 125e9;

const COUNTS = [0, 1, 1_500, 2 ** 31, 2 ** 40, 2 ** 48, MAX_ID - 1, MAX_ID];
const SITES = [MAD, MAD, ...HONEST, 'vr-x', 'y'.repeat(63)];
const ENDS = ['10.1.0.1', '10.4.0.1', 'fd00:1::1', 'fd00:4::9', '198.51.100.1', '2001:db8::1'].map((ip) =>
  Ip.of(ip),
);

class Liar {
  readonly #random: Random;
  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.#random.below(from.length)] as T;
  }

  row(): TrafficRow {
    const kind = this.pick(['pair', 'pair', 'sites', 'nobody'] as const);
    const counts = { packets: this.pick(COUNTS), bytes: this.pick(COUNTS) };
    const none = { vnet: 0, source: undefined, destination: undefined, sourceSite: '', destinationSite: '' };
    if (kind === 'nobody') return { kind, period: 0, ...none, ...counts };
    const end = (): Ip | undefined => (kind === 'pair' ? this.pick([undefined, ...ENDS]) : undefined);
    return {
      kind,
      period: this.pick([0, 0, 0, 1, 119]),
      vnet: this.pick([1, 1, 1, 2, 65_535]),
      source: end(),
      destination: end(),
      sourceSite: this.pick(SITES),
      destinationSite: this.pick(SITES),
      ...counts,
    };
  }

  part(queryId: number, part: number, parts: number): TrafficPartMessage {
    const rows = Array.from({ length: this.#random.below(16) }, () => this.row());
    return { type: 'trafficPart', queryId, part, parts, periods: this.pick([0, 1, 20_160]), rows };
  }
}

/** The ways in which it answers a question. */
const MANNERS = {
  lies: (liar, { queryId }, say) => {
    const parts = liar.pick([1, 3, 40]);
    for (let part = 0; part < parts; part++) say(liar.part(queryId, part, parts));
  },
  'never ends': (liar, { queryId, first }, say) => {
    for (let part = first; part < first + 32; part++) say(liar.part(queryId, part, 512));
  },
  'says another number of parts each time': (liar, { queryId }, say) => {
    for (let n = 2; n < 60; n++) say(liar.part(queryId, n % 2, n));
  },
  'answers what nobody asked': (liar, { queryId }, say) => {
    for (let n = 0; n < 100; n++) say(liar.part(queryId + 1 + n, 0, 1));
  },
  'promises nothing': (_liar, { queryId }, say) =>
    say({ type: 'trafficPart', queryId, part: 0, parts: 1, periods: 0, rows: [] }),
} as const satisfies Record<
  string,
  (liar: Liar, asked: TrafficAskMessage, say: (part: TrafficPartMessage) => void) => void
>;

/** Bounded, and between honest sites as it was. */
function judge(world: TrafficWorld, view: TrafficView): void {
  assert.ok(view.parts.length === 1 && Buffer.byteLength(JSON.stringify(view)) < 2 ** 20);
  const [part] = view.parts;
  assert.ok(part !== undefined && part.rows.length <= REQUEST.top);
  for (const count of [part.bytes, part.packets, part.shareOfBytes, ...part.rows.map(({ bytes }) => bytes)])
    assert.ok(Number.isFinite(count) && count >= 0 && count <= MOST_BYTES, `${count}`);
  const honest = part.rows.filter(
    ({ sourceSite, destinationSite }) => ![sourceSite, destinationSite].includes(MAD),
  );
  assert.deepEqual(
    honest.map((row) => `${row.sourceSite} ${row.source} ${row.destination} ${row.bytes}`).sort(),
    world.truth(30),
  );
}

for (const [manner, answer] of Object.entries(MANNERS))
  test(`a member that ${manner}: the pairs of others are as they are, and the answer is partial`, async () => {
    for (const seed of SEEDS) {
      const liar = new Liar(seed);
      const world = new TrafficWorld((asked, from) =>
        answer(liar, asked, (part) => world.carry(MAD, from, part)),
      );
      await world.pass(61_000);
      for (const router of HONEST) {
        const view = await world.ask(router, REQUEST);
        judge(world, view);
        assert.ok(view.partial, `${router}, seed ${seed}`);
      }
    }
  });

const own = (more: Partial<TrafficRow>): TrafficRow => ({
  kind: 'pair',
  period: 0,
  vnet: 1,
  source: Ip.of('10.4.0.1'),
  destination: Ip.of('fd00:2::1'),
  sourceSite: MAD,
  destinationSite: 'vr-b',
  packets: 10,
  bytes: 10_000,
  ...more,
});

test('what it tells of its own pairs counts; what is of others, or cannot be, is taken out, counted, and said', async () => {
  const lies = [own({ sourceSite: 'vr-a' }), own({ bytes: MAX_ID }), own({ packets: MAX_ID, kind: 'sites' })];
  for (const [rows, refusals] of [
    [[own({})], {}],
    [
      [own({}), ...lies],
      { traffic_refused_trafficPart_not_yours: 1, traffic_refused_trafficPart_impossible: 1 },
    ],
  ] as const) {
    const world = new TrafficWorld(({ queryId }, from) =>
      world.carry(MAD, from, { type: 'trafficPart', queryId, part: 0, parts: 1, periods: 1, rows }),
    );
    await world.pass(61_000);
    const view = await world.ask('vr-a', REQUEST);
    judge(world, view);
    const told = view.parts[0]?.rows.filter(({ sourceSite }) => sourceSite === MAD);
    assert.deepEqual(
      told?.map(({ source, bytes }) => [source, bytes]),
      [['10.4.0.1', 10_000]],
    );
    const isLying = rows.length > 1;
    assert.deepEqual([view.partial, view.missing], [isLying, isLying ? [MAD] : []]);
    assert.deepEqual(world.refusals('vr-a'), refusals);
  }
});

test('who goes on with it is seen to misbehave, and honest questions are answered meanwhile', async () => {
  const liar = new Liar(9);
  const world = new TrafficWorld(() => {});
  await world.pass(61_000);
  const before = world.carried;
  for (let n = 0; n < QUESTIONS; n++) {
    const id = liar.pick([1, 7, MAX_ID]);
    for (const router of HONEST) {
      world.carry(MAD, router, { ...liar.part(id, 0, 1), rows: [own({})] });
      world.carry(MAD, router, {
        ...{ type: 'trafficAsk', queryId: n + 1, lastPeriod: world.lastPeriod, periods: 2_880, first: 0 },
        ...{
          approximate: true,
          detail: false,
          weightPermille: 999,
          vnet: undefined,
          ips: [],
          mostPairs: 1_024,
        },
      });
    }
  }
  const view = await world.ask('vr-a', REQUEST);
  judge(world, view);
  assert.deepEqual(view.missing, [MAD], 'it has not answered, the others have');
  for (const router of HONEST) {
    assert.ok(world.isMisbehaving(router), router);
    const refused = world.refusals(router);
    assert.ok((refused.traffic_refused_trafficAsk_too_soon ?? 0) > QUESTIONS - 50, JSON.stringify(refused));
    assert.equal(refused.traffic_refused_trafficPart_unasked, QUESTIONS);
  }
  // Its own, and answers to the few that are within its budget.
  assert.ok(world.carried - before < 2 * HONEST.length * QUESTIONS + 200, `${world.carried - before}`);
});
