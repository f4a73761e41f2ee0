/** What a switch carries, told by sensors on it and by an exporter, is in the matrix: once, beside what the routers count. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CountersView } from '../../src/control/api.js';
import type { TrafficRowView, TrafficView } from '../../src/control/traffic-view.js';
import { projectRoot } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import { lanBridge, switchName } from '../lab/plan.js';
import { run } from '../lab/shell.js';
import { waitFor } from '../lab/wait.js';
import { ipfix, RECORD_256, set, TEMPLATE_256 } from '../unit/traffic/collect/vectors.js';
import { hostAddress, moverAddress } from './families.js';
import { readConfig, writeConfig } from './reload-support.js';
import { cannotRun, ping, withLab } from './support.js';

const PINGS = 50;
const DATA_BYTES = 100;
const ANSWER_LIMIT_MS = 60_000;
const EXPORTER_PORT = 4_739;

/** Router a hears both, from a reload on. */
async function listen(lab: Lab): Promise<{ socket: string; key: string }> {
  const daemon = lab.daemon('a');
  const [socket, key] = [join(lab.directory, 'sensors.sock'), join(lab.directory, 'sensor.key')];
  writeFileSync(key, Buffer.alloc(32, 7).toString('base64'), { mode: 0o600 });
  const traffic = {
    listen: [`udp://10.1.0.1:${EXPORTER_PORT}`],
    sensors: { listen: `unix:${socket}`, tokenFile: key },
  };
  writeConfig(daemon, 'router', { ...readConfig(daemon, 'router'), traffic });
  await lab.vinectl('a', ['reload']);
  return { socket, key };
}

/** On the switch, as on a hypervisor's bridge. */
async function startSensor(lab: Lab, name: string, socket: string, key: string): Promise<void> {
  const where = ['--interface', lanBridge, '--router', `unix:${socket}`, '--token-file', key];
  const program = [process.execPath, `${projectRoot}bin/vine-sensor`, '--name', name];
  const sensor = lab.spawn(switchName('a'), [...program, ...where]);
  let said = '';
  sensor.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await waitFor(`sensor ${name} counts`, () => said.includes('accepted; counting on'));
}

async function pings(lab: Lab, from: string, address: string): Promise<void> {
  const words = ['-q', '-n', '-c', String(PINGS), '-i', '0.02', '-s', String(DATA_BYTES)];
  await lab.exec(from, ['ping', ...words, address]);
}

async function exportFlow(lab: Lab): Promise<void> {
  const file = join(lab.directory, 'message');
  writeFileSync(file, ipfix(7, set(2, TEMPLATE_256), set(256, RECORD_256)));
  // One datagram: cat writes it at once.
  await lab.exec('a2', ['bash', '-c', `cat ${file} >/dev/udp/10.1.0.1/${EXPORTER_PORT}`]);
}

async function exactly(lab: Lab): Promise<readonly TrafficRowView[]> {
  const asking = ['traffic', '--last', '60s', '--exact', '--top', '1000', '--json'];
  const vinectl = [`${projectRoot}bin/vinectl`, '--socket', lab.daemon('b').socket];
  const { status, stdout, stderr } = await run([...vinectl, ...asking], { timeoutMs: ANSWER_LIMIT_MS });
  assert.equal(status, 0, stderr);
  const view = JSON.parse(stdout) as TrafficView;
  assert.deepEqual(view.missing, []);
  return view.parts[0]?.rows ?? [];
}

test('what stays on a LAN is counted once, by sensors and exporters', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site' }, async (lab) => {
    const { socket, key } = await listen(lab);
    // Two that see the same packets, as those of two hypervisors do.
    await startSensor(lab, 'first', socket, key);
    await startSensor(lab, 'second', socket, key);
    const [a1, a2, b1] = ['a1', 'a2', 'b1'].map((name) => hostAddress(lab, name, 4)) as [
      string,
      string,
      string,
    ];
    const vm = moverAddress(lab, 'vm', 4);
    await ping(lab, 'a1', b1);
    await pings(lab, 'a1', a2);
    await pings(lab, 'a1', moverAddress(lab, 'vm', 6));
    await exportFlow(lab);
    const rows = await exactly(lab);
    const between = (source: string, destination: string): TrafficRowView | undefined =>
      rows.find((row) => row.source === source && row.destination === destination);
    t.diagnostic(JSON.stringify(rows));

    for (const row of [between(a1, a2), between(a2, a1)])
      assert.deepEqual([row?.packets, row?.bytes], [PINGS, PINGS * (28 + DATA_BYTES)]);
    // Neighbour discovery of theirs is IPv6 too.
    for (const row of [between(a1, vm), between(vm, a1)]) {
      const [packets, bytes] = [row?.packets ?? 0, row?.bytes ?? 0];
      assert.ok(packets >= PINGS && packets <= PINGS + 10, String(packets));
      assert.ok(
        bytes >= PINGS * (48 + DATA_BYTES) && bytes <= PINGS * (48 + DATA_BYTES) + 1_000,
        String(bytes),
      );
    }
    const told = between('10.1.0.5', '10.1.0.6');
    assert.deepEqual([told?.packets, told?.bytes], [3, 300]);
    // Router a's own, of which the sensors see the same packets.
    assert.deepEqual([between(a1, b1)?.packets, between(a1, b1)?.bytes], [5, 5 * 84]);
    for (const row of [between(a1, a2), told])
      assert.deepEqual([row?.sourceSite, row?.destinationSite], [lab.siteName('a'), lab.siteName('a')]);

    const counters = await lab.daemon('a').get<CountersView>('/v1/counters');
    assert.equal(counters.traffic_sensors_accepted, 2);
    assert.ok((counters.traffic_flows_ignored_counted ?? 0) > 0, 'both sensors saw the pairs');
  }),
);
