/** The desk of a site's two routers: what the state machine's actions do, in their order, and what happens to the LANs. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { DeskWorld, GATEWAY } from '../../support/desk-world.js';

let world: DeskWorld;
beforeEach(() => {
  world = new DeskWorld();
});

/** Both run, vr-1 is active and everything has settled. */
function settle(): void {
  world.start('vr-1', 'vr-2');
  world.run(3_000);
  assert.deepEqual(world.active(), ['vr-1']);
  for (const { done } of world.routers) done.length = 0;
}

const without = (done: readonly string[]): string[] => done.map((line) => line.replace(/^\d+ /, ''));

test('of two that begin at once the first in the list becomes active: stored, served, told, then what takes longer', () => {
  world.start('vr-1', 'vr-2');
  world.run(3_000);
  assert.deepEqual(world.active(), ['vr-1']);
  assert.deepEqual(
    without(world.router('vr-1').done).filter((line) => !line.startsWith('partner')),
    ['store 1 vr-1', 'serve nobody-active', 'active 1', 'settled true'],
  );
  assert.equal(world.router('vr-3').sites.activeOf('one'), 'vr-1');
  assert.equal(world.router('vr-2').sites.activeOf('one'), 'vr-1');
});

test('the one that stands by is told once when the other one serves: it can be asked then', () => {
  world.start('vr-1', 'vr-2');
  world.run(3_000);
  const told = ({ done }: { readonly done: readonly string[] }): number =>
    done.filter((line) => line.endsWith('partner serves')).length;
  assert.deepEqual([told(world.router('vr-1')), told(world.router('vr-2'))], [0, 1]);
});

test('when the active one dies the other serves within half a second, and the other sites follow it', () => {
  settle();
  const diedMs = world.clock.nowMs();
  world.router('vr-1').isAlive = false;
  world.run(600);
  assert.deepEqual(world.active(), ['vr-2']);
  const served = world.router('vr-2').done.find((line) => line.includes('serve'));
  const afterMs = Number(served?.split(' ')[0]) - diedMs;
  assert.ok(afterMs <= 450, `after ${afterMs} ms`);
  assert.equal(world.router('vr-3').sites.activeOf('one'), 'vr-2');
  assert.equal(world.router('vr-2').storedTerm, 2);
});

test('a standby that was itself stopped does not take over', () => {
  settle();
  world.router('vr-2').stalledUntilMs = world.clock.nowMs() + 800;
  world.run(5_000);
  assert.deepEqual(world.active(), ['vr-1']);
  assert.deepEqual(
    without(world.router('vr-2').done).filter((line) => line.includes('serve')),
    [],
  );
  assert.equal(world.router('vr-2').desk?.counters().pair_stalls, 1);
});

test('one that comes back after a stop of seconds finds the other active, and leaves the LANs to it', () => {
  settle();
  world.router('vr-1').stalledUntilMs = world.clock.nowMs() + 4_000;
  world.run(4_100);
  assert.deepEqual(world.active(), ['vr-2']);
  assert.equal(
    without(world.router('vr-1').done).find((line) => line.startsWith('leave')),
    'leave higher-term',
  );
  assert.equal(world.router('vr-3').sites.activeOf('one'), 'vr-2');
});

for (const stopped of ['vr-1', 'vr-2', 'vr-3'])
  test(`${stopped} was stopped for nearly as long as sessions last: what came meanwhile is held against nobody`, () => {
    settle();
    world.router(stopped).stalledUntilMs = world.clock.nowMs() + 9_500;
    world.run(9_500 + 2_000);
    const refused = (): readonly unknown[] => world.routers.map(({ roles }) => roles.counters());
    const before = refused();
    world.run(60_000);
    assert.deepEqual(refused(), before);
    for (const { conduct } of world.routers)
      for (const { id } of world.routers) assert.ok(!conduct.isMisbehaving(id), id);
    assert.equal(world.active().length, 1);
  });

test('when the other router comes the active one says again on the LANs that it is', () => {
  world.start('vr-1');
  world.run(3_000);
  const [active] = world.routers;
  assert.ok(active);
  active.done.length = 0;
  world.start('vr-2');
  world.run(1_000);
  assert.deepEqual(without(active.done).sort(), ['announce', 'partner found']);
});

test('by order: the new one serves before the old one leaves', async () => {
  settle();
  const taken = world.router('vr-1').desk?.take('standby');
  world.run(100);
  await Promise.resolve();
  world.run(100);
  const view = await taken;
  assert.ok(typeof view === 'object', String(view));
  assert.equal(view.role, 'standby');
  assert.deepEqual(world.active(), ['vr-2']);
  const line = (router: string, what: string): number =>
    Number(
      world
        .router(router)
        .done.find((done) => done.includes(what))
        ?.split(' ')[0],
    );
  assert.ok(line('vr-2', 'serve') < line('vr-1', 'leave'));
  // And back, asked of the one that stands by.
  const back = world.router('vr-1').desk?.take('active');
  world.run(100);
  assert.equal(typeof (await back), 'object');
  assert.deepEqual(world.active(), ['vr-1']);
});

test('nobody hands over to nobody', async () => {
  world.start('vr-1');
  world.run(2_000);
  assert.deepEqual(world.active(), ['vr-1']);
  assert.match(String(await world.router('vr-1').desk?.take('standby')), /vr-2 is not heard/);
  assert.deepEqual(world.active(), ['vr-1']);
});

test('a clean stop hands over first', async () => {
  settle();
  const stopped = world.router('vr-1').desk?.stop();
  for (let i = 0; i < 40; i++) {
    world.run(25);
    await new Promise((done) => setImmediate(done));
  }
  await stopped;
  assert.deepEqual(world.active(), ['vr-2']);
  assert.equal(world.router('vr-1').sockets.size, 0);
});

test('gateway addresses that only one of the two has, whichever it is, are told of', () => {
  settle();
  const differ = (): readonly string[] =>
    world
      .router('vr-2')
      .desk?.view()
      .lans.flatMap(({ otherGateways }) => otherGateways) ?? [];
  assert.deepEqual(differ(), []);
  world.advertisedGateways = [];
  world.run(200);
  assert.deepEqual(differ(), [String(GATEWAY)]);
  world.advertisedGateways = [GATEWAY, Ip.of('10.1.0.77')];
  world.run(200);
  assert.deepEqual(differ(), ['10.1.0.77']);
});

test('a router that is stopping takes nothing: neither by order, nor when the other one stops as well', async () => {
  settle();
  const ends = [world.router('vr-1').desk?.stop()];
  world.run(100);
  assert.deepEqual(world.active(), ['vr-2']);
  assert.match(String(await world.router('vr-1').desk?.take('active')), /stopping/);
  ends.push(world.router('vr-2').desk?.stop());
  for (let i = 0; i < 60; i++) {
    assert.deepEqual(world.active(), ['vr-2']);
    world.run(25);
    await new Promise((done) => setImmediate(done));
  }
  await Promise.all(ends);
});

test('the active router that becomes active once more, in a higher term, says so on the LANs', () => {
  settle();
  const { desk } = world.router('vr-1');
  assert.ok(desk);
  // The other one was active, and is not any more; nothing of it was heard here.
  const beat = { soundLans: 1, lans: 1, peersUp: 1, heardVrids: [], virtualVrids: [] };
  world.router('vr-1').done.length = 0;
  desk.received('vr-2', { type: 'pairHeartbeat', role: 'standby', term: 2, ...beat });
  const done = without(world.router('vr-1').done);
  assert.ok(done.includes('store 3 vr-1') && done.includes('announce'), done.join('; '));
});

test('a stop without a partner says on the LAN that it goes', async () => {
  world.start('vr-1');
  world.run(2_000);
  const stopped = world.router('vr-1').desk?.stop();
  for (let i = 0; i < 40; i++) {
    world.run(25);
    await new Promise((done) => setImmediate(done));
  }
  await stopped;
  assert.match(world.advertised.at(-1) ?? '', /vr-1 0$/);
});

for (const [what, cut] of [
  ['loses its LAN by the carrier', { carrier: false }],
  ['has a LAN on which nothing passes any more', { lanCut: true }],
] as const) {
  test(`an active router that ${what} is relieved within two seconds`, () => {
    settle();
    Object.assign(world.router('vr-1'), cut);
    world.run(2_000);
    assert.deepEqual(world.active(), ['vr-2']);
    assert.match(without(world.router('vr-2').done).join('; '), /serve better-health/);
  });
}

test('one that loses its WAN is relieved, and leaves the LAN to the other', () => {
  settle();
  world.router('vr-1').wanCut = true;
  world.run(2_500);
  assert.deepEqual(world.active(), ['vr-2']);
  assert.equal(world.router('vr-3').sites.activeOf('one'), 'vr-2');
});

test('a LAN that is cut between the two changes nothing while the session tells', () => {
  settle();
  world.lanIsSplit = true;
  world.run(30_000);
  assert.deepEqual(world.active(), ['vr-1']);
});

test('a LAN on which hosts have nothing to say is no ground for a change', () => {
  settle();
  world.hostAnswers = false;
  world.run(60_000);
  assert.deepEqual(world.active(), ['vr-1']);
  assert.equal(world.router('vr-2').done.filter((line) => line.includes('serve')).length, 0);
});

test('forged advertisements are told of, and make nobody follow or leave', () => {
  settle();
  const forged = {
    source: Ip.of('10.1.0.66'),
    vrid: 7,
    priority: 255,
    maxIntervalCs: 5,
    addresses: [GATEWAY],
  };
  for (let i = 0; i < 200; i++) {
    world.advertise(undefined, forged);
    world.run(20);
  }
  assert.deepEqual(world.active(), ['vr-1']);
  assert.ok(world.strangers.has('vr-1 lan0 7 10.1.0.66'), [...world.strangers].join('; '));
  assert.deepEqual(world.router('vr-1').desk?.view().lans[0]?.strangers, ['10.1.0.66']);
  // Nor do they keep a dead router alive.
  world.router('vr-1').isAlive = false;
  for (let i = 0; i < 150; i++) {
    world.advertise(undefined, forged);
    world.run(20);
  }
  assert.deepEqual(world.active(), ['vr-2']);
});

test('what is seen of it: role, cause, partner, LANs', () => {
  settle();
  const view = world.router('vr-2').desk?.view();
  assert.equal(view?.role, 'standby');
  assert.equal(view?.cause, 'start');
  assert.equal(view?.partner?.role, 'active');
  assert.ok((view?.partner?.heardAgoMs ?? 999) <= 60);
  assert.ok((view?.partner?.advertisedAgoMs ?? 999) <= 60);
  const [lan] = view?.lans ?? [];
  assert.deepEqual([lan?.vrid, lan?.advertising, lan?.carrier, lan?.otherGateways], [7, 'up', true, []]);
  assert.equal(world.router('vr-1').desk?.view().role, 'active');
});

test('with a term on disk it goes on above it, and one whose disk was lost learns from the others', () => {
  world = new DeskWorld({ 'vr-1': 40, 'vr-2': 40 });
  world.start('vr-1', 'vr-2');
  world.run(2_000);
  assert.equal(world.router('vr-1').storedTerm, 41);
});
