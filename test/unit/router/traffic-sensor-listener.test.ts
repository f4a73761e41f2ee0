import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { Prefix } from '../../../src/net/prefix.js';
import { MOST_UNPROVEN_OF_ONE, SensorListener } from '../../../src/router/traffic/sensor-listener.js';
import { RouterLink } from '../../../src/sensor/router-link.js';
import type { GndtConfig } from '../../../src/tables/model.js';
import { trafficCounters } from '../../../src/traffic/asking/authority.js';
import { waitFor } from '../../lab/wait.js';
import { SimClock } from '../../support/sim-clock.js';
import { ipfix, RECORD_256, set, TEMPLATE_256 } from '../traffic/collect/vectors.js';

const FLOW = ipfix(0, set(2, TEMPLATE_256), set(256, RECORD_256));
const TOKEN = new Uint8Array(32).fill(7);
const OTHER = new Uint8Array(32).fill(8);
const NETWORKS = ['10.1.0.0/24', 'fd00:1::/64'].map((prefix) => ({ prefix: Prefix.of(prefix) }));
const CONFIG = { vnets: [{ subnet: Prefix.of('10.0.0.0/8') }], networks: NETWORKS } as unknown as GndtConfig;

function world(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'vine-sensor-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const write = (name: string, token: Uint8Array): string => {
    const file = join(directory, name);
    writeFileSync(file, `${Buffer.from(token).toString('base64')}\n`, { mode: 0o600 });
    return file;
  };
  const clock = new SimClock();
  const counters = trafficCounters();
  const told: string[] = [];
  const listener = new SensorListener({
    clock,
    gndt: { config: CONFIG },
    counters,
    told: ({ observer, flows, dropped }) =>
      void told.push(...flows.map(({ source, bytes }) => `${observer}: ${source} ${bytes}`), ...dropped),
  });
  t.after(() => listener.stop());
  const tokenFile = write('token', TOKEN);
  const listen = { path: join(directory, 'sensors') };
  return { clock, listener, told, counters, tokenFile, listen, write, directory };
}

function sensor(t: TestContext, open: () => Socket, token: Uint8Array, name = 'host-1') {
  const clock = new SimClock();
  const logged: string[] = [];
  const accepted: string[] = [];
  const link = new RouterLink({
    clock,
    connect: open,
    token,
    name,
    log: (text) => void logged.push(text),
    accepted: (links) => void accepted.push(links.join(' ')),
  });
  t.after(() => link.stop());
  link.start();
  return { clock, link, logged, accepted };
}

for (const how of ['a Unix socket', 'TCP'] as const)
  test(`a sensor with the token is heard by ${how}`, async (t) => {
    const { listener, told, counters, tokenFile, listen } = world(t);
    const tcp = { address: Ip.of('127.0.0.1'), port: 0 };
    assert.equal(await listener.start({ listen: how === 'TCP' ? tcp : listen, tokenFile }), undefined);
    const { address } = listener;
    const open = (): Socket =>
      typeof address === 'string' ? connect(address) : connect(address?.port ?? 0, '127.0.0.1');
    const { link, accepted } = sensor(t, open, TOKEN);
    assert.equal(link.send([FLOW]), false);
    await waitFor('it is accepted', () => accepted.length === 1);
    assert.deepEqual(accepted, ['10.0.0.0/8 10.1.0.0/24 fd00:1::/64']);
    assert.equal(link.send([FLOW, FLOW]), true);
    await waitFor('it is heard', () => told.length === 2);
    assert.deepEqual(told, Array(2).fill('sensor host-1 0: 10.1.0.5 300'));
    assert.deepEqual(counters.counters(), { traffic_sensor_messages: 2, traffic_sensors_accepted: 1 });
  });

test('one with another token is refused, counted, and comes again later and later', async (t) => {
  const { listener, told, counters, tokenFile, listen } = world(t);
  await listener.start({ listen, tokenFile });
  const { link, clock, logged, accepted } = sensor(t, () => connect(listen.path), OTHER);
  const problem = 'the router refuses this sensor: has it another token?';
  await waitFor('it is refused', () => logged.length === 1);
  assert.equal(link.send([FLOW]), false);
  clock.advance(999);
  assert.equal(counters.get('traffic_sensors_refused'), 1);
  clock.advance(1);
  await waitFor('it is refused again', () => logged.length === 2);
  assert.deepEqual(logged, [`${problem}; once more in 1 s`, `${problem}; once more in 2 s`]);
  assert.equal(counters.get('traffic_sensors_refused'), 2);
  assert.deepEqual([accepted, told], [[], []]);
});

test('who says something else, or nothing, is refused', async (t) => {
  const { listener, clock, counters, tokenFile, listen } = world(t);
  await listener.start({ listen, tokenFile });
  const hear = (say: string | undefined): { said: () => string } => {
    const socket = connect(listen.path);
    t.after(() => socket.destroy());
    let said = '';
    socket.setEncoding('latin1').on('data', (text) => {
      said += text;
    });
    if (say !== undefined) socket.write(say);
    return { said: () => said };
  };
  const refused = (): number => counters.get('traffic_sensors_refused');
  const wrong = hear('GET / HTTP/1.1\r\n\r\n');
  await waitFor('it is refused', () => refused() === 1 && wrong.said().endsWith('\nrefused\n'));
  hear('a'.repeat(9_000));
  await waitFor('a line without an end is refused', () => refused() === 2);
  const silent = hear(undefined);
  await waitFor('it is greeted', () => silent.said().startsWith('vine-sensor/1 '));
  clock.advance(5_000);
  await waitFor('it is refused', () => refused() === 3 && silent.said().endsWith('\nrefused\n'));
});

test('one host that opens connections and says nothing does not keep sensors out', async (t) => {
  const { listener, counters, tokenFile } = world(t);
  await listener.start({ listen: { address: Ip.of('127.0.0.1'), port: 0 }, tokenFile });
  const { address } = listener;
  if (typeof address !== 'object' || address === null) assert.fail('it listens at no port');
  const from = (localAddress: string): Socket =>
    connect({ port: address.port, host: '127.0.0.1', localAddress });
  const held = Array.from({ length: 64 }, () => from('127.0.0.2'));
  for (const socket of held) socket.on('error', () => undefined);
  t.after(() => held.forEach((socket) => void socket.destroy()));
  const refused = (): number => counters.get('traffic_sensors_refused_host');
  await waitFor('it has eight places', () => refused() === held.length - MOST_UNPROVEN_OF_ONE);
  const { accepted } = sensor(t, () => from('127.0.0.1'), TOKEN);
  await waitFor('a sensor of another host is accepted', () => accepted.length === 1);
  // Those that are accepted take no such place.
  for (let number = 0; number <= MOST_UNPROVEN_OF_ONE; number++) {
    const next = sensor(t, () => from('127.0.0.1'), TOKEN, `host-${number}`);
    await waitFor(`number ${number} is accepted, too`, () => next.accepted.length === 1);
  }
  assert.equal(refused(), held.length - MOST_UNPROVEN_OF_ONE);
});

test('what makes no sense after the greeting ends the stream, too much is left out', async (t) => {
  const { listener, told, counters, tokenFile, listen } = world(t);
  await listener.start({ listen, tokenFile });
  const { link, logged, accepted } = sensor(t, () => connect(listen.path), TOKEN);
  await waitFor('it is accepted', () => accepted.length === 1);
  link.send(Array.from({ length: 1_001 }, () => FLOW));
  await waitFor('all are heard', () => counters.get('traffic_flows_dropped_too-soon') === 1);
  assert.equal(told.length, 1_000);
  link.send([Uint8Array.of(0, 10, 0, 3)]);
  await waitFor('the stream ends', () => logged.length === 1);
  assert.equal(counters.get('traffic_flows_dropped_length'), 1);
});

test('a reload: another token ends what is connected by the old one, the same keeps it', async (t) => {
  const { listener, tokenFile, listen, write } = world(t);
  await listener.start({ listen, tokenFile });
  const { logged, accepted } = sensor(t, () => connect(listen.path), TOKEN);
  await waitFor('it is accepted', () => accepted.length === 1);
  const change = async (config: Parameters<typeof listener.prepare>[0]): Promise<void> => {
    const prepared = await listener.prepare(config, false);
    if (typeof prepared === 'string') assert.fail(prepared);
    prepared.commit();
  };
  await change({ listen, tokenFile });
  const late = sensor(t, () => connect(listen.path), TOKEN);
  await waitFor('another one is accepted', () => late.accepted.length === 1);
  assert.deepEqual(logged, []);
  await change({ listen, tokenFile: write('other', OTHER) });
  await waitFor('it is sent away', () => logged.length === 1);
  const new_ = sensor(t, () => connect(listen.path), OTHER);
  await waitFor('who has the new one is accepted', () => new_.accepted.length === 1);
  await change(undefined);
  await waitFor('nobody is heard any more', () => new_.logged.length === 1);
  assert.equal(listener.address, null);
});

test('files and places that are wrong are said by name, and change nothing', async (t) => {
  const { listener, tokenFile, listen, directory } = world(t);
  const none = join(directory, 'none');
  assert.equal(
    await listener.start({ listen, tokenFile: none }),
    `router.json: traffic.sensors.tokenFile: there is no ${none}; make one: (umask 077; vinectl genpsk > ${none})`,
  );
  const occupied = join(directory, 'file');
  writeFileSync(occupied, '');
  assert.equal(
    await listener.start({ listen: { path: occupied }, tokenFile }),
    `router.json: traffic.sensors.listen: ${occupied} exists and is not a socket: remove it or choose another traffic.sensors.listen`,
  );
  await listener.start({ listen, tokenFile });
  chmodSync(tokenFile, 0o644);
  const open = `router.json: traffic.sensors.tokenFile: ${tokenFile} is open to its group or to others (mode 0644); chmod 600 ${tokenFile}`;
  assert.equal(await listener.prepare({ listen, tokenFile }, false), open);
  assert.equal(listener.address, listen.path);
  const lenient = await listener.prepare({ listen, tokenFile }, true);
  if (typeof lenient === 'string') assert.fail(lenient);
  lenient.commit();
  assert.equal(listener.address, null);
});
