/** Routers that are reached by host names: a resolver that is slow, wrong, or silent, and answers that change. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ip } from '../../src/net/ip.js';
import type { GndtConfig, NamedEndpoint, RouterEndpoint, RouterEntry } from '../../src/tables/model.js';
import type { TunnelOptions } from '../../src/tunnel/tunnel.js';
import { SimResolver } from './sim-resolver.js';
import { type SimRouter, World } from './tunnel-world.js';

const A = '192.0.2.1';
const B = '192.0.2.2';
const C = '192.0.2.3';
const NAME = 'vr-b.example.net';
const named = (name = NAME, transport: 'udp' | 'tcp' = 'udp'): NamedEndpoint => ({
  transport,
  name,
  port: 7700,
});

interface Setting {
  readonly world: World;
  readonly resolver: SimResolver;
  /** vr-a knows vr-b by these alone; vr-b knows no endpoint of vr-a, and waits for its call. */
  readonly gndt: GndtConfig;
}

function setting(
  endpoints: readonly RouterEndpoint[] = [named()],
  routers = ['vr-a', 'vr-b', 'vr-c'],
): Setting {
  const world = new World({ routers, withoutEndpoint: ['vr-a'], tcp: ['vr-b'] });
  const resolver = new SimResolver(world.clock);
  world.resolver = resolver;
  return { world, resolver, gndt: withB(world.gndt, endpoints) };
}

function withB(gndt: GndtConfig, endpoints: readonly RouterEndpoint[]): GndtConfig {
  const routers = gndt.routers
    .filter(({ id }) => id === 'vr-a' || id === 'vr-b')
    .map((entry) => (entry.id === 'vr-b' ? { ...entry, endpoints } : entry));
  return { ...gndt, routers };
}

const startA = ({ world, gndt }: Setting, options: Partial<TunnelOptions> = {}): SimRouter =>
  world.start('vr-a', { gndt, ...options });
const isUp = (a: SimRouter): boolean => a.stateOf('vr-b') === 'up';
const eventsOf = (a: SimRouter, kind: string) => a.events.filter(({ event }) => event === kind);
const callsTo = ({ world }: Setting, ip: string): number =>
  world.sent.filter(
    ({ to, from, bytes }) => to.address.join('.') === ip && from.address.join('.') === A && bytes[0] === 1,
  ).length;

test('a router is reached by its name, and shown with it', () => {
  const all = setting();
  const { world, resolver } = all;
  resolver.says.set(NAME, [B]);
  world.start('vr-b');
  const a = startA(all);
  const [before] = a.tunnel.peers();
  assert.deepEqual([before?.state, before?.reason], ['down', `${NAME} is not resolved yet`]);
  // A greeting that overtakes the handshake is said again after 200 ms.
  world.until('up', () => isUp(a), 500);
  const [peer] = a.tunnel.peers();
  assert.equal(peer?.nameInUse, NAME);
  assert.equal(peer?.endpoint?.address.key, B);
  assert.deepEqual(
    peer?.names.map(({ name, addresses, problem }) => [name, addresses.map(String), problem]),
    [[NAME, [B], '']],
  );
  world.clock.advance(59_000);
  assert.equal(resolver.lookups, 1);
  world.clock.advance(2_000);
  assert.equal(resolver.lookups, 2);
});

test('both families are tried: with the first one dead the second one is called 250 ms later', () => {
  const all = setting();
  const { world, resolver } = all;
  resolver.says.set(NAME, ['2001:db8:dead::1', '2001:db8:dead::2', B]);
  world.start('vr-b');
  const a = startA(all);
  const tookMs = world.until('up', () => isUp(a), 5_000);
  assert.ok(tookMs < 750, `${tookMs} ms`);
});

test('a slow resolver delays one peer and nothing else', () => {
  const all = setting();
  const { world, resolver } = all;
  resolver.says.set(NAME, [B]);
  resolver.delayMs = 12_000;
  const { gndt } = all;
  const c = world.gndt.routers.find(({ id }) => id === 'vr-c');
  assert.ok(c);
  world.start('vr-b');
  // It does not know vr-b, and cannot tell where that is.
  world.start('vr-c', {
    gndt: { ...world.gndt, routers: world.gndt.routers.filter(({ id }) => id !== 'vr-b') },
  });
  const a = startA({ ...all, gndt: { ...gndt, routers: [...gndt.routers, c] } });
  world.until('c is up', () => a.stateOf('vr-c') === 'up', 1_000);
  const tookMs = world.until('b is up', () => isUp(a), 13_000);
  assert.ok(tookMs > 11_000);
  assert.equal(eventsOf(a, 'name_unresolved').length, 0);
});

test('a resolver that never answers is told once, and used as soon as it does', () => {
  const all = setting();
  const { world, resolver } = all;
  resolver.says.set(NAME, [B]);
  resolver.silent = true;
  world.start('vr-b');
  const a = startA(all);
  world.clock.advance(3_600_000);
  assert.equal(resolver.lookups, 1, 'a look-up that has not ended was begun again');
  assert.equal(eventsOf(a, 'name_unresolved').length, 1);
  assert.equal(a.reasonFor('vr-b'), `${NAME} is not resolved: the resolver has not answered for 15 s`);
  resolver.speak();
  world.until('up', () => isUp(a), 1_000);
});

test('a start without DNS uses what was resolved before', () => {
  const all = setting();
  const { world, resolver } = all;
  resolver.says.set(NAME, [B]);
  const b = world.start('vr-b');
  const a = startA(all);
  world.until('up', () => isUp(a), 1_000);
  world.kill(a);
  resolver.silent = true;
  const again = world.restart(a);
  const tookMs = world.until('up again', () => isUp(again) && b.stateOf('vr-a') === 'up', 1_000);
  assert.ok(tookMs < 500, `${tookMs} ms`);
  const [peer] = again.tunnel.peers();
  assert.deepEqual([peer?.names[0]?.isKept, peer?.nameInUse], [true, NAME]);
  resolver.speak();
  world.clock.advance(10);
  assert.equal(again.tunnel.peers()[0]?.names[0]?.isKept, false);
});

test('what was remembered and has become an own address is not called', () => {
  const all = setting();
  const { world, resolver } = all;
  resolver.problem = 'no name server answers';
  resolver.own.add(B);
  const kept = { name: NAME, addresses: [], resolvedWallMs: 0 };
  const a = startA(all, {
    keptName: () => ({ ...kept, addresses: [ipOf(B)] }),
  });
  world.clock.advance(30_000);
  assert.equal(callsTo(all, B), 0);
  assert.equal(a.reasonFor('vr-b'), `${NAME} is not resolved: no name server answers`);
});

test('an answer that changes does not tear a session; when the session ends, the new one is called', () => {
  const all = setting();
  const { world, resolver } = all;
  resolver.says.set(NAME, [B]);
  world.start('vr-b');
  const a = startA(all);
  world.until('up', () => isUp(a), 1_000);
  const handshake = a.tunnel.peers()[0]?.lastHandshakeWallMs;
  resolver.says.set(NAME, [C]);
  world.clock.advance(90_000);
  const [peer] = a.tunnel.peers();
  assert.deepEqual([a.changes, peer?.endpoint?.address.key, peer?.nameInUse], [['up vr-b'], B, undefined]);
  assert.equal(peer?.lastHandshakeWallMs, handshake);
  assert.equal(callsTo(all, C), 0, 'nobody is called while the session is well');
  assert.equal(eventsOf(a, 'name_changed').length, 1);
});

test('the address behind a name changes: the session goes on by the new one in seconds', () => {
  const all = setting();
  const { world, resolver } = all;
  resolver.says.set(NAME, [B]);
  world.start('vr-b');
  const a = startA(all);
  world.until('up', () => isUp(a), 1_000);
  world.clock.advance(20_000);
  // vr-b is behind 192.0.2.3 from now on: what goes to the old address is lost, and it does not speak first.
  const moved = ipOf(C).toBytes();
  world.cut = ({ to, from }) => to.address.join('.') === B || from.address.join('.') === B;
  let answered = 0;
  const send = world.send.bind(world);
  const b = ipOf(B).toBytes();
  world.send = (datagram) => {
    const { from, to } = datagram;
    if (to.address.join('.') === C) {
      answered++;
      world.replay({ ...datagram, to: { ...to, address: b } });
    } else if (from.address.join('.') === B && answered > 0)
      world.replay({ ...datagram, from: { ...from, address: moved } });
    else send(datagram);
  };
  resolver.says.set(NAME, [C]);
  const tookMs = world.until(
    'by the new address',
    () => a.tunnel.peers()[0]?.endpoint?.address.key === C,
    12_000,
  );
  assert.ok(tookMs < 8_000, `${tookMs} ms`);
  assert.deepEqual(a.changes, ['up vr-b'], 'the session was torn');
  assert.equal(a.tunnel.peers()[0]?.nameInUse, NAME);
});

test('a resolver that names another router: calls in vain, and nobody is trusted', () => {
  const all = setting();
  const { world, resolver } = all;
  resolver.says.set(NAME, [C]);
  const b = world.start('vr-b');
  const c = world.start('vr-c');
  const a = startA(all);
  world.clock.advance(120_000);
  assert.notEqual(a.stateOf('vr-b'), 'up');
  assert.equal(c.stateOf('vr-a'), 'down');
  assert.deepEqual([a.changes, b.changes.includes('up vr-a'), a.installedSessions], [[], false, 0]);
  assert.ok(c.count('handshake_drop_bad_mac1') > 0);
  resolver.says.set(NAME, [B]);
  const tookMs = world.until('the truth helps', () => isUp(a), 12_000);
  assert.ok(tookMs < 11_000, `${tookMs} ms`);
});

test('a resolver whose answers never rest makes hardly more calls than an honest one', () => {
  const calls = (lie: boolean): number => {
    const all = setting();
    const { world, resolver } = all;
    resolver.says.set(NAME, ['198.51.100.1']);
    const a = startA(all);
    for (let i = 0; i < 120; i++) {
      if (lie)
        resolver.says.set(
          NAME,
          Array.from({ length: 64 }, (_, n) => `198.51.${100 + (i % 100)}.${n + 1}`),
        );
      world.clock.advance(5_000);
    }
    assert.equal(eventsOf(a, 'peer_unanswered').length, 1, 'it was forgotten that nobody answers');
    return a.count('handshake_initiations_sent');
  };
  const [honest, lying] = [calls(false), calls(true)];
  assert.ok(lying < 2 * honest, `${lying} calls, and ${honest} with an honest one`);
});

test('unusable addresses are not called: own, loopback, multicast, unspecified', () => {
  const all = setting();
  const { world, resolver } = all;
  resolver.own.add(A);
  resolver.says.set(NAME, [A, '127.0.0.1', '224.0.0.1', '0.0.0.0', '255.255.255.255']);
  const a = startA(all);
  world.clock.advance(60_000);
  assert.equal(world.sent.length, 0);
  assert.equal(eventsOf(a, 'name_address_skipped').length, 5);
  assert.equal(a.reasonFor('vr-b'), `${NAME} is not resolved: its address ${A} is this machine's own`);
});

test('by TCP too: a name among tcp:// endpoints is dialled when UDP does not do', () => {
  const all = setting([named(), named(NAME, 'tcp')]);
  all.world.cut = () => true;
  const { world, resolver } = all;
  resolver.says.set(NAME, [B]);
  world.start('vr-b');
  const a = startA(all);
  world.until('up', () => isUp(a), 5_000);
  const [peer] = a.tunnel.peers();
  assert.deepEqual([peer?.transport, peer?.nameInUse, peer?.names.length], ['tcp', NAME, 1]);
  assert.equal(resolver.lookups, 1);
});

function reload(a: SimRouter, endpoints: readonly RouterEndpoint[]): void {
  const others: readonly RouterEntry[] = withB(a.gndt, endpoints).routers.filter(({ id }) => id !== 'vr-a');
  const plan = a.tunnel.planPeers(others);
  if (typeof plan === 'string') throw new Error(plan);
  a.tunnel.reconfigure(plan, new Uint8Array(32), () => 1, 0);
}

test('a reload adds a name, changes it and takes it away; the session goes on', () => {
  const all = setting([{ transport: 'udp', address: ipOf(B), port: 7700 }]);
  const { world, resolver } = all;
  resolver.says.set(NAME, [B]).set('other.example.net', [B, C]);
  world.start('vr-b');
  const a = startA(all);
  world.until('up', () => isUp(a), 1_000);
  assert.equal(resolver.lookups, 0);
  for (const [name, addresses] of [
    [NAME, [B]],
    ['other.example.net', [B, C]],
  ] as const) {
    reload(a, [named(name)]);
    world.clock.advance(1_000);
    const [peer] = a.tunnel.peers();
    assert.deepEqual(peer?.names[0]?.addresses.map(String), addresses);
    assert.equal(peer?.nameInUse, name);
  }
  reload(a, []);
  const { lookups } = resolver;
  world.clock.advance(100_000);
  assert.equal(resolver.lookups, lookups, 'a name that is gone is looked up');
  assert.deepEqual([a.tunnel.peers()[0]?.names, a.changes], [[], ['up vr-b']]);
  assert.ok(a.sendPacket(1));
});

test('a peer that comes with a reload, by a name that resolves later', () => {
  const all = setting();
  const { world, resolver, gndt } = all;
  world.start('vr-b');
  const alone = { ...gndt, routers: gndt.routers.filter(({ id }) => id === 'vr-a') };
  const a = startA({ ...all, gndt: alone });
  const plan = a.tunnel.planPeers(gndt.routers.filter(({ id }) => id === 'vr-b'));
  if (typeof plan === 'string') throw new Error(plan);
  a.tunnel.reconfigure(plan, new Uint8Array(32), () => 1, 0);
  world.clock.advance(20_000);
  assert.equal(a.stateOf('vr-b'), 'down');
  resolver.says.set(NAME, [B]);
  const tookMs = world.until('up', () => isUp(a), 6_000);
  assert.ok(tookMs < 5_600, `${tookMs} ms`);
});

test('a thousand names: at most eight look-ups at a time, and all in a minute', () => {
  const all = setting([named()], ['vr-a', 'vr-b']);
  const { world, resolver, gndt } = all;
  resolver.delayMs = 100;
  const b = gndt.routers.find(({ id }) => id === 'vr-b');
  assert.ok(b);
  const endpoints = Array.from({ length: 1_000 }, (_, i) => named(`n${i}.example.net`));
  const a = startA({ ...all, gndt: withB(gndt, endpoints) });
  world.clock.advance(30_000);
  assert.equal(resolver.asked.size, 1_000);
  assert.ok(resolver.lookups <= 8 * 300 + 8, `${resolver.lookups} look-ups`);
  const underWay = resolver.lookups - a.count('resolver_failures');
  assert.ok(underWay <= 8, `${underWay} at a time`);
});

function ipOf(text: string): Ip {
  return Ip.of(text);
}
