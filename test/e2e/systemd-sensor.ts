/** `vine-sensor.service` on a gateway that is booted, beside its router. */
import assert from 'node:assert/strict';
import type { CountersView } from '../../src/control/api.js';
import type { TrafficView } from '../../src/control/traffic-view.js';
import type { Lab } from '../lab/lab.js';
import { waitFor } from '../lab/wait.js';
import { exposure, Service } from './systemd-support.js';

const socket = '/run/vine/sensor.sock';
const restartLimitMs = 30_000;
/** vine-sensor(8): the key cannot be used. */
const badKey = '78';

interface Talk {
  readonly from: string;
  readonly source: string;
  /** Nobody's: the switch does not know where it is, so that what is for it comes to the gateway's port too. */
  readonly destination: string;
}

/** As docs/operating.md has it for a gateway machine: what is on its LAN, and not the router's own, is in the router's matrix. */
export async function sensorCounts(
  router: Service,
  lab: Lab,
  { from, source, destination }: Talk,
): Promise<void> {
  const { machine } = router;
  const sensor = new Service(machine, 'vine-sensor');
  await machine.sh(`vinectl genpsk >/etc/vine/sensor.key && chown vine /etc/vine/sensor.key && chmod 600 /etc/vine/sensor.key
    sed -i '1s|{|{"traffic":{"sensors":{"listen":"unix:${socket}","tokenFile":"sensor.key"}},|' /etc/vine/router.json
    systemctl reload vined
    echo 'SENSOR_OPTIONS=--interface lan0 --router unix:${socket}' >/etc/vine/sensor.env`);
  assert.notEqual(
    (await machine.attempt('systemctl is-enabled vine-sensor')).status,
    0,
    'it is enabled by itself',
  );
  await machine.sh('systemctl enable --quiet --now vine-sensor');
  await accepted(router, sensor, 1);
  await lab.exec(from, ['ip', 'neigh', 'replace', destination, 'lladdr', '02:00:00:00:77:77', 'dev', 'eth0']);
  await lab.attempt(from, ['ping', '-c', '3', '-i', '0.2', '-W', '1', destination]);
  await waitFor(
    'what the LAN carries is in the matrix',
    async () => {
      const view = JSON.parse(await machine.sh('vinectl --json traffic --last 60s --exact')) as TrafficView;
      return view.parts.some(({ rows }) =>
        rows.some((row) => row.source === source && row.destination === destination),
      );
    },
    90_000,
  );
  assert.equal(await sensor.property('NRestarts'), '0');
}

async function accepted(router: Service, sensor: Service, times: number): Promise<void> {
  const counters = async (): Promise<CountersView> =>
    JSON.parse(await router.machine.sh('vinectl --json counters')) as CountersView;
  const seen = async (): Promise<boolean> => ((await counters()).traffic_sensors_accepted ?? 0) >= times;
  await waitFor(`the sensor of ${sensor.machine.name} is accepted`, seen, restartLimitMs);
}

/** What it may do, a kill, a key that others can read, and the end. */
export async function sensorLives(router: Service, mostExposure: number): Promise<void> {
  const { machine } = router;
  const sensor = new Service(machine, 'vine-sensor');
  const status = await machine.sh(`cat /proc/${await sensor.pid()}/status`);
  // CAP_NET_RAW (capability.h).
  for (const set of ['CapEff', 'CapPrm', 'CapBnd'])
    assert.match(status, new RegExp(`^${set}:\\s*0000000000002000$`, 'm'));
  assert.match(status, /^Seccomp:\s*2$/m, 'no filter of system calls');
  const level = await exposure(sensor);
  assert.ok(level <= mostExposure, `exposure ${level}`);

  await machine.sh(`kill -9 ${await sensor.pid()}`);
  await sensor.until('NRestarts', '1', restartLimitMs);
  await accepted(router, sensor, 2);

  await machine.sh('systemctl stop vine-sensor');
  assert.deepEqual(
    [await sensor.property('Result'), await sensor.property('ExecMainStatus')],
    ['success', '0'],
  );

  await machine.sh('chmod 644 /etc/vine/sensor.key && systemctl start vine-sensor');
  await sensor.until('ActiveState', 'failed', restartLimitMs);
  assert.equal(await sensor.property('ExecMainStatus'), badKey);
  const said = await machine.sh('journalctl --unit=vine-sensor --no-pager --output=cat');
  assert.match(said, /sensor\.key/);
  await machine.sh(
    'chmod 600 /etc/vine/sensor.key; systemctl reset-failed vine-sensor; systemctl start vine-sensor',
  );
  await accepted(router, sensor, 3);
}
