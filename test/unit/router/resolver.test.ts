/** The system's resolver as the tunnel sees it, and which addresses a machine must not send its datagrams to. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NameLookupAddon } from '../../../src/dataplane/name-lookup.js';
import { Ip } from '../../../src/net/ip.js';
import { Prefix } from '../../../src/net/prefix.js';
import { Resolver } from '../../../src/router/machine/resolver.js';
import type { LookupAnswer } from '../../../src/tunnel/names/names.js';
import { SimClock } from '../../support/sim-clock.js';

type Done = Parameters<NameLookupAddon['lookUpName']>[1];

function resolverOf(lookUpName: NameLookupAddon['lookUpName']) {
  const clock = new SimClock();
  const network = Prefix.of('10.2.0.0/24');
  const resolver = new Resolver({
    addon: { lookUpName },
    clock,
    overlayRoute: (ip) => (ip.family === 4 && network.contains(ip) ? network : undefined),
    held: () => [
      { interface: 'wan0', address: '192.0.2.1' },
      { interface: 'wan0', address: '2001:db8:0:0::1' },
    ],
  });
  return { clock, resolver };
}

test('addresses become values, errors words', () => {
  const asked: [string, Done][] = [];
  const { resolver } = resolverOf((name, done) => {
    asked.push([name, done]);
    return { close: () => {} };
  });
  const answers: LookupAnswer[] = [];
  for (let i = 0; i < 3; i++) resolver.lookUp(`n${i}.test`, (answer) => answers.push(answer));
  const dones = asked.map(([, done]) => done);
  dones[0]?.('', [Ip.of('192.0.2.2').toBytes(), Ip.of('2001:db8::2').toBytes()]);
  dones[1]?.('EAI_AGAIN', []);
  dones[2]?.('EAI_OTHER', []);
  assert.deepEqual(
    asked.map(([name]) => name),
    ['n0.test', 'n1.test', 'n2.test'],
  );
  assert.deepEqual(answers, [
    { addresses: [Ip.of('192.0.2.2'), Ip.of('2001:db8::2')] },
    { problem: 'no name server answers' },
    { problem: 'EAI_OTHER' },
  ]);
});

test('one that cannot even begin is answered, and later', () => {
  const { clock, resolver } = resolverOf(() => {
    throw new Error('cannot look up a name: EAGAIN');
  });
  const answers: LookupAnswer[] = [];
  resolver.lookUp('b.test', (answer) => answers.push(answer));
  assert.deepEqual(answers, []);
  clock.advance(0);
  assert.deepEqual(answers, [{ problem: 'cannot look up a name: EAGAIN' }]);
});

test('at the end nobody waits for what is under way', () => {
  const closed: string[] = [];
  const { resolver } = resolverOf((name) => ({ close: () => closed.push(name) }));
  resolver.lookUp('b.test', () => assert.fail('answered'));
  resolver.stop();
  resolver.stop();
  assert.deepEqual(closed, ['b.test']);
});

test('own addresses, however written, and what the overlay would catch', () => {
  const { resolver } = resolverOf(() => ({ close: () => {} }));
  const why = (text: string): string | undefined => resolver.unusable(Ip.of(text));
  assert.equal(why('192.0.2.1'), "is this machine's own, on wan0");
  assert.equal(why('2001:db8::1'), "is this machine's own, on wan0");
  assert.equal(why('10.2.0.9'), 'lies in 10.2.0.0/24, which this machine reaches through the overlay');
  assert.equal(why('192.0.2.2'), undefined);
  assert.equal(why('2001:db8::2'), undefined);
});
