import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import { LocalRecords } from '../../../src/router/state/local-records.js';
import { Directory, TOMBSTONE_MS } from '../../../src/tables/directory.js';
import { Gndt } from '../../../src/tables/gndt.js';
import type { NodeRecord, RouterId } from '../../../src/tables/model.js';
import { SimClock } from '../../support/sim-clock.js';

function setUp() {
  const clock = new SimClock();
  const directory = new Directory('vr-a', clock);
  const gndt = new Gndt(
    {
      vnets: [{ name: 'blue', id: 1, subnet: undefined }],
      routers: ['vr-a', 'vr-b'].map((id) => ({
        id,
        publicKey: new Uint8Array(32),
        endpoints: [],
        relay: false,
      })),
      networks: ['vr-a', 'vr-b'].map((router, n) => ({
        vnet: 1,
        prefix: Prefix.of(`10.${n + 1}.0.0/24`),
        router,
        gateway: undefined,
        allow: undefined,
      })),
      cipher: 'chacha20-poly1305',
      nodes: [],
    },
    'vr-a',
  );
  let changes = 0;
  const local = new LocalRecords(gndt, directory);
  local.subscribe(() => {
    changes++;
  });
  const put = (address: string, router: RouterId, seq: number): void =>
    void directory.apply({
      vnet: 1,
      ip: Ip.of(address),
      mac: mac('52:54:00:00:00:09'),
      router,
      seq,
      state: 'here',
      stamp: seq,
    });
  const names = (): string[] => [...local.all()].map(({ ip, router }: NodeRecord) => `${ip.key} ${router}`);
  return { clock, directory, gndt, local, put, names, changes: () => changes };
}

test('own records and native nodes, as they come and go; others change nothing', () => {
  const { put, names, changes } = setUp();
  put('10.1.0.9', 'vr-a', 1);
  put('10.1.0.9', 'vr-b', 2); // departed
  put('10.2.0.9', 'vr-a', 2); // visiting
  const before = changes();
  put('10.2.0.10', 'vr-b', 1);
  put('10.2.0.11', 'vr-b', 1);
  assert.equal(changes(), before);
  assert.deepEqual(names(), ['10.1.0.9 vr-b', '10.2.0.9 vr-a']);
  put('10.2.0.9', 'vr-b', 3); // home again
  assert.equal(changes(), before + 1);
  assert.deepEqual(names(), ['10.1.0.9 vr-b']);
});

test('how many are here, visiting and departed, kept in step; of a directory that is never looked through', () => {
  const { put, gndt, local, directory } = setUp();
  const counts = (): string => {
    const { here, visiting, departed } = local.counts;
    return `${here} ${visiting} ${departed}`;
  };
  directory.all = () => assert.fail('it looks through the whole directory');
  directory.of = () => assert.fail('it looks through the whole directory');
  assert.equal(counts(), '0 0 0');
  put('10.1.0.9', 'vr-a', 1);
  put('10.1.0.10', 'vr-a', 1);
  assert.equal(counts(), '2 0 0');
  put('10.1.0.9', 'vr-b', 2);
  put('10.2.0.9', 'vr-a', 2);
  put('10.2.0.10', 'vr-b', 1);
  assert.equal(counts(), '2 1 1');
  assert.deepEqual([...local.visiting()].join(), [directory.get(1, Ip.of('10.2.0.9'))].join());
  assert.deepEqual([...local.departed()].map(({ ip }) => ip.key).join(), '10.1.0.9');
  put('10.1.0.9', 'vr-a', 3);
  directory.withdraw(1, Ip.of('10.2.0.9'));
  assert.equal(counts(), '2 0 0');
  assert.equal(gndt.self, 'vr-a');
});

test('a reload changes what is at home here: the counts are those of the new configuration', () => {
  const { put, gndt, local } = setUp();
  put('10.1.0.9', 'vr-a', 1);
  put('10.2.0.9', 'vr-a', 1);
  put('10.2.0.10', 'vr-b', 1);
  assert.deepEqual(local.counts, { here: 2, visiting: 1, departed: 0 });
  const networks = gndt.config.networks.map((network) => ({ ...network, router: 'vr-a' }));
  const plan = gndt.plan({ ...gndt.config, networks }, 0);
  assert.ok(typeof plan !== 'string');
  gndt.adopt(plan, 0);
  // The first to ask may be a change of the directory.
  put('10.2.0.11', 'vr-b', 1);
  assert.deepEqual(local.counts, { here: 2, visiting: 0, departed: 2 });
});

test('after any history the counts are those of a fresh look through the directory', () => {
  const addresses = ['10.1.0.9', '10.1.0.10', '10.2.0.9', '10.2.0.10', '10.9.0.1'];
  const step = fc.record({
    address: fc.constantFrom(...addresses),
    router: fc.constantFrom('vr-a', 'vr-b'),
    withdraws: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const { put, gndt, local, directory } = setUp();
      let seq = 0;
      for (const { address, router, withdraws } of steps) {
        if (withdraws) directory.withdraw(1, Ip.of(address));
        else put(address, router, ++seq);
      }
      const fresh = new LocalRecords(gndt, directory);
      assert.deepEqual(local.counts, fresh.counts);
      assert.deepEqual([...local.all()].map(String).sort(), [...fresh.all()].map(String).sort());
    }),
    { numRuns: 200 },
  );
});

test('a tombstone that has expired is not kept', () => {
  const { clock, directory, put, names } = setUp();
  put('10.1.0.9', 'vr-a', 1);
  directory.withdraw(1, Ip.of('10.1.0.9'));
  assert.deepEqual(names(), ['10.1.0.9 vr-a']);
  clock.advance(TOMBSTONE_MS + 1_000);
  directory.expire();
  assert.deepEqual(names(), []);
});

test('tombstones that have expired are not remembered either', () => {
  const { clock, directory, local } = setUp();
  for (let round = 0; round < 3; round++) {
    for (let n = 1; n <= 100; n++) {
      directory.originate(1, Ip.v4(0x0a010000 + 100 * round + n), mac('52:54:00:00:00:09'), 1);
      directory.withdraw(1, Ip.v4(0x0a010000 + 100 * round + n));
    }
    assert.equal([...local.all()].length, 100);
    assert.equal(local.size, 100);
    clock.advance(TOMBSTONE_MS + 1_000);
    directory.expire();
  }
});

test('a native node’s record that is dropped with its router is not kept, and the state is written anew', () => {
  const { directory, put, names, changes } = setUp();
  put('10.1.0.9', 'vr-b', 2);
  put('10.2.0.9', 'vr-b', 2);
  const before = changes();
  directory.keepMembers(new Set(['vr-a']));
  assert.equal(changes(), before + 1);
  assert.deepEqual(names(), []);
});
