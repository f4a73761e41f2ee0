import assert from 'node:assert/strict';
import { test } from 'node:test';
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
  const local = new LocalRecords(gndt, directory, () => {
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
  const names = (): string[] => local.all().map(({ ip, router }: NodeRecord) => `${ip.key} ${router}`);
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
    assert.equal(local.all().length, 100);
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
