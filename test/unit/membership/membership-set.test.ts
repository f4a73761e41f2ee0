import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { admit } from '../../../src/membership/admission.js';
import { memberOf } from '../../../src/membership/membership.js';
import { HEARSAY, type Hearing, MembershipSet } from '../../../src/membership/membership-set.js';
import { GNDT_FILE, type GndtFile, gndtSchema } from '../../../src/tables/files/gndt-file.js';
import { withMembers } from '../../../src/tables/files/members.js';
import { encodeKey } from '../../../src/tables/files/read.js';
import { parseFile } from '../../../src/tables/files/schema.js';
import {
  BOOTSTRAPS,
  EXPIRES_S,
  type MembershipChanges,
  membership,
  membershipBytes,
  NETWORK_KEY,
  routerKey,
  secret,
} from '../../support/tokens.js';

const STRANGER = routerKey(99);
const [FIRST = STRANGER, SECOND = STRANGER] = BOOTSTRAPS;

function hearing(changes: Partial<Hearing> = {}): Hearing {
  return {
    nowS: EXPIRES_S - 60,
    networkKeys: [NETWORK_KEY],
    revoked: new Set(),
    speaker: FIRST,
    isAdmission: true,
    ...changes,
  };
}

const mine: MembershipChanges = { router: 'vr-mine', publicKey: routerKey(50) };
const theirs: MembershipChanges = { router: 'vr-theirs', publicKey: routerKey(51) };

function whyOf(verdict: { readonly is: string; readonly why?: string }): string {
  return verdict.why ?? verdict.is;
}

describe('The set of memberships', () => {
  it('takes one, knows it again, and has a digest that says what is in it', () => {
    const set = new MembershipSet();
    const empty = Buffer.from(set.digest).toString('hex');
    assert.equal(set.take(membershipBytes(3), hearing()).is, 'new');
    assert.equal(set.take(membershipBytes(3), hearing()).is, 'known');
    assert.equal(set.take(membershipBytes(4), hearing()).is, 'new');
    const other = new MembershipSet();
    other.take(membershipBytes(4), hearing());
    assert.notDeepEqual(set.digest, other.digest);
    other.take(membershipBytes(3), hearing({ speaker: STRANGER }));
    assert.deepEqual(set.digest, other.digest);
    assert.notEqual(Buffer.from(set.digest).toString('hex'), empty);
    assert.deepEqual(set.drop(({ grant }) => grant.site === 'site-3').length, 1);
    assert.equal(set.size, 1);
  });

  it('refuses what nobody has signed', () => {
    const set = new MembershipSet();
    assert.equal(
      whyOf(set.take(membershipBytes(3, { networkSeed: secret(9) }), hearing())),
      'unknown-network-key',
    );
    assert.equal(whyOf(set.take(membershipBytes(3, { oneTimeSeed: secret(9) }), hearing())), 'not-bound');
    assert.equal(whyOf(set.take(new Uint8Array(5000), hearing())), 'malformed');
    const revoked = new Set([membership(3).grant.id]);
    assert.equal(whyOf(set.take(membershipBytes(3), hearing({ revoked }))), 'revoked');
    assert.equal(set.size, 0);
  });

  it('judges expiry where it is handed in, and where no bootstrap router says it', () => {
    const bytes = membershipBytes(3);
    const verdict = (changes: Partial<Hearing>): string =>
      whyOf(new MembershipSet().take(bytes, hearing(changes)));
    assert.equal(verdict({ nowS: EXPIRES_S - 1, isHandedIn: true }), 'new');
    assert.equal(verdict({ nowS: EXPIRES_S, isHandedIn: true }), 'expired');
    assert.equal(verdict({ nowS: EXPIRES_S - 1, speaker: STRANGER }), 'new');
    assert.equal(verdict({ nowS: EXPIRES_S, speaker: STRANGER }), 'expired');
    assert.equal(verdict({ nowS: EXPIRES_S + 1e6, speaker: SECOND }), 'new');
    assert.equal(verdict({ nowS: EXPIRES_S, isAdmission: false }), 'expired', 'it has only heard of it');
    assert.equal(verdict({ speaker: STRANGER, isHandedIn: true }), 'not-bootstrap');
  });

  it('never drops a member because its token has expired since', () => {
    const set = new MembershipSet();
    set.take(membershipBytes(3), hearing());
    const late = hearing({ nowS: EXPIRES_S + 1e6, isHandedIn: true });
    assert.equal(set.take(membershipBytes(3), late).is, 'known');
  });

  it('refuses a second binding and alarms it once', () => {
    const set = new MembershipSet();
    set.take(membershipBytes(3, mine), hearing());
    const first = set.take(membershipBytes(3, theirs), hearing({ isHandedIn: true }));
    assert.ok(first.is === 'refused' && first.why === 'used-by-another');
    assert.equal(first.second?.binding.router, 'vr-theirs');
    assert.match(first.reason, /"vr-mine"/);
    const again = set.take(membershipBytes(3, theirs), hearing({ speaker: SECOND }));
    assert.ok(again.is === 'refused' && again.second === undefined);
  });

  it('comes to the same from two that were admitted at once, in whatever order it hears of them', () => {
    const words = [
      [membershipBytes(3, mine), FIRST],
      [membershipBytes(3, theirs), SECOND],
      [membershipBytes(3, theirs), STRANGER],
      [membershipBytes(3, mine), STRANGER],
    ] as const;
    for (const order of permutations([0, 1, 2, 3])) {
      const set = new MembershipSet();
      for (const i of order) {
        const [bytes, speaker] = words[i] ?? words[0];
        set.take(bytes, hearing({ speaker }));
      }
      const held = set.all()[0];
      assert.equal(held?.membership.binding.router, 'vr-mine', order.join());
      assert.equal(held?.rank, 0);
    }
  });

  it('lets no member that is not a bootstrap router put one in the place of another', () => {
    const set = new MembershipSet();
    set.take(membershipBytes(3, mine), hearing({ speaker: STRANGER }));
    const verdict = set.take(membershipBytes(3, theirs), hearing({ speaker: routerKey(98) }));
    assert.equal(whyOf(verdict), 'used-by-another');
    assert.equal(set.all()[0]?.rank, HEARSAY);
  });
});

describe('A machine that hands in its membership', () => {
  const file = description();
  const set = new MembershipSet();
  const admitted = (changes: MembershipChanges = {}, from = changes.publicKey ?? routerKey(3)) =>
    admit(membershipBytes(3, changes), from, { set, file, hearing: hearing() });

  it('is admitted, and again, and nothing has changed until the answer is kept', () => {
    const first = admitted();
    assert.ok(first.is === 'admitted' && !first.isKnown);
    assert.equal(set.size, 0);
    const again = admit(membershipBytes(3), routerKey(3), { set: first.set, file, hearing: hearing() });
    assert.ok(again.is === 'admitted' && again.isKnown);
  });

  it('is refused for what the description has already', () => {
    const terms = (changes: NonNullable<MembershipChanges['terms']>) => whyOf(admitted({ terms: changes }));
    assert.equal(whyOf(admitted({ router: 'vr-a' })), 'name-taken');
    assert.equal(whyOf(admitted({ publicKey: FIRST })), 'key-taken');
    assert.equal(whyOf(admitted({ endpoints: ['udp://192.0.2.1:7700'] })), 'endpoint-taken');
    assert.equal(terms({ site: 'vr-a' }), 'site-exists');
    assert.equal(terms({ site: 'site-b' }), 'site-exists');
    assert.equal(terms({ vnets: [{ id: 8, name: 'blue' }] }), 'unknown-vnet');
    assert.equal(terms({ networks: membership(1).grant.networks }), 'networks-overlap');
    assert.equal(whyOf(admitted({}, routerKey(4))), 'not-its-key');
  });

  it('is refused for what another member has', () => {
    const held = admitted();
    assert.ok(held.is === 'admitted');
    const verdict = admit(membershipBytes(4, { router: 'vr-3' }), routerKey(4), {
      set: held.set,
      file,
      hearing: hearing(),
    });
    assert.equal(whyOf(verdict), 'name-taken');
    const before = admit(membershipBytes(4), routerKey(4), { set, file, hearing: hearing() });
    assert.ok(before.is === 'admitted');
    const late = membershipBytes(3, { router: 'vr-4' });
    assert.equal(
      whyOf(admit(late, routerKey(3), { set: before.set, file, hearing: hearing() })),
      'name-taken',
    );
  });

  it('at two routers at the same time is in or out everywhere alike', () => {
    const two = [memberOf(membership(3)), memberOf(membership(4, { router: 'vr-3' }))];
    const [one, other] = [withMembers(file, two), withMembers(file, two.toReversed())];
    assert.equal(one.members.length, 1);
    assert.deepEqual(one.members, other.members);
  });
});

describe('The description with its members', () => {
  it('has their routers, sites and networks', () => {
    const { file, members } = withMembers(description(), [memberOf(membership(3))]);
    assert.equal(members.length, 1);
    assert.deepEqual(file.routers.at(-1)?.id, 'vr-3');
    assert.deepEqual(file.sites.at(-1), { id: 'site-3', routers: ['vr-3'] });
    assert.equal(file.networks.at(-1)?.router, 'site-3');
  });

  it('leaves out who is in it already, and who is revoked', () => {
    const { file: absorbed, refused } = withMembers(description({ id: 'vr-3', key: routerKey(3) }), [
      memberOf(membership(3)),
    ]);
    assert.equal(absorbed.routers.length, 4);
    assert.equal(refused[0]?.why, 'absorbed');
    const revoked = withMembers({ ...description(), revoked: [membership(3).grant.id] }, [
      memberOf(membership(3)),
    ]);
    assert.equal(revoked.refused[0]?.why, 'revoked');
  });
});

function description(more?: { readonly id: string; readonly key: Uint8Array }): GndtFile {
  const routers = [
    ...BOOTSTRAPS.map((key, i) => ({
      id: `vr-${'abc'[i]}`,
      key,
      endpoints: [`udp://192.0.2.${i + 1}:7700`],
    })),
    ...(more === undefined ? [] : [{ ...more, endpoints: [] }]),
  ];
  const read = parseFile(
    GNDT_FILE,
    JSON.stringify({
      vnets: [{ name: 'blue', id: 7 }],
      routers: routers.map(({ id, key, endpoints }) => ({ id, publicKey: encodeKey(key), endpoints })),
      sites: [{ id: 'site-b', routers: ['vr-b'] }],
      networks: [{ vnet: 'blue', prefix: '10.1.0.0/24', router: 'vr-a' }],
    }),
    gndtSchema,
  );
  if ('errors' in read) throw new Error(JSON.stringify(read.errors));
  return read.value;
}

function permutations(all: readonly number[]): number[][] {
  if (all.length <= 1) return [[...all]];
  return all.flatMap((one) =>
    permutations(all.filter((other) => other !== one)).map((rest) => [one, ...rest]),
  );
}
