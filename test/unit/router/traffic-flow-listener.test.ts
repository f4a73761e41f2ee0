import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { Prefix } from '../../../src/net/prefix.js';
import { FlowListener } from '../../../src/router/traffic/flow-listener.js';
import type { Endpoint, GndtConfig } from '../../../src/tables/model.js';
import { trafficCounters } from '../../../src/traffic/asking/authority.js';
import { waitFor } from '../../lab/wait.js';
import { SimClock } from '../../support/sim-clock.js';
import { ipfix, RECORD_256, set, TEMPLATE_256 } from '../traffic/collect/vectors.js';

const FLOW = ipfix(7, set(2, TEMPLATE_256), set(256, RECORD_256));
const udp = (address: string, port = 0): Endpoint => ({ transport: 'udp', address: Ip.of(address), port });

/** A site whose network is `prefix`. */
function world(t: TestContext, prefix = '10.1.0.0/24') {
  const clock = new SimClock();
  const counters = trafficCounters();
  const networks = [
    { vnet: 1, prefix: Prefix.of(prefix), router: 'vr-a', gateway: undefined, allow: undefined },
  ];
  const flows: string[] = [];
  const listener = new FlowListener({
    clock,
    gndt: { self: 'vr-a', config: { networks } as unknown as GndtConfig },
    counters,
    told: ({ flows: told }) => flows.push(...told.map(({ source }) => source.key)),
  });
  t.after(() => listener.stop());
  const count = (name: 'traffic_flow_datagrams' | `traffic_flows_dropped_${string}`): number =>
    counters.get(name);
  return { clock, listener, flows, count };
}

async function sender(t: TestContext, address: string): Promise<Socket> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  t.after(() => socket.close());
  socket.bind(0, address);
  await once(socket, 'listening');
  return socket;
}

function send(socket: Socket, { address, port }: { address: string; port: number }, times = 1): void {
  for (let i = 0; i < times; i++) socket.send(FLOW, port, address);
}

const first = <T>([one]: readonly T[]): T => one ?? assert.fail('it listens nowhere');

test('exporters are heard on both families', async (t) => {
  const { listener, flows, count } = world(t);
  assert.equal(
    await listener.start({ listen: [udp('127.0.0.1'), udp('::1')], exporters: undefined }),
    undefined,
  );
  const [four, six] = listener.addresses;
  if (four === undefined || six === undefined) assert.fail('it listens at two places');
  send(await sender(t, '127.0.0.1'), four);
  send(await sender(t, '::1'), six);
  await waitFor('both are told', () => flows.length === 2);
  assert.equal(count('traffic_flow_datagrams'), 2);
});

test('only those are heard that may: the list, or who is of this site', async (t) => {
  const { listener, flows, count } = world(t);
  const exporters = [Prefix.of('127.0.0.3')];
  await listener.start({ listen: [udp('127.0.0.1')], exporters });
  const at = first(listener.addresses);
  send(await sender(t, '127.0.0.2'), at);
  await waitFor('one is refused', () => count('traffic_flows_dropped_exporter') === 1);
  send(await sender(t, '127.0.0.3'), at);
  await waitFor('the other one is heard', () => flows.length === 1);
});

test('an exporter that says too much is heard less, the others are heard as before', async (t) => {
  const { listener, clock, count } = world(t);
  await listener.start({ listen: [udp('127.0.0.1')], exporters: undefined });
  const at = first(listener.addresses);
  const loud = await sender(t, '127.0.0.2');
  for (let i = 0; i < 41; i++) {
    send(loud, at, 100);
    await waitFor('they have come', () => heard(count) >= (i + 1) * 100);
  }
  assert.deepEqual([count('traffic_flow_datagrams'), count('traffic_flows_dropped_too-soon')], [4_000, 100]);
  send(await sender(t, '127.0.0.3'), at);
  await waitFor('the other one is heard', () => count('traffic_flow_datagrams') === 4_001);
  clock.advance(1_000);
  send(loud, at);
  await waitFor('it is heard again', () => count('traffic_flow_datagrams') === 4_002);
});

type Count = ReturnType<typeof world>['count'];
function heard(count: Count): number {
  return count('traffic_flow_datagrams') + count('traffic_flows_dropped_too-soon');
}

test('where it cannot listen is said, and nothing has changed then', async (t) => {
  const { listener } = world(t);
  await listener.start({ listen: [udp('127.0.0.1')], exporters: undefined });
  const before = first(listener.addresses);
  const taken = (await sender(t, '127.0.0.1')).address().port;
  const wanted = { listen: [udp('127.0.0.2'), udp('127.0.0.1', taken)], exporters: undefined };
  const problem = await listener.prepare(wanted, false);
  assert.equal(
    problem,
    `router.json: traffic.listen[1]: cannot listen on udp://127.0.0.1:${taken}: bind EADDRINUSE 127.0.0.1:${taken}`,
  );
  assert.deepEqual(listener.addresses, [before]);
  const lenient = await listener.prepare(wanted, true);
  if (typeof lenient === 'string') assert.fail(lenient);
  lenient.commit();
  assert.deepEqual(
    listener.addresses.map(({ address }) => address),
    ['127.0.0.2'],
  );
});

test('a reload keeps what stays, and an abandoned one leaves all as it was', async (t) => {
  const { listener, flows, count } = world(t);
  await listener.start({ listen: [udp('127.0.0.1')], exporters: undefined });
  const before = first(listener.addresses);
  const other = await listener.prepare({ listen: [udp('127.0.0.2')], exporters: undefined }, false);
  if (typeof other === 'string') assert.fail(other);
  other.abandon();
  assert.deepEqual(listener.addresses, [before]);
  const kept = await listener.prepare(
    { listen: [udp('127.0.0.1')], exporters: [Prefix.of('192.0.2.0/24')] },
    false,
  );
  if (typeof kept === 'string') assert.fail(kept);
  const socket = await sender(t, '127.0.0.1');
  send(socket, before);
  await waitFor('it is heard until then', () => flows.length === 1);
  kept.commit();
  assert.deepEqual(listener.addresses, [before]);
  send(socket, before);
  await waitFor('and not after it', () => count('traffic_flows_dropped_exporter') === 1);
  const none = await listener.prepare({ listen: [], exporters: undefined }, false);
  if (typeof none === 'string') assert.fail(none);
  none.commit();
  assert.deepEqual(listener.addresses, []);
});
