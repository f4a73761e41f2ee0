import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { createBinding } from '../../../src/membership/binding.js';
import { createGrant } from '../../../src/membership/grant.js';
import { decodeMembership, forgeryIn, memberOf } from '../../../src/membership/membership.js';
import { decodeToken, TOKEN_HEAD } from '../../../src/membership/token.js';
import { Prefix } from '../../../src/net/prefix.js';
import {
  endpointOf,
  grant,
  grantTerms,
  membership,
  membershipBytes,
  NETWORK_KEY,
  NETWORK_SEED,
  routerKey,
  secret,
  tokenLine,
  whole,
} from '../../support/tokens.js';

describe('A membership', () => {
  it('has these bytes', () => {
    const bytes = membershipBytes(3, { endpoints: ['udp://192.0.2.3:7700', 'tcp://vr-c.example.net:443'] });
    const { grant: made, binding } = whole(decodeMembership(bytes));
    const head = Buffer.from(made.signed).toString('hex');
    assert.equal(
      head,
      `01${'0000'}6955b900${'03'.repeat(16)}${hex(made.oneTimeKey)}06${ascii('site-3')}01000704${ascii('blue')}` +
        `010004180a03000003${made.bootstraps.map(hex).join('')}`,
    );
    assert.equal(
      hex(binding.signed),
      `0104${ascii('vr-3')}${hex(routerKey(3))}02${'01'}1e1404c0000203${'02'}01bb0010${ascii('vr-c.example.net')}`,
    );
    assert.equal(
      createHash('sha256').update(bytes).digest('hex'),
      membership(3, { endpoints: ['udp://192.0.2.3:7700', 'tcp://vr-c.example.net:443'] }).id,
    );
    assert.equal(bytes.length, 3 + made.signed.length + 64 + binding.signed.length + 64);
  });

  it('holds for the network whose key granted it, and for the one-time key that bound it', () => {
    assert.equal(forgeryIn(membership(), [NETWORK_KEY]), undefined);
    assert.equal(forgeryIn(membership(), [routerKey(9), NETWORK_KEY]), undefined);
    assert.equal(forgeryIn(membership(), []), 'unknown-network-key');
    assert.equal(forgeryIn(membership(3, { networkSeed: secret(2) }), [NETWORK_KEY]), 'unknown-network-key');
    assert.equal(forgeryIn(membership(3, { oneTimeSeed: secret(4) }), [NETWORK_KEY]), 'not-bound');
  });

  it("does not take one token's binding for another's, be their one-time keys the same", () => {
    const other = grant(3, { terms: { site: 'site-9' } });
    const binding = createBinding(
      other,
      { router: 'vr-3', publicKey: routerKey(3), endpoints: [] },
      secret(3),
    );
    assert.ok(typeof binding !== 'string');
    const own = membership();
    const bytes = Buffer.concat([own.bytes.subarray(0, 3 + own.grant.signed.length + 64), binding]);
    assert.equal(forgeryIn(whole(decodeMembership(bytes)), [NETWORK_KEY]), 'not-bound');
  });

  it('is refused when a bit of it is another, or a byte of it is missing', () => {
    const bytes = membershipBytes(3, { endpoints: ['udp://[2001:db8::3]:7700'] });
    for (let at = 0; at < bytes.length; at++) {
      const changed = Uint8Array.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      const read = decodeMembership(changed);
      assert.ok(typeof read === 'string' || forgeryIn(read, [NETWORK_KEY]) !== undefined, `byte ${at}`);
      assert.equal(typeof decodeMembership(bytes.subarray(0, at)), 'string', `cut at ${at}`);
    }
    assert.match(String(decodeMembership(Buffer.concat([bytes, Buffer.from([0])]))), /more than belongs/);
  });

  it('says what the network gets by it', () => {
    const made = membership(3, { endpoints: ['udp://192.0.2.3:7700'] });
    assert.deepEqual(memberOf(made), {
      grant: made.grant.id,
      router: 'vr-3',
      publicKey: routerKey(3),
      endpoints: [endpointOf('udp://192.0.2.3:7700')],
      site: 'site-3',
      networks: [{ vnet: { id: 7, name: 'blue' }, prefix: Prefix.of('10.3.0.0/24') }],
    });
  });
});

describe('A grant', () => {
  const problemOf = (changes: Parameters<typeof grantTerms>[1]): string =>
    String(createGrant(grantTerms(3, changes), NETWORK_SEED));

  it('is not made of what contradicts itself or has no bounds', () => {
    assert.match(problemOf({ site: 'not a name' }), /site is not as it may be/);
    assert.match(problemOf({ networks: [] }), /number of networks is 0; from 1 to 16/);
    assert.match(
      problemOf({ networks: [{ vnet: 1, prefix: Prefix.of('10.3.0.0/24') }] }),
      /vnet that it does not name/,
    );
    assert.match(problemOf({ networks: [{ vnet: 0, prefix: Prefix.of('224.0.0.0/8') }] }), /multicast/);
    assert.match(
      problemOf({
        networks: ['10.3.0.0/24', '10.3.0.0/25'].map((text) => ({ vnet: 0, prefix: Prefix.of(text) })),
      }),
      /overlap/,
    );
    assert.match(problemOf({ bootstraps: [routerKey(1), routerKey(1)] }), /bootstrap router twice/);
    assert.match(problemOf({ bootstraps: [] }), /bootstrap routers is 0/);
    assert.match(problemOf({ vnets: [1, 2].map((id) => ({ id, name: 'blue' })) }), /two vnets with one name/);
  });

  it('with more networks than a membership has room for says so', () => {
    const vnets = Array.from({ length: 8 }, (_, i) => ({ id: i + 1, name: `${i}${'v'.repeat(62)}` }));
    const networks = Array.from({ length: 16 }, (_, i) => ({
      vnet: i % 8,
      prefix: Prefix.of(`fd00:${i}::/64`),
    }));
    assert.match(problemOf({ vnets, networks }), /name fewer networks/);
  });
});

describe('A token', () => {
  it('is one line, and read as it was written', () => {
    const line = tokenLine();
    assert.match(line, /^vine1-[A-Za-z0-9_-]+$/);
    const read = decodeToken(`  ${line}\n`);
    assert.ok(typeof read !== 'string');
    assert.equal(read.grant.site, 'site-3');
    assert.deepEqual(read.oneTimeSeed, secret(3));
    assert.deepEqual(read.networkKey, NETWORK_KEY);
    assert.deepEqual(
      read.bootstraps.map(({ router }) => router),
      ['vr-a', 'vr-b', 'vr-c'],
    );
  });

  it('is known to be damaged when any character of it is another, missing or one too many', () => {
    const line = tokenLine();
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=';
    for (let at = 0; at < line.length; at++) {
      const rest = line.slice(at + 1);
      const other = alphabet[(alphabet.indexOf(line[at] ?? '') + 1 + at) % alphabet.length];
      if (other !== line[at])
        assert.equal(typeof decodeToken(line.slice(0, at) + other + rest), 'string', `${at}`);
      if (line[at] !== line[at + 1])
        assert.equal(typeof decodeToken(line.slice(0, at) + rest), 'string', `${at}`);
      assert.equal(typeof decodeToken(line.slice(0, at)), 'string', `cut at ${at}`);
    }
    assert.match(String(decodeToken(`${line}A`)), /damaged/);
    assert.match(String(decodeToken('hunter2')), /begins with "vine1-"/);
    assert.match(String(decodeToken(TOKEN_HEAD + 'A'.repeat(9_000))), /too long/);
  });

  it('whose parts do not belong together cannot be used', () => {
    assert.match(String(decodeToken(tokenLine(3, { networkSeed: secret(2) }))), /not signed by the network/);
    assert.match(String(decodeToken(tokenLine(3, { oneTimeSeed: secret(2) }))), /not that of its grant/);
  });
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function ascii(text: string): string {
  return hex(Buffer.from(text));
}
