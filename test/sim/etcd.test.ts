/** What a router does with a description from an etcd: as with a peer's, and the others hear of it from that router. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Content, DescriptionWorld, named, signed } from './description-world.js';

const ALL = ['vr-1', 'vr-2', 'vr-3', 'vr-4', 'vr-5'];
const STRANGER = new Uint8Array(32).fill(7);

async function world(): Promise<DescriptionWorld> {
  const made = new DescriptionWorld(ALL);
  await made.pass(1_000);
  return made;
}

const offer = (made: DescriptionWorld, at: string, content: Content, seed?: typeof STRANGER) =>
  made.member(at).agreement.offered(signed(content, seed), 'etcd:/vine/description');

test('one router that reaches the etcd is enough for all', async () => {
  const made = await world();
  assert.equal(offer(made, 'vr-3', { version: 2, routers: named(ALL) }), undefined);
  await made.pass(2_000);
  assert.equal(made.agreed, 2);
  assert.equal(offer(made, 'vr-1', { version: 2, routers: named(ALL) }), undefined);
  await made.pass(62_000, 500);
  for (const member of made.members.values()) assert.equal(member.count('description_confirmed'), 1);
});

test('older, unsigned, and another content of the same version: refused, alarmed once, nothing changes', async () => {
  const made = await world();
  offer(made, 'vr-1', { version: 5, routers: named(ALL) });
  await made.pass(2_000);
  assert.match(String(offer(made, 'vr-2', { version: 4, routers: named(ALL) })), /version 4, .* version 5/);
  assert.match(String(offer(made, 'vr-2', { version: 6, routers: {} }, STRANGER)), /signature does not hold/);
  for (let i = 0; i < 3; i++)
    assert.match(
      String(offer(made, 'vr-2', { version: 5, routers: named(ALL), filler: 'other' })),
      /known here with another content/,
    );
  const { events } = made.member('vr-2');
  const alarms = events.filter(({ event }) => event === 'description_signed_twice');
  assert.deepEqual(
    alarms.map(({ fields }) => fields.from),
    ['etcd:/vine/description'],
  );
  await made.pass(2_000);
  assert.equal(made.agreed, 5);
});

test('what was undone or cannot be applied is not taken again, and is no second signature', async () => {
  const made = await world();
  const cut: Content = { version: 2, routers: named(ALL.slice(0, 3)) };
  offer(made, 'vr-1', cut);
  await made.pass(90_000, 500);
  assert.equal(made.agreed, 1);
  assert.match(String(offer(made, 'vr-1', cut)), /version 2 was undone here: 2 of 4 peers were lost/);
  assert.equal(made.member('vr-1').count('description_signed_twice'), 0);
  const wrong: Content = { version: 3, routers: named(ALL), refusedBy: ['vr-4'] };
  offer(made, 'vr-4', wrong);
  await made.pass(500);
  assert.match(String(offer(made, 'vr-4', wrong)), /version 3 cannot be applied here: a mistake/);
  assert.equal(made.member('vr-4').count('description_refused'), 1);
});

test('a lower one does not overtake a higher one that waits to be applied', async () => {
  const made = await world();
  const member = made.member('vr-1');
  member.appliesLater = true;
  offer(made, 'vr-1', { version: 9, routers: named(ALL) });
  offer(made, 'vr-1', { version: 8, routers: named(ALL) });
  await made.pass(1_000);
  member.appliesLater = false;
  await made.pass(3_000);
  assert.equal(made.agreed, 9);
});
