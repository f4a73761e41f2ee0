/** What begins and ends with a role, who may say what to a standby, and what other sites do when a site switches. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FREE_SEQUENCE, HOLDERS_STEP } from '../../src/mobility/door.js';
import { Ip } from '../../src/net/ip.js';
import type { Mac } from '../../src/net/mac.js';
import type { TableMessage } from '../../src/protocol/table-message.js';
import type { NodeRecord } from '../../src/tables/model.js';
import { MAX_SEQUENCE } from '../../src/tables/record.js';
import { BLUE } from '../support/sim-lan-world.js';
import type { StandbyRouter } from '../support/sim-standby-router.js';
import { StandbyWorld } from '../support/sim-standby-world.js';

describe('taking up and laying down', () => {
  test('leave no timer and no subscriber behind, however often', () => {
    const world = new StandbyWorld();
    const { a1, a2 } = world;
    const standing = (router: StandbyRouter): readonly number[] => [router.timers, router.subscriptions.now];
    // A standby's: its digests; what the LANs are.
    const asStandby = standing(a2);
    const asActive = standing(a1);
    assert.deepEqual(asStandby, [1, 1]);
    for (let n = 0; n < 5; n++) {
      world.move(world.host('h1-1'), n % 2 === 0 ? 'vr-b' : 'site-a');
      world.settle(32);
      world.takeOver(a2);
      world.settle(0);
      assert.deepEqual(standing(a1), asStandby, 'at once');
      world.settle(90_000);
      assert.deepEqual([standing(a1), standing(a2)], [asStandby, asActive]);
      world.takeOver(a1);
      world.settle(0);
      assert.deepEqual(standing(a2), asStandby, 'at once');
      world.settle(90_000);
      assert.deepEqual([standing(a1), standing(a2)], [asActive, asStandby]);
    }
    world.checkAll();
    a1.mobility.stop();
    a2.mobility.stop();
    assert.deepEqual(
      [standing(a1), standing(a2)],
      [
        [0, 0],
        [0, 0],
      ],
    );
    a1.mobility.setActive(false);
    a2.mobility.setActive(true);
    assert.deepEqual(
      [standing(a1), standing(a2)],
      [
        [0, 0],
        [0, 0],
      ],
      'nothing begins after the end',
    );
  });

  test('a router that lays down says nothing more, and its open moves have a verdict', () => {
    const world = new StandbyWorld();
    world.fillCaches();
    world.move(world.host('h2-1'), 'site-a', 0);
    world.settle(1);
    assert.equal(world.a1.mobility.moves()[0]?.verdict, 'claiming');
    const counted = world.a1.mobility.counters();
    world.takeOver(world.a2);
    const [move] = world.a1.mobility.moves();
    assert.deepEqual(
      [move?.verdict, move?.reason],
      ['undone', 'another router of the site has become active'],
    );
    for (const [name, count] of Object.entries(counted)) {
      assert((world.a1.mobility.counters()[name] ?? 0) >= count, `${name} goes on`);
    }
    const { said } = world.a1;
    world.settle(9_000);
    // Its digests to its partner, every 10 s; the first when it lay down.
    assert.equal(world.a1.said - said, 0);
    world.settle(10_000);
    world.checkAll();
  });

  test('taking up twice, and laying down twice, is taking up and laying down', () => {
    const world = new StandbyWorld();
    world.a1.mobility.setActive(true);
    const { timers } = world.a2;
    world.a2.mobility.setActive(false);
    assert.equal(world.a2.timers, timers);
    world.settle(10_000);
    world.checkAll();
  });
});

describe('a standby', () => {
  const MACHINE = 0x525400990001 as Mac;
  const recordOf = (address: string, change: Partial<NodeRecord> = {}): NodeRecord => {
    const own = { vnet: BLUE, ip: Ip.of(address), mac: MACHINE, router: 'vr-b', seq: 1 } as const;
    return { ...own, state: 'here', stamp: 1_767_225_600_000_000, ...change };
  };
  const refused = (router: StandbyRouter): Record<string, number> =>
    Object.fromEntries(
      Object.entries(router.mobility.counters()).filter(([name]) => name.startsWith('mobility_refused_')),
    );
  const NOTHING: readonly [what: string, NodeRecord, refusal: string][] = [
    ['a site that is no member', recordOf('10.2.0.77', { router: 'vr-z' }), 'no-member'],
    ['a router of a site that has a name', recordOf('10.1.0.77', { router: 'vr-a1' }), 'not-yours'],
    ['a network that nobody knows', recordOf('10.9.0.77'), 'unknown-network'],
    ['a vnet that nobody knows', recordOf('10.2.0.77', { vnet: 9 }), 'unknown-network'],
    ['a number at the end of the range', recordOf('10.2.0.77', { seq: MAX_SEQUENCE }), 'number'],
    ['a number out of reach', recordOf('10.2.0.77', { seq: FREE_SEQUENCE + HOLDERS_STEP + 1 }), 'number'],
  ];
  for (const [what, record, refusal] of NOTHING) {
    test(`takes no record of ${what} from its partner`, () => {
      const { a2 } = new StandbyWorld();
      const { size } = a2.directory;
      a2.mobility.partnerMessage({ type: 'partnerRecords', records: [record] });
      assert.equal(a2.directory.size, size);
      assert.deepEqual(refused(a2), { [`mobility_refused_partnerRecords_${refusal.replace('-', '_')}`]: 1 });
    });
  }

  test('takes the records of one message that may be said, and not the others', () => {
    const { a2 } = new StandbyWorld();
    const good = [recordOf('10.2.0.77'), recordOf('10.3.0.77', { router: 'vr-c' })];
    const records = [good[0], recordOf('10.9.0.1'), good[1]].filter((record) => record !== undefined);
    a2.mobility.partnerMessage({ type: 'partnerRecords', records });
    for (const record of good) assert.deepEqual(a2.directory.get(BLUE, record.ip), record);
  });

  test('is not filled beyond its limits', () => {
    const { a2 } = new StandbyWorld({ limits: { nodesPerRouter: 20, nodes: 40 } });
    const tell = (site: number, router: string, count: number): void => {
      for (let n = 0; n < count; n++) {
        const records = [recordOf(`10.${site}.0.${100 + n}`, { router })];
        a2.mobility.partnerMessage({ type: 'partnerRecords', records });
      }
    };
    tell(2, 'vr-b', 30);
    assert.equal(a2.directory.count('vr-b'), 20);
    tell(3, 'vr-c', 30);
    tell(1, 'site-a', 30);
    assert.equal(a2.directory.size, 40);
    assert((refused(a2).mobility_refused_partnerRecords_too_many ?? 0) > 20);
  });

  const whole = (digest: { count: number; hash: number }): TableMessage => ({
    ...{ type: 'partnerWhole', site: 'vr-b', highestStamp: 0 },
    ...digest,
  });

  test('drops what the active router has not, if that is so for a while', () => {
    const world = new StandbyWorld();
    const extra = recordOf('10.2.0.77');
    world.a2.directory.apply(extra);
    world.settle(11_000);
    assert.deepEqual(world.a2.directory.get(BLUE, extra.ip), extra, 'it may only be new');
    world.settle(10_000);
    assert.equal(world.a2.directory.get(BLUE, extra.ip), undefined);
    world.checkAll();
    assert.equal(world.a2.mobility.counters().mobility_partner_surplus_dropped, 1);
  });

  test('drops nothing at the word of a router that says to have nothing at all, unless it says so again later', () => {
    const { a2 } = new StandbyWorld();
    const count = a2.directory.count('vr-b');
    for (let n = 0; n < 10; n++) a2.mobility.partnerMessage(whole({ count: 0, hash: 0 }));
    assert.equal(a2.directory.count('vr-b'), count);
  });

  test('drops nothing when the records that were sent do not come to what was said', () => {
    const world = new StandbyWorld();
    const { size } = world.a2.directory;
    for (let n = 0; n < 10; n++) {
      world.a2.mobility.partnerMessage({ type: 'partnerRecords', records: [recordOf('10.2.0.77')] });
      world.a2.mobility.partnerMessage(whole({ count: 1, hash: n }));
      world.kill(world.a1);
      world.settle(7_000);
    }
    assert.equal(world.a2.directory.size, size + 1);
  });

  test('hears from its partner of no site that is no member', () => {
    const { a2 } = new StandbyWorld();
    const digest = { site: 'vr-z', highestStamp: 0, count: 0, hash: 0 };
    a2.mobility.partnerMessage({ type: 'partnerWhole', ...digest });
    assert.deepEqual(refused(a2), { mobility_refused_partnerWhole_no_member: 1 });
  });

  test('is not flooded: what is beyond the budget is refused', () => {
    const { a2 } = new StandbyWorld();
    const records = Array.from({ length: 64 }, (_, n) => recordOf(`10.2.0.${n + 100}`));
    for (let n = 0; n < 4_000; n++) a2.mobility.partnerMessage({ type: 'partnerRecords', records });
    assert((refused(a2).mobility_refused_partnerRecords_too_soon ?? 0) > 500);
  });

  test('hears nothing of other sites', () => {
    const { a2 } = new StandbyWorld();
    const { size } = a2.directory;
    a2.mobility.message('vr-b', { type: 'records', records: [recordOf('10.2.0.77')] });
    a2.mobility.message('vr-b', { type: 'partnerRecords', records: [recordOf('10.2.0.77')] });
    assert.equal(a2.directory.size, size);
    assert.equal(a2.mobility.counters().mobility_messages_standby, 2);
  });

  const others: readonly TableMessage[] = [
    { type: 'records', records: [recordOf('10.1.0.77', { router: 'site-a' })] },
    { type: 'recall' },
    { type: 'digest', highestStamp: 0, count: 0, hash: 0 },
  ];
  for (const message of others) {
    test(`takes no ${message.type} from its partner, nor does the active router`, () => {
      const { a1, a2 } = new StandbyWorld();
      for (const router of [a1, a2]) {
        const { said, directory } = router;
        const { size } = directory;
        router.mobility.partnerMessage(message);
        assert.deepEqual([router.said, directory.size], [said, size]);
        assert.deepEqual(refused(router), { [`mobility_refused_${message.type}_not_yours`]: 1 });
      }
    });
  }

  test('takes no tombstone that is a day old, which would count its day from now on', () => {
    const { a2, clock } = new StandbyWorld();
    const tombstone = (ageHours: number): NodeRecord =>
      recordOf(`10.2.0.${ageHours + 70}`, {
        state: 'withdrawn',
        stamp: (clock.wallMs() - ageHours * 3_600_000) * 1_000,
      });
    a2.mobility.partnerMessage({ type: 'partnerRecords', records: [tombstone(23), tombstone(25)] });
    assert.equal(a2.directory.get(BLUE, tombstone(23).ip)?.state, 'withdrawn');
    assert.equal(a2.directory.get(BLUE, tombstone(25).ip), undefined);
  });

  test('learns what it hears, and takes no answer of the active router for a machine’s own', () => {
    const world = new StandbyWorld();
    world.wan.cut('vr-a1', 'vr-a2');
    const machine = world.addSilent('site-a', 1);
    machine.announceGratuitous();
    world.move(world.host('h1-1'), 'vr-b');
    world.settle(1_000);
    assert.equal(world.a2.hwdt.get(BLUE, machine.ip)?.mac, machine.mac);
    const { ip, mac } = world.host('h1-1');
    assert.equal(world.a2.hwdt.get(BLUE, ip)?.mac, mac);
  });

  test('has what the active router had still to say when that one lays down', () => {
    const world = new StandbyWorld();
    const machine = world.addSilent('site-a', 1);
    machine.announceGratuitous();
    world.settle(1);
    world.a1.setActive(false);
    world.settle(15);
    assert.equal(world.a2.directory.get(BLUE, machine.ip)?.router, 'site-a');
  });

  test('forwards at once to a machine of which only the active router has heard the address', () => {
    const world = new StandbyWorld();
    const record = recordOf('10.1.0.77', { router: 'site-a' });
    world.a2.mobility.partnerMessage({ type: 'partnerRecords', records: [record] });
    assert.equal(world.a2.hwdt.get(BLUE, record.ip)?.mac, MACHINE);
    const { ip, mac } = world.host('h1-1');
    const older = recordOf(ip.key, { router: 'site-a', seq: 2, stamp: 1_767_225_600_000_001 });
    world.a2.mobility.partnerMessage({ type: 'partnerRecords', records: [older] });
    assert.equal(world.a2.hwdt.get(BLUE, ip)?.mac, mac, 'what it has heard since goes before');
  });
});

describe('an active router', () => {
  const record: NodeRecord = {
    ...{ vnet: BLUE, ip: Ip.of('10.2.0.77'), mac: 0x525400990001 as Mac, router: 'vr-b', seq: 1 },
    ...{ state: 'here', stamp: 1_767_225_600_000_000 },
  };

  test('takes no records from its partner, and none that another site says are for a partner', () => {
    const { a1, b } = new StandbyWorld();
    a1.mobility.partnerMessage({ type: 'partnerRecords', records: [record] });
    a1.mobility.message('vr-b', { type: 'partnerRecords', records: [record] });
    a1.mobility.message('vr-b', { type: 'partnerDigests', digests: [] });
    const digest = { site: 'vr-b', highestStamp: 0, count: 0, hash: 0 };
    a1.mobility.message('vr-b', { type: 'partnerWhole', ...digest });
    a1.mobility.partnerMessage({ type: 'partnerWhole', ...digest });
    b.mobility.message('site-a', { type: 'partnerRecords', records: [record] });
    for (const router of [a1, b]) assert.equal(router.directory.get(BLUE, record.ip), undefined);
    const counters = a1.mobility.counters();
    assert.equal(counters.mobility_refused_partnerRecords_role, 1);
    assert.equal(counters.mobility_refused_partnerWhole_role, 1);
    assert.equal(counters.mobility_refused_partnerWhole_not_yours, 1);
    assert.equal(counters.mobility_refused_partnerRecords_not_yours, 1);
    assert.equal(counters.mobility_refused_partnerDigests_not_yours, 1);
  });

  test('sends the records of a site once, and then ever more rarely, to a partner that never agrees', () => {
    const world = new StandbyWorld();
    world.kill(world.a2);
    const digests = [{ site: 'vr-b', highestStamp: 1, count: 1, hash: 7 }];
    const sent: number[] = [];
    for (let n = 0; n < 64; n++) {
      const before = world.a1.mobility.counters().mobility_partner_answers ?? 0;
      world.a1.mobility.partnerMessage({ type: 'partnerDigests', digests });
      if ((world.a1.mobility.counters().mobility_partner_answers ?? 0) > before) sent.push(n + 1);
      world.settle(10_000);
    }
    assert(sent.length <= 8, `answered ${sent}`);
  });

  test('answers digests that change 200 times at once, and then five times a second', () => {
    const world = new StandbyWorld();
    world.kill(world.a2);
    const { mobility_partner_answers: before = 0 } = world.a1.mobility.counters();
    for (let n = 0; n < 2_000; n++) {
      const digests = [{ site: 'vr-b', highestStamp: 1, count: 1, hash: n }];
      world.a1.mobility.partnerMessage({ type: 'partnerDigests', digests });
      world.settle(5);
    }
    const answers = (world.a1.mobility.counters().mobility_partner_answers ?? 0) - before;
    assert(answers >= 200 && answers <= 252, `${answers} answers in 10 s`);
  });

  test('answers no digest of a site that is no member', () => {
    const { a1 } = new StandbyWorld();
    const { mobility_partner_answers: before } = a1.mobility.counters();
    const digests = [{ site: 'vr-z', highestStamp: 1, count: 1, hash: 1 }];
    a1.mobility.partnerMessage({ type: 'partnerDigests', digests });
    assert.equal(a1.mobility.counters().mobility_partner_answers, before);
    assert.equal(a1.mobility.counters().mobility_refused_partnerDigests_no_member, 1);
  });
});

function macOf(world: StandbyWorld, ip: Ip): Mac | undefined {
  return world.hosts.find(({ ips }) => ips.some((own) => own.equals(ip)))?.mac;
}

describe('when another site switches', () => {
  for (const verify of ['optimistic', 'strict'] as const) {
    test(`a claim that its router did not live to answer is answered by the other one, ${verify}`, () => {
      const world = new StandbyWorld({ verify });
      world.fillCaches();
      world.kill(world.a1);
      world.move(world.host('h1-1'), 'vr-b', 0, 'gratuitous');
      world.settle(100);
      assert.equal(world.b.mobility.moves()[0]?.verdict, 'claiming');
      world.takeOver(world.a2);
      // The news, the claim and its answer: once there and back, and one way; in strict mode
      // 60 ms for the probes, and the claim proper there and back.
      world.settle(verify === 'strict' ? 120 : 35);
      assert.equal(world.b.mobility.moves()[0]?.verdict, 'accepted');
      assert.equal(world.a2.directory.get(BLUE, world.host('h1-1').ip)?.router, 'vr-b');
      world.settle(20_000);
      world.checkAll();
    });
  }

  test('both sides are right within one round trip after what has happened in the meantime', () => {
    const world = new StandbyWorld({ hostsPerSite: 6 });
    world.fillCaches();
    world.kill(world.a1);
    for (let n = 1; n <= 3; n++) {
      world.move(world.host(`h1-${n}`), 'vr-b', 0, 'gratuitous');
      world.move(world.host(`h2-${n}`), 'site-a', 0, 'gratuitous');
      world.move(world.host(`h3-${n}`), 'vr-b', 0, 'gratuitous');
    }
    world.settle(500);
    world.takeOver(world.a2);
    world.settle(25);
    for (const router of [world.a2, world.b]) {
      for (const host of world.hosts) {
        assert.equal(router.directory.here(BLUE, host.ip)?.router, world.siteOf(host), host.name);
      }
    }
    world.settle(20_000);
    world.checkAll();
  });

  test('a router that takes over is told within a round trip what it lacks, though another was told all a moment ago', () => {
    const world = new StandbyWorld();
    const dropped = ['h1-1', 'h2-1', 'h3-1'].map((name) => world.host(name).ip);
    // Nobody has been heard within the last minute, and nothing has changed.
    world.settle(70_000);
    for (const router of [world.b, world.c]) router.mobility.message('site-a', { type: 'recall' });
    world.kill(world.a1);
    for (const ip of dropped) {
      const record = world.a2.directory.get(BLUE, ip);
      assert(record);
      world.a2.directory.drop(record);
    }
    world.takeOver(world.a2);
    world.settle(45);
    for (const ip of dropped) assert.equal(world.a2.directory.here(BLUE, ip)?.mac, macOf(world, ip));
    world.settle(20_000);
    world.checkAll();
  });

  test('to a router that it has no session with, its claims do not hang', () => {
    const world = new StandbyWorld();
    world.fillCaches();
    world.kill(world.a1);
    world.wan.cut('vr-b', 'vr-a2');
    world.move(world.host('h1-1'), 'vr-b', 0, 'gratuitous');
    world.settle(100);
    world.takeOver(world.a2);
    world.settle(100);
    assert.equal(world.b.mobility.moves()[0]?.verdict, 'accepted');
    world.wan.heal('vr-b', 'vr-a2');
    world.settle(20_000);
    world.checkAll();
  });
});
