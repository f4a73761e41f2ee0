/** Fifty routers, and machines with tokens: who joins is known everywhere at once, and the same everywhere, whoever lies. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NOT_READY } from '../../src/router/reload/reloader.js';
import { SimNetwork } from '../support/sim-joining.js';
import {
  EXPIRES_S,
  type MembershipChanges,
  membership,
  membershipBytes,
  routerKey,
  secret,
} from '../support/tokens.js';

const SIZE = 50;
/** The clock of the simulation begins when those of the other tests expire. */
const terms = { expiresS: EXPIRES_S + 3600, bootstraps: [100, 101, 102].map(routerKey) };

function mine(changes: MembershipChanges = {}): Uint8Array {
  return membershipBytes(3, { terms, ...changes });
}

/** One-way, up to 150 ms. */
function world(size = SIZE): SimNetwork {
  return new SimNetwork(size, (a, b) => 5 + ((7 * a + 13 * b) % 30) * 5);
}

describe('A machine that joins', () => {
  it('is known to fifty routers two seconds later, and on every disk', async () => {
    const network = world();
    const verdict = await network.at(0).memberships.handedIn(mine(), routerKey(3));
    assert.deepEqual(verdict, { isAdmitted: true, reason: '' });
    assert.equal(network.at(0).disk.length, 1, 'on disk before it is said');
    await network.pass(400);
    for (const router of network.routers) {
      assert.ok(router.knows('vr-3'), router.id);
      assert.equal(router.disk.length, 1);
      assert.equal(router.countOf('router_joined'), 1);
    }
    const site = network.at(49).config.gndt.networks.at(-1);
    assert.equal(`${site?.router} ${site?.prefix}`, 'site-3 10.3.0.0/24');
  });

  it('is told to those that were away, also after its token has expired', async () => {
    const network = world();
    network.cut((a, b) => a < 25 !== b < 25);
    await network.at(0).memberships.handedIn(mine(), routerKey(3));
    await network.pass(500);
    assert.equal(network.routers.filter((router) => router.knows('vr-3')).length, 25);
    network.clock.advance(7_200_000);
    network.heal();
    await network.pass(1_000);
    assert.ok(network.routers.every((router) => router.knows('vr-3')));
  });

  it('is taken by one that is starting when it is ready, though it was told once', async () => {
    const network = world(6);
    const starting = network.at(5);
    starting.hindrance = NOT_READY;
    await network.at(0).memberships.handedIn(mine(), routerKey(3));
    network.clock.after('ready', 3_000, () => {
      starting.hindrance = undefined;
    });
    await network.passUnheard(2_900);
    assert.ok(!starting.knows('vr-3'));
    await network.passUnheard(300);
    assert.ok(starting.knows('vr-3'));
    assert.equal(starting.countOf('membership_not_applied'), 0);
  });

  it('is asked for again by one that could not take it, also when it was told as part of all', async () => {
    const network = world(6);
    const other = network.at(5);
    other.hindrance = 'No space left on device';
    await network.at(0).memberships.handedIn(mine(), routerKey(3));
    await network.pass(1_000);
    assert.ok(other.countOf('membership_not_applied') >= 1);
    other.hindrance = undefined;
    await network.pass(58_000);
    assert.ok(!other.knows('vr-3'));
    await network.pass(3_000);
    assert.ok(other.knows('vr-3'));
  });

  it('and another one with the same token at another router at the same time: one of them is in, everywhere', async () => {
    const network = world();
    const other = mine({ router: 'vr-other', publicKey: routerKey(50) });
    const [first, second] = await Promise.all([
      network.at(2).memberships.handedIn(mine(), routerKey(3)),
      network.at(1).memberships.handedIn(other, routerKey(50)),
    ]);
    assert.ok(first.isAdmitted && second.isAdmitted, 'neither router can know of the other');
    await network.pass(1_000);
    for (const router of network.routers) {
      assert.ok(router.knows('vr-other') && !router.knows('vr-3'), router.id);
      assert.ok(router.countOf('token_used_twice') >= 1, router.id);
    }
    const again = await network.at(2).memberships.handedIn(mine(), routerKey(3));
    assert.match(again.reason, /used by another router already, "vr-other"/);
  });

  it('and another one on the other side of a partition: one of them is in when it heals', async () => {
    const network = world();
    network.cut((a, b) => (a === 0) !== (b === 0));
    const other = mine({ router: 'vr-other', publicKey: routerKey(50) });
    await network.at(1).memberships.handedIn(mine(), routerKey(3));
    await network.pass(1_000);
    await network.at(0).memberships.handedIn(other, routerKey(50));
    await network.pass(1_000);
    network.heal();
    await network.pass(2_000);
    for (const router of network.routers)
      assert.ok(router.knows('vr-other') && !router.knows('vr-3'), router.id);
  });
});

describe('A member that lies', () => {
  const LIAR = 40;

  async function afterLies(lies: readonly Uint8Array[]): Promise<SimNetwork> {
    const network = world();
    await network.at(0).memberships.handedIn(mine(), routerKey(3));
    await network.pass(1_000);
    for (const router of network.routers)
      for (const lie of lies)
        if (router.id !== `r-${LIAR}`)
          network.send(`r-${LIAR}`, router.id, { type: 'membership', membership: lie, admitted: true });
    await network.pass(1_000);
    return network;
  }

  it('cannot add, change or take away another', async () => {
    const network = await afterLies([
      mine({ networkSeed: secret(66), router: 'vr-evil' }),
      mine({ oneTimeSeed: secret(66), router: 'vr-evil' }),
      // It has stolen the token after its use, or after its expiry.
      mine({ router: 'vr-evil', publicKey: routerKey(66) }),
      membershipBytes(4, { router: 'vr-evil', terms: { ...terms, expiresS: EXPIRES_S - 1 } }),
      membershipBytes(5, { router: 'r-0', terms }),
      new Uint8Array(900).fill(1),
    ]);
    for (const router of network.routers) {
      assert.ok(router.knows('vr-3'), router.id);
      assert.ok(!router.knows('vr-evil'), router.id);
      assert.deepEqual(router.config.gndt.routers.find(({ id }) => id === 'r-0')?.publicKey, routerKey(100));
    }
    const { refusals } = network.at(7).conduct.view(`r-${LIAR}`);
    assert.ok(refusals >= 2, `${refusals} refusals`);
  });

  it('that has joined with a token itself can neither, nor change what it is itself', async () => {
    const network = world(6);
    await network.at(0).memberships.handedIn(mine(), routerKey(3));
    await network.at(1).memberships.handedIn(membershipBytes(4, { terms }), routerKey(4));
    await network.pass(1_000);
    const digests = (): string[] =>
      network.routers.map(({ config }) =>
        JSON.stringify(config.gndt, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
      );
    const before = digests();
    const lies = [
      // It has kept its one-time key: itself by another name, with another key, for another site's networks.
      mine({ router: 'vr-evil' }),
      mine({ publicKey: routerKey(66) }),
      mine({ endpoints: ['udp://192.0.2.66:7700'] }),
      mine({ networkSeed: secret(66), terms: { ...terms, site: 'site-4' } }),
      // The other member's grant, which it has heard, bound anew with the only one-time key that it has.
      membershipBytes(4, { terms, oneTimeSeed: secret(3), publicKey: routerKey(66) }),
      membershipBytes(4, { terms, oneTimeSeed: secret(3), router: 'vr-3', publicKey: routerKey(3) }),
      // A grant of its own making.
      membershipBytes(5, { terms, networkSeed: secret(3) }),
    ];
    for (const router of network.routers)
      for (const membership of lies)
        for (const admitted of [true, false])
          router.memberships.received('vr-3', { type: 'membership', membership, admitted });
    for (const router of network.routers)
      router.memberships.received('vr-3', { type: 'membershipDigest', digest: new Uint8Array(32) });
    await network.pass(2_000);
    assert.deepEqual(digests(), before);
    for (const router of network.routers) {
      assert.ok(router.knows('vr-3') && router.knows('vr-4') && !router.knows('vr-evil'), router.id);
      assert.ok(router.conduct.view('vr-3').refusals >= 4, 'its forgeries are held against it');
      assert.ok(router.countOf('token_used_twice') >= 1, 'that its token was used again is told');
      assert.equal(router.memberships.counters().tokens_used_twice, router.countOf('token_used_twice'));
    }
  });

  it('that floods is heard less, and the others are not', async () => {
    const network = world();
    const { memberships } = network.at(0);
    for (let i = 0; i < 20_000; i++)
      memberships.received(`r-${LIAR}`, { type: 'membershipDigest', digest: new Uint8Array(32).fill(i) });
    assert.ok((memberships.counters().memberships_too_soon ?? 0) > 10_000);
    memberships.received('r-1', { type: 'membership', membership: mine(), admitted: false });
    await network.pass(100);
    assert.ok(network.at(0).knows('vr-3'));
  });

  it('as a bootstrap router can refuse or invent nothing that the others believe', async () => {
    const network = world();
    // It says yes to the machine and tells nobody: the next one of the token is asked, and is as good.
    network.cut((a, b) => a === 0 || b === 0);
    assert.ok((await network.at(1).memberships.handedIn(mine(), routerKey(3))).isAdmitted);
    await network.pass(1_000);
    assert.equal(network.routers.filter((router) => router.knows('vr-3')).length, SIZE - 1);
    const forged = mine({ oneTimeSeed: secret(66), router: 'vr-evil' });
    network.heal();
    for (const { id } of network.routers.slice(1))
      network.send('r-0', id, { type: 'membership', membership: forged, admitted: true });
    await network.pass(1_000);
    assert.ok(network.routers.slice(1).every((router) => router.knows('vr-3') && !router.knows('vr-evil')));
    assert.equal(network.at(9).memberships.all()[0]?.membership.id, membership(3, { terms }).id);
  });
});
