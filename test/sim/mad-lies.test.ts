/** One lie each of a router with a valid key: what must not become of it. Histories of many are in mad-histories. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { MoveClaim, TableMessage } from '../../src/protocol/table-message.js';
import type { NodeRecord } from '../../src/tables/model.js';
import type { SimHost } from '../support/sim-lan-host.js';
import { BLUE } from '../support/sim-lan-world.js';
import { Watch } from './mad-watch.js';
import { HONEST, MAD, MadWorld } from './mad-world.js';

/** At the ends of what a decoder may take, from least to most. */
const BOUNDARIES = [2 ** 32, 2 ** 52 - 1, 2 ** 52, Number.MAX_SAFE_INTEGER];
/** A move of a node in an overlay that loses nothing is known to all by then, verified or not. */
const FOUND_MS = 1_000;

function claimOf(records: readonly NodeRecord[], more: Partial<MoveClaim> = {}): TableMessage {
  const [first] = records;
  assert(first);
  const { vnet, mac } = first;
  const move: MoveClaim = { vnet, mac, records, trigger: 'rarp', sinceDetectionUs: 100, ...more };
  return { type: 'claim', claimId: 7, moves: [move] };
}

const recordsOf = (records: readonly NodeRecord[]): TableMessage => ({ type: 'records', records });

/** A true move, and all know of it soon. */
function movesTruly(all: MadWorld, node: SimHost, site: number): void {
  const to = all.world.site(site);
  all.world.move(node, to, 'rarp', 10);
  all.world.settle(10 + FOUND_MS);
  for (const ip of node.ips) assert.equal(all.places(ip), `${to.id} ${to.id} ${to.id}`, ip.key);
}

/** Whatever was said, no honest router says anything that another cannot read, also not after it was started again. */
function canBeRead(all: MadWorld): void {
  for (const site of all.honest) {
    site.crash();
    all.world.settle(100);
    site.boot(true);
    all.wan.connectAll();
    all.world.settle(500);
    site.mobility.start();
  }
  all.world.settle(35_000);
  assert.deepEqual(all.unreadable(), []);
}

describe('numbers', () => {
  for (const kind of ['returned', 'stale', 'has', 'records'] as const) {
    test(`${kind} with a number at the end of its range, unasked: the node can still be moved, and all can be read`, () => {
      const all = new MadWorld();
      const node = all.world.host('h2-1');
      for (const seq of BOUNDARIES) {
        for (const ip of node.ips) {
          const own = { ...all.record(ip), seq, stamp: seq };
          const message: TableMessage =
            kind === 'stale'
              ? { type: kind, records: [{ vnet: BLUE, ip, seq, router: 'vr-c' }] }
              : kind === 'has'
                ? { type: kind, queryId: 1, records: [{ ...own, router: MAD }] }
                : { type: kind, records: [kind === 'records' ? { ...own, router: MAD } : own] };
          all.mad.tellAll(HONEST, message);
        }
        all.world.settle(300);
      }
      all.world.settle(5_000);
      for (const site of [3, 1, 2]) movesTruly(all, node, site);
      canBeRead(all);
      movesTruly(all, node, 3);
    });
  }

  test('a claim with a number at the end of its range: the node can still be moved, and all can be read', () => {
    const all = new MadWorld();
    const node = all.world.host('h2-1');
    for (const seq of BOUNDARIES) {
      all.mad.tellAll(HONEST, claimOf(node.ips.map((ip) => all.lie(ip, { seq }))));
      all.world.settle(300);
    }
    all.world.settle(5_000);
    for (const site of [3, 1, 2]) movesTruly(all, node, site);
    canBeRead(all);
    movesTruly(all, node, 3);
  });

  test('a true claim is answered "stale" with a number at the end of its range: the node can still be moved', () => {
    const all = new MadWorld();
    const node = all.world.host('h2-1');
    const seqs = [...BOUNDARIES];
    all.mad.passes = (_, message) => {
      if (message.type !== 'claimResult') return message;
      const seq = seqs.shift() ?? Number.MAX_SAFE_INTEGER;
      const results = message.results.map((result) => ({
        ...result,
        verdict: 'refused' as const,
        reason: 'stale' as const,
        seq,
      }));
      return { ...message, results };
    };
    for (const site of [3, 1, 2, 3, 1]) {
      movesTruly(all, node, site);
      all.world.settle(6_000);
    }
    canBeRead(all);
  });
});

describe('strict: what nobody has asked the node about is not believed', () => {
  /** Of an open network, at its home. */
  const lies: [what: string, tell: (all: MadWorld, node: SimHost) => void][] = [
    [
      'a claim that says it is an objection',
      (all, node) =>
        all.mad.tellAll(
          HONEST,
          claimOf(
            node.ips.map((ip) => all.lie(ip)),
            { objection: true },
          ),
        ),
    ],
    ['records', (all, node) => all.mad.tellAll(HONEST, recordsOf(node.ips.map((ip) => all.lie(ip))))],
    [
      'an answer to no question',
      (all, node) => {
        for (let queryId = 1; queryId < 20; queryId++) {
          all.mad.tellAll(HONEST, { type: 'has', queryId, records: node.ips.map((ip) => all.lie(ip)) });
        }
      },
    ],
    [
      'a tombstone, and then a record that is frozen',
      (all, node) => {
        const withdrawn = node.ips.map((ip) => all.lie(ip, { state: 'withdrawn' }));
        const frozen = withdrawn.map(
          (record): NodeRecord => ({ ...record, state: 'here', seq: record.seq + 1, frozen: true }),
        );
        all.mad.tellAll(HONEST, recordsOf(withdrawn));
        all.mad.tellAll(HONEST, recordsOf(frozen));
      },
    ],
    [
      'a claim that is frozen from the beginning',
      (all, node) => all.mad.tellAll(HONEST, claimOf(node.ips.map((ip) => all.lie(ip, { frozen: true })))),
    ],
    [
      'a claim of which the router that has the node is not told',
      (all, node) => all.mad.tellAll(['vr-a', 'vr-c'], claimOf(node.ips.map((ip) => all.lie(ip)))),
    ],
    [
      'records of which the router that has the node is not told',
      (all, node) => all.mad.tellAll(['vr-a', 'vr-c'], recordsOf(node.ips.map((ip) => all.lie(ip)))),
    ],
    [
      'a hint where the node is, and the answer to the question that follows',
      (all, node) => {
        all.mad.onHeard = ({ from, message }) => {
          if (message.type !== 'whoHas') return;
          const records = node.ips.map((ip) => all.lie(ip));
          all.mad.tell(from, { type: 'has', queryId: message.queryId, records });
        };
        for (const ip of node.ips) {
          const { seq } = all.lie(ip);
          all.mad.tellAll(HONEST, { type: 'redirect', vnet: BLUE, ip, router: MAD, seq });
        }
      },
    ],
    [
      'records of it given back to a router that never had it',
      (all, node) => {
        for (const to of HONEST) {
          all.mad.tell(to, { type: 'returned', records: node.ips.map((ip) => all.lie(ip, { router: to })) });
        }
      },
    ],
    [
      'records that another router, it says, has made',
      (all, node) => {
        const records = node.ips.map((ip) => all.lie(ip, { router: 'vr-c' }));
        all.mad.tellAll(HONEST, recordsOf(records));
        all.mad.tellAll(HONEST, claimOf(records));
      },
    ],
  ];
  for (const [what, tell] of lies) {
    for (const where of ['at home', 'visiting']) {
      test(`${what}: the node stays where it is (${where})`, () => {
        const all = new MadWorld({ verify: 'strict' });
        const node = all.world.host('h2-1');
        if (where === 'visiting') movesTruly(all, node, 3);
        all.world.settle(10_000);
        const watch = new Watch(all, [node]);
        tell(all, node);
        all.world.settle(40_000);
        watch.check();
        movesTruly(all, node, 1);
      });
    }
  }

  test('the same address at another MAC: the node stays where it is', () => {
    const all = new MadWorld({ verify: 'strict' });
    const node = all.world.host('h2-1');
    const watch = new Watch(all, [node]);
    const records = node.ips.map((ip) => all.lie(ip, { mac: all.world.host('h4-1').mac }));
    all.mad.tellAll(HONEST, claimOf(records));
    all.mad.tellAll(HONEST, recordsOf(records));
    all.world.settle(40_000);
    watch.check();
  });
});

for (const verify of ['optimistic', 'strict', 'off'] as const) {
  describe(`${verify}: nodes of a network that does not allow the router`, () => {
    test('no message of any kind changes where they are, or freezes them', () => {
      const all = new MadWorld({ verify });
      const nodes = [all.world.host('h1-1'), all.world.host('h1-2'), all.world.host('gw1')];
      const watch = new Watch(all, nodes);
      for (const node of nodes) {
        const [here, withdrawn, frozen] = [{}, { state: 'withdrawn' }, { frozen: true }].map((change) =>
          node.ips.map((ip) => all.lie(ip, change as Partial<NodeRecord>)),
        );
        for (const records of [here, withdrawn, frozen]) {
          assert(records);
          all.mad.tellAll(HONEST, recordsOf(records));
          all.mad.tellAll(HONEST, claimOf(records));
          all.mad.tellAll(HONEST, claimOf(records, { objection: true }));
          for (const to of HONEST) {
            all.mad.tell(to, {
              type: 'returned',
              records: records.map((record) => ({ ...record, router: to })),
            });
          }
          all.world.settle(2_000);
        }
      }
      all.world.settle(40_000);
      watch.check();
      const [node] = nodes;
      assert(node);
      movesTruly(all, node, 3);
    });
  });
}

test('a node that comes to where a liar has said it is, while it is asked for there, stays there', () => {
  for (let untilMs = 0; untilMs <= 1_200; untilMs += 100) {
    const all = new MadWorld();
    const node = all.world.host('h2-1');
    // Who says that it knows something of vr-c is asked for it.
    all.mad.tell('vr-c', { type: 'digest', highestStamp: 2 ** 51, count: 1, hash: 7 });
    all.world.settle(50);
    // With the number that the node's move will have.
    const records = node.ips.map((ip) => ({
      ...all.record(ip),
      router: 'vr-c',
      seq: all.record(ip).seq + 1,
    }));
    all.mad.tell('vr-c', { type: 'returned', records });
    all.world.settle(untilMs);
    const lost: string[] = [];
    const site = all.world.site(3);
    const { watch } = site;
    site.watch = (by, change) => {
      if (change.before?.state === 'here' && change.after.state === 'withdrawn')
        lost.push(change.after.ip.key);
      watch?.(by, change);
    };
    movesTruly(all, node, 3);
    all.world.settle(2_000);
    assert.deepEqual(lost, [], `moved ${untilMs} ms after the lie`);
    for (const ip of node.ips) assert.equal(all.places(ip), 'vr-c vr-c vr-c', ip.key);
  }
});

describe('a tombstone of a node that answers where it is', () => {
  for (const verify of ['optimistic', 'strict', 'off'] as const) {
    test(`${verify}: changes nothing`, () => {
      const all = new MadWorld({ verify });
      const node = all.world.host('h2-1');
      const watch = new Watch(all, [node]);
      for (let n = 0; n < 3; n++) {
        const records = node.ips.map((ip) => all.lie(ip, { state: 'withdrawn' }));
        all.mad.tellAll(HONEST, recordsOf(records));
        all.mad.tellAll(HONEST, claimOf(records));
        all.world.settle(3_000);
      }
      all.world.settle(40_000);
      watch.check();
      movesTruly(all, node, 3);
    });
  }

  test('optimistic: when it was claimed a moment ago, it is as if there had been no tombstone', () => {
    const all = new MadWorld();
    const node = all.world.host('h2-1');
    all.mad.tellAll(HONEST, claimOf(node.ips.map((ip) => all.lie(ip))));
    all.world.settle(30);
    const withdrawn = node.ips.map((ip) => all.lie(ip, { state: 'withdrawn' }));
    all.mad.tellAll(HONEST, recordsOf(withdrawn));
    all.mad.tellAll(
      HONEST,
      recordsOf(withdrawn.map((record) => ({ ...record, seq: record.seq - 1, stamp: record.stamp + 1 }))),
    );
    all.world.settle(410);
    for (const ip of node.ips) assert.equal(all.places(ip), 'vr-b vr-b vr-b', ip.key);
    movesTruly(all, node, 3);
  });
});

describe('an objection that nobody has caused', () => {
  const objection = (all: MadWorld, node: SimHost): TableMessage => ({
    type: 'claimResult',
    claimId: 1,
    results: node.ips.map((ip) => {
      const { vnet, seq } = all.record(ip);
      return { vnet, ip, verdict: 'objection', reason: 'node-answers-here', seq };
    }),
  });

  for (const verify of ['optimistic', 'strict', 'off'] as const) {
    for (const name of ['h1-1', 'h2-1', 'gw2']) {
      test(`${verify}: freezes nothing (${name})`, () => {
        const all = new MadWorld({ verify });
        const node = all.world.host(name);
        const watch = new Watch(all, [node]);
        all.mad.tellAll(HONEST, objection(all, node));
        all.world.settle(10_000);
        watch.check();
        if (name !== 'gw2') movesTruly(all, node, 3);
      });
    }
  }

  test('does not withdraw a node that is silent for a moment', () => {
    const all = new MadWorld();
    const node = all.world.host('h2-1');
    const watch = new Watch(all, [node]);
    all.mad.tellAll(HONEST, objection(all, node));
    const frame = node.frame.bind(node);
    node.frame = () => {};
    all.world.settle(100);
    node.frame = frame;
    all.world.settle(10_000);
    watch.check();
  });
});

describe('optimistic: a false claim, repeated', () => {
  test('freezes the node for nobody but the one who claims it', () => {
    const all = new MadWorld();
    const node = all.world.host('h2-1');
    for (let i = 0; i < 20; i++) {
      all.mad.tellAll(HONEST, claimOf(node.ips.map((ip) => all.lie(ip))));
      all.world.settle(3_000);
      for (const ip of node.ips) assert.equal(all.places(ip), 'vr-b vr-b vr-b', `after ${i + 1}`);
    }
    for (const site of [3, 1, 2]) movesTruly(all, node, site);
  });

  test("does not take a router's own address from it, nor a gateway's for longer than a moment", () => {
    const all = new MadWorld();
    const own = all.world.site(2).options.addresses;
    for (let i = 0; i < 3; i++) {
      all.mad.tellAll(HONEST, claimOf(own.map((ip) => all.lie(ip))));
      all.mad.tellAll(HONEST, recordsOf(own.map((ip) => all.lie(ip))));
      all.world.settle(3_000);
      for (const ip of own) assert.equal(all.places(ip), 'vr-b vr-b vr-b', ip.key);
    }
  });
});

test('a visitor whose MAC was lied about: it is found again when the liar is taken out', () => {
  const all = new MadWorld({ verify: 'off' });
  const node = all.world.host('h2-1');
  movesTruly(all, node, 3);
  for (const lie of [{}, { mac: all.world.site(1).options.mac }]) {
    all.mad.tellAll(HONEST, recordsOf(node.ips.map((ip) => all.lie(ip, lie))));
    all.world.settle(FOUND_MS);
    for (const ip of node.ips) assert.equal(all.places(ip), `${MAD} ${MAD} ${MAD}`);
  }
  for (const site of all.honest) site.reconfigure(all.gndtWithoutMad(site));
  all.madSite.crash();
  all.world.settle(2_000);
  node.announceGratuitous();
  all.world.settle(FOUND_MS);
  for (const ip of node.ips) assert.equal(all.places(ip), 'vr-c vr-c vr-c', ip.key);
});
