import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../src/membership/document.js';
import { type NetworkMessage, PART_BYTES, type TellDocument } from '../../src/protocol/network-message.js';
import { DescriptionWorld, named, signed } from './description-world.js';

const ALL = ['vr-1', 'vr-2', 'vr-3', 'vr-4', 'mad'];
const HONEST = ALL.slice(0, 4);

/** A world whose member `mad` says what a test has it say: it hears all that is for it and answers by `answer`. */
function worldWithMad(
  answer: (message: NetworkMessage, from: string, world: DescriptionWorld) => void,
): DescriptionWorld {
  const world = new DescriptionWorld(ALL);
  const mad = world.member('mad');
  mad.agreement.stop();
  mad.agreement.received = (from, message) => answer(message, from, world);
  mad.agreement.peerUp = () => {};
  mad.agreement.peerDown = () => {};
  return world;
}

function offer(world: DescriptionWorld, document: TellDocument): void {
  for (const router of HONEST)
    world.carry('mad', router, {
      type: 'networkState',
      documents: [document],
      trial: false,
      verdict: undefined,
    });
}

/** Answers each question from these bytes, perhaps changed. */
function server(
  bytes: Uint8Array,
  change: (content: Uint8Array, part: number) => Uint8Array | undefined = (content) => content,
) {
  return (message: NetworkMessage, from: string, world: DescriptionWorld): void => {
    if (message.type !== 'networkAsk') return;
    const { kind, digest, first, count } = message;
    for (let part = first; part < first + count && part * PART_BYTES < bytes.length; part++) {
      const content = change(bytes.slice(part * PART_BYTES, (part + 1) * PART_BYTES), part);
      if (content !== undefined)
        world.carry('mad', from, { type: 'networkPart', kind, digest, part, content });
    }
  };
}

const told = (bytes: Uint8Array, version: number): TellDocument => ({
  kind: 'description',
  version,
  digest: digestOf(bytes),
  totalBytes: bytes.length,
});

/** All go on, and what is published is with all honest ones soon. */
async function stillWorks(world: DescriptionWorld, version: number, withinMs: number): Promise<void> {
  const outcome = await world
    .member('vr-1')
    .agreement.publish(signed({ version, routers: named(ALL), filler: 'x'.repeat(9_000) }));
  assert.ok(typeof outcome !== 'string', String(outcome));
  await world.pass(withinMs);
  for (const router of HONEST) assert.equal(world.member(router).version, version, router);
}

const FORGED = signed({ version: 900, routers: { mad: 'mad' } }, new Uint8Array(32).fill(66));
const OLD = signed({ version: 1, routers: named(ALL), filler: 'other' });

test('a forged one of a high version is fetched once, refused, and its sender not asked again for a minute', async () => {
  let asked = 0;
  const serve = server(FORGED);
  const world = worldWithMad((message, from, world) => {
    if (message.type === 'networkAsk' && from === 'vr-2') asked++;
    serve(message, from, world);
  });
  await world.pass(500);
  offer(world, told(FORGED, 900));
  await world.pass(20_000);
  for (const router of HONEST) {
    assert.equal(world.member(router).version, 1);
    assert.equal(world.member(router).agreement.counters().network_documents_forged, 1);
    assert.ok(world.member(router).conduct.view('mad').refusals >= 1);
  }
  assert.equal(asked, 1);
  await stillWorks(world, 2, 2_000);
});

for (const [name, change] of [
  ['with a bit changed', (content: Uint8Array) => content.map((byte, i) => (i === 5 ? byte ^ 1 : byte))],
  ['cut short', (content: Uint8Array) => content.slice(0, 10)],
] as const) {
  test(`parts ${name} end the download`, async () => {
    const good = signed({ version: 2, routers: named(ALL), filler: 'y'.repeat(5_000) });
    const world = worldWithMad(server(good, change));
    await world.pass(500);
    offer(world, told(good, 2));
    await world.pass(5_000);
    for (const router of HONEST) assert.equal(world.member(router).version, 1);
    await stillWorks(world, 3, 2_000);
  });
}

test('an older one, told as a newer one, is not taken', async () => {
  const world = worldWithMad(server(OLD));
  await world.pass(500);
  offer(world, told(OLD, 50));
  await world.pass(5_000);
  for (const router of HONEST) assert.equal(world.member(router).version, 1);
  await stillWorks(world, 2, 2_000);
});

test('one who promises and is silent, or lets it drip, holds nobody up for long', async () => {
  const bytes = new Uint8Array(4 * 1024 * 1024);
  const drip = (message: NetworkMessage, from: string, world: DescriptionWorld): void => {
    if (message.type !== 'networkAsk') return;
    const { kind, digest, first } = message;
    for (let i = 0; i < message.count; i++)
      world.clock.after('drip', 900 * (i + 1), () =>
        world.carry('mad', from, {
          type: 'networkPart',
          kind,
          digest,
          part: first + i,
          content: bytes.slice(0, PART_BYTES),
        }),
      );
  };
  for (const answer of [() => {}, drip]) {
    const world = worldWithMad(answer);
    await world.pass(500);
    offer(world, told(bytes, 2 ** 52));
    await world.pass(1_000);
    await stillWorks(world, 2, 8_000);
  }
});

test('parts that nobody asked for, and questions without end, change nothing and are counted', async () => {
  const world = worldWithMad(() => {});
  await world.pass(500);
  const digest = world.member('vr-1').running.digest;
  for (let i = 0; i < 3_000; i++) {
    const kind = 'description';
    world.carry('mad', 'vr-1', {
      type: 'networkPart',
      kind,
      digest,
      part: i % 4_000,
      content: new Uint8Array(PART_BYTES),
    });
    world.carry('mad', 'vr-1', { type: 'networkAsk', kind, digest, first: 0, count: 32 });
    world.carry('mad', 'vr-1', {
      type: 'networkState',
      documents: [],
      trial: i % 2 === 0,
      verdict: undefined,
    });
  }
  const before = world.carried;
  await world.pass(1_000);
  const counters = world.member('vr-1').agreement.counters();
  assert.equal(
    counters.network_refused_networkPart_unasked ?? counters.network_refused_network_part_unasked,
    3_000,
  );
  assert.ok(world.member('vr-1').conduct.isMisbehaving('mad'));
  // A document of one part is all that an ask can cause.
  assert.ok(world.carried - before < 9_000 + 400, `${world.carried - before}`);
  await stillWorks(world, 2, 2_000);
});

test('its word that it has undone a version undoes it nowhere', async () => {
  const world = worldWithMad(() => {});
  await world.pass(500);
  await stillWorks(world, 2, 2_000);
  for (const router of HONEST)
    world.carry('mad', router, {
      type: 'networkState',
      documents: [],
      trial: false,
      verdict: { outcome: 'undone', version: 2, digest: 'ab'.repeat(32), reason: 'because' },
    });
  await world.pass(130_000, 500);
  for (const router of HONEST) assert.equal(world.member(router).version, 2);
});
