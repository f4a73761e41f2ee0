import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publicKeyOf } from '../../src/membership/signature.js';
import { signSuccession, successionDocument } from '../../src/membership/succession.js';
import { type Content, DescriptionWorld, describe, named, SEED, signed } from './description-world.js';

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `vr-${i + 1}`);

async function publish(world: DescriptionWorld, at: string, content: Content): Promise<void> {
  const outcome = await world.member(at).agreement.publish(signed(content));
  if (typeof outcome === 'string') assert.fail(outcome);
}

test('a new version is with 50 routers within two seconds, and stands a minute later', async () => {
  const all = names(50);
  const world = new DescriptionWorld(all, { delayMs: 25 });
  await world.pass(1_000);
  await publish(world, 'vr-7', { version: 2, routers: named(all), filler: 'x'.repeat(15_000) });
  await world.pass(2_000);
  assert.equal(world.agreed, 2);
  await world.pass(62_000, 500);
  for (const member of world.members.values()) {
    assert.equal(member.count('description_confirmed'), 1, member.name);
    assert.equal(member.disk.record.trial, null);
    assert.equal(member.conduct.view('vr-7').refusals, 0);
  }
});

test('a large one arrives over paths that lose a twentieth', async () => {
  const all = names(4);
  const world = new DescriptionWorld(all, { loss: 0.05 });
  await world.pass(1_000);
  await publish(world, 'vr-1', { version: 2, routers: named(all), filler: 'x'.repeat(500_000) });
  await world.pass(30_000);
  assert.equal(world.agreed, 2);
});

test('after a partition all have the highest version, though each side had published', async () => {
  const all = names(8);
  const world = new DescriptionWorld(all);
  world.part(all.slice(0, 4), all.slice(4));
  await world.pass(1_000);
  await publish(world, 'vr-1', { version: 2, routers: named(all) });
  await publish(world, 'vr-8', { version: 3, routers: named(all) });
  await world.pass(3_000);
  assert.equal(world.member('vr-4').version, 2);
  assert.equal(world.member('vr-5').version, 3);
  world.heal();
  await world.pass(3_000);
  assert.equal(world.agreed, 3);
});

test('one that cuts a third of the routers off is undone everywhere within 90 s', async () => {
  const all = names(9);
  const world = new DescriptionWorld(all);
  await world.pass(1_000);
  await publish(world, 'vr-1', { version: 2, routers: named(all.slice(0, 6)) });
  await world.pass(5_000);
  assert.equal(world.member('vr-6').version, 2);
  await world.pass(85_000, 200);
  assert.equal(world.agreed, 1);
  for (const name of all.slice(0, 6)) assert.equal(world.member(name).count('description_undone'), 1, name);
  for (const name of all) assert.equal(world.peersOf(name).length, 8);
  // The same version is not taken again; a higher one is.
  await world.pass(5_000);
  assert.equal(world.agreed, 1);
  assert.match(
    String(await world.member('vr-1').agreement.publish(signed({ version: 2, routers: named(all) }))),
    /was undone here/,
  );
  await publish(world, 'vr-2', { version: 3, routers: named(all) });
  await world.pass(5_000);
  assert.equal(world.agreed, 3);
});

test('so is one that gives a third of them wrong keys', async () => {
  const all = names(9);
  const world = new DescriptionWorld(all);
  await world.pass(1_000);
  const wrong = Object.fromEntries(all.slice(6).map((name) => [name, 'another key']));
  await publish(world, 'vr-1', { version: 2, routers: { ...named(all), ...wrong }, refusedBy: all.slice(6) });
  await world.pass(90_000, 200);
  assert.equal(world.agreed, 1);
});

test('one router is taken away, and that stands; so do many that are named as removed', async () => {
  const all = names(9);
  const world = new DescriptionWorld(all);
  await world.pass(1_000);
  await publish(world, 'vr-1', { version: 2, routers: named(all.slice(0, 8)) });
  await world.pass(130_000, 500);
  for (const name of all.slice(0, 8))
    assert.equal(world.member(name).count('description_confirmed'), 1, name);
  await publish(world, 'vr-1', { version: 3, routers: named(all.slice(0, 4)), removes: all.slice(4, 8) });
  await world.pass(130_000, 500);
  for (const name of all.slice(0, 4)) assert.equal(world.member(name).version, 3, name);
});

test('a peer that is away for less than a minute undoes nothing', async () => {
  const all = names(4);
  const world = new DescriptionWorld(all);
  await world.pass(1_000);
  await publish(world, 'vr-1', { version: 2, routers: named(all) });
  await world.pass(2_000);
  world.part(['vr-1'], all.slice(1));
  await world.pass(50_000, 500);
  world.heal();
  await world.pass(30_000, 500);
  assert.equal(world.agreed, 2);
  assert.equal(world.member('vr-1').count('description_undone'), 0);
});

test('what a router hears while it starts it applies as soon as it may, and no more when it stops', async () => {
  const all = names(3);
  const world = new DescriptionWorld(all);
  await world.pass(1_000);
  for (const name of ['vr-2', 'vr-3']) world.member(name).appliesLater = true;
  await publish(world, 'vr-1', { version: 2, routers: named(all) });
  await world.pass(5_500);
  assert.equal(world.member('vr-2').version, 1);
  world.member('vr-2').appliesLater = false;
  world.part(['vr-3'], ['vr-1', 'vr-2']);
  world.member('vr-3').agreement.stop();
  world.member('vr-3').appliesLater = false;
  await world.pass(200);
  assert.equal(world.member('vr-2').version, 2);
  await world.pass(5_000);
  assert.equal(world.member('vr-3').version, 1);
});

test('while one is on trial the next is refused where it is published, so that an innocent one is never undone', async () => {
  const all = names(9);
  const world = new DescriptionWorld(all);
  await world.pass(1_000);
  const good = signed({ version: 2, routers: named(all) });
  // vr-1 … vr-6 lose three of eight; vr-7 … vr-9 are refused by it and lose six.
  const cutting = signed({ version: 3, routers: named(all.slice(0, 6)) });
  await publish(world, 'vr-1', { version: 2, routers: named(all) });
  await world.pass(5_000);
  for (const at of ['vr-1', 'vr-5', 'vr-9'])
    assert.match(
      String(await world.member(at).agreement.publish(cutting)),
      /^version 2 is on trial here: it stands in 5\d s if nothing changes \(0 of 8 peers are lost\)/,
      at,
    );
  // The same again is no other one.
  assert.ok(typeof (await world.member('vr-1').agreement.publish(good)) !== 'string');
  // What is wrong for good is said first.
  const old = await world.member('vr-1').agreement.publish(signed({ version: 1, routers: {} }));
  assert.match(String(old), /it is version 1/);
  await world.pass(60_000, 200);
  assert.equal(world.agreed, 2);
  const taken = await world.member('vr-1').agreement.publish(cutting);
  assert.ok(typeof taken !== 'string', String(taken));
  await world.pass(5_000);
  const next = await world.member('vr-1').agreement.publish(signed({ version: 4, routers: named(all) }));
  assert.match(
    String(next),
    /^version 3 is on trial here: it is undone in \d\d s .*\(3 of 8 peers are lost\)/,
  );
  await world.pass(85_000, 200);
  assert.equal(world.agreed, 2);
  for (const name of all)
    assert.ok(!world.member(name).agreement.undone.some(({ version }) => version === 2), name);
});

test('a newer one that is heard during a trial is taken, and the way back is that of before both', async () => {
  const all = names(9);
  const world = new DescriptionWorld(all);
  await world.pass(1_000);
  world.part(['vr-9'], all.slice(0, 8));
  await world.pass(1_000);
  await publish(world, 'vr-1', { version: 2, routers: named(all) });
  await world.pass(5_000);
  // Nothing is on trial where nobody was heard.
  await publish(world, 'vr-9', { version: 3, routers: named(all) });
  world.heal();
  await world.pass(3_000);
  assert.equal(world.agreed, 3);
  await world.pass(65_000, 200);
  for (const name of all) assert.equal(world.member(name).count('description_undone'), 0, name);
});

test('a router that starts anew in the trial goes on with it', async () => {
  const all = names(4);
  const world = new DescriptionWorld(all);
  await world.pass(1_000);
  await publish(world, 'vr-1', { version: 2, routers: named(['vr-1', 'vr-2']) });
  await world.pass(20_000, 500);
  world.member('vr-2').restart();
  assert.equal(world.member('vr-2').version, 2);
  await world.pass(90_000, 500);
  assert.equal(world.agreed, 1);
  assert.equal(world.member('vr-2').count('description_undone'), 1);
});

test('who cannot apply it says so, and the others go on', async () => {
  const all = names(5);
  const world = new DescriptionWorld(all);
  await world.pass(1_000);
  await publish(world, 'vr-1', { version: 2, routers: named(all), refusedBy: ['vr-3'] });
  await world.pass(130_000, 500);
  assert.equal(world.member('vr-3').version, 1);
  assert.equal(world.member('vr-5').version, 2);
  assert.deepEqual(world.member('vr-1').agreement.stateOf('vr-3')?.verdict?.reason, 'a mistake');
  assert.equal(world.member('vr-3').count('description_refused'), 1);
});

test('a key that signs twice is alarmed; what each has stays until a higher version', async () => {
  const all = names(6);
  const world = new DescriptionWorld(all);
  world.part(all.slice(0, 3), all.slice(3));
  await world.pass(1_000);
  await publish(world, 'vr-1', { version: 2, routers: named(all), filler: 'one' });
  await publish(world, 'vr-6', { version: 2, routers: named(all), filler: 'two' });
  await world.pass(3_000);
  world.heal();
  await world.pass(10_000);
  for (const member of world.members.values())
    assert.ok(member.count('description_signed_twice') >= 1, member.name);
  assert.notEqual(world.member('vr-1').running.digest, world.member('vr-6').running.digest);
  await world.pass(60_000, 500);
  await publish(world, 'vr-1', { version: 3, routers: named(all) });
  await world.pass(3_000);
  assert.equal(world.agreed, 3);
});

test('a version goes back only as a new one', async () => {
  const all = names(3);
  const world = new DescriptionWorld(all);
  await world.pass(1_000);
  await publish(world, 'vr-1', { version: 7, routers: named(all) });
  await world.pass(1_000);
  const answer = await world.member('vr-2').agreement.publish(signed({ version: 6, routers: named(all) }));
  assert.match(String(answer), /it is version 6, and this router has version 7/);
  const forged = await world
    .member('vr-2')
    .agreement.publish(signed({ version: 8, routers: named(all) }, new Uint8Array(32).fill(9)));
  assert.match(String(forged), /signature does not hold/);
  assert.equal(world.agreed, 7);
});

test('the key is replaced: both count until then, the new one alone afterwards', async () => {
  const all = names(5);
  const world = new DescriptionWorld(all);
  await world.pass(1_000);
  const newSeed = new Uint8Array(32).fill(2);
  const until = Math.floor(world.clock.wallMs() / 1_000) + 600;
  const chain = successionDocument([signSuccession(SEED, publicKeyOf(newSeed), until)]);
  assert.equal(await world.member('vr-3').agreement.succeed(chain), undefined);
  await world.pass(2_000);
  for (const member of world.members.values())
    assert.equal(member.agreement.successions.length, 1, member.name);
  await publish(world, 'vr-1', { version: 2, routers: named(all) });
  await world.pass(65_000, 500);
  const newer = await world
    .member('vr-2')
    .agreement.publish(signed({ version: 3, routers: named(all) }, newSeed));
  assert.ok(typeof newer !== 'string', String(newer));
  await world.pass(2_000);
  assert.equal(world.agreed, 3);
  await world.pass(700_000, 5_000);
  assert.match(
    String(await world.member('vr-1').agreement.publish(signed({ version: 4, routers: named(all) }))),
    /does not hold/,
  );
  world.member('vr-4').restart();
  await world.pass(2_000);
  assert.equal(world.member('vr-4').agreement.successions.length, 1);
  const other = successionDocument([signSuccession(SEED, publicKeyOf(new Uint8Array(32).fill(3)), until)]);
  assert.match(String(await world.member('vr-1').agreement.succeed(other)), /has named another successor/);
});

test('a key that names two successors is alarmed and counted; the one that was heard first stays', async () => {
  const all = names(4);
  const world = new DescriptionWorld(all);
  world.part(all.slice(0, 2), all.slice(2));
  await world.pass(1_000);
  const until = Math.floor(world.clock.wallMs() / 1_000) + 600;
  const named = (byte: number): Uint8Array =>
    successionDocument([signSuccession(SEED, publicKeyOf(new Uint8Array(32).fill(byte)), until)]);
  assert.equal(await world.member('vr-1').agreement.succeed(named(2)), undefined);
  assert.equal(await world.member('vr-4').agreement.succeed(named(3)), undefined);
  await world.pass(2_000);
  world.heal();
  const longer = successionDocument([
    signSuccession(SEED, publicKeyOf(new Uint8Array(32).fill(3)), until),
    signSuccession(new Uint8Array(32).fill(3), publicKeyOf(new Uint8Array(32).fill(4)), until),
  ]);
  assert.equal(await world.member('vr-4').agreement.succeed(longer), undefined);
  await world.pass(5_000);
  for (const name of ['vr-1', 'vr-2']) {
    const { agreement } = world.member(name);
    assert.ok(world.member(name).count('network_key_signed_twice') >= 1, name);
    assert.ok((agreement.counters().network_keys_signed_twice ?? 0) >= 1, name);
    assert.deepEqual(agreement.successions[0]?.newKey, publicKeyOf(new Uint8Array(32).fill(2)));
  }
});

test('a document is the same for all who have it', () => {
  const document = signed({ version: 1, routers: {} });
  assert.equal(describe(document).digest, describe(Uint8Array.from(document)).digest);
});
