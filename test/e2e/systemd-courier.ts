/** `vine-courier.service` on two gateways that are booted: what goes in at one comes out at the other. */
import assert from 'node:assert/strict';
import type { Machine } from '../lab/machine/machine.js';
import { waitFor } from '../lab/wait.js';
import { exposure, Service } from './systemd-support.js';

const node = '/usr/lib/vine-router/bin/node';
const limitMs = 30_000;
const token = 'a-secret-of-thirty-two-characters-or-more';
/** vine-courier(8): wrong configuration. */
const badConfiguration = '78';
const inbox = '/run/vine-courier/inbox.sock';
const outbox = '/run/vine-courier/outbox.sock';
const port = 7710;
/** As the lab numbers its gateways on the WAN. */
const [addressA, addressB] = ['192.0.2.1', '192.0.2.2'];

/** Stands for a hypervisor that waits: what comes is in a file, and the end of it is said. */
const waits = `require('node:net').createServer({ allowHalfOpen: true }, (socket) =>
    socket.pipe(require('node:fs').createWriteStream('/tmp/came'))
      .on('finish', () => { require('node:fs').writeFileSync('/tmp/whole', ''); socket.end(); process.exit(0); }))
  .listen('${inbox}', () => require('node:fs').chmodSync('${inbox}', 0o666))`;
/** And for one that migrates away. */
const sends = `const socket = require('node:net').connect('${outbox}');
  require('node:fs').createReadStream('/tmp/went').pipe(socket);
  socket.on('close', () => process.exit(0)).resume()`;

async function configure(machine: Machine, configuration: object): Promise<Service> {
  const file = JSON.stringify({ tokenFile: 'courier.token', ...configuration });
  await machine.sh(`cd /etc/vine-courier && echo '${file}' >courier.json && echo ${token} >courier.token
    chown root:vine-courier courier.json courier.token && chmod 640 courier.json courier.token`);
  const courier = new Service(machine, 'vine-courier');
  const enabled = await machine.attempt('systemctl is-enabled vine-courier');
  assert.notEqual(enabled.status, 0, 'it is enabled by itself');
  await machine.sh('systemctl enable --quiet --now vine-courier');
  await answers(machine);
  return courier;
}

async function answers(machine: Machine): Promise<void> {
  const seen = async (): Promise<boolean> =>
    (await machine.attempt('vine-courier status --json')).status === 0;
  await waitFor(`the courier of ${machine.name} answers`, seen, limitMs);
}

/** Twice: the second time there is little to send. What is no stream of a hypervisor's passes as it is. */
export async function couriersCarry(a: Machine, b: Machine): Promise<void> {
  await configure(b, {
    name: 'site-b',
    listen: `tcp:${addressB}:${port}`,
    peers: { 'site-a': `tcp:${addressA}:${port}` },
    receive: { vm1: { connect: `unix:${inbox}` } },
    store: { memoryMb: 16, diskMb: 64 },
  });
  await configure(a, {
    name: 'site-a',
    peers: { 'site-b': `tcp:${addressB}:${port}` },
    send: [{ listen: `unix:${outbox}`, peer: 'site-b', destination: 'vm1' }],
  });
  await b.sh(`systemd-run --quiet --unit=waits ${node} -e "${waits.replace(/\s+/g, ' ')}"`);
  await waitFor('somebody waits', async () => (await b.attempt(`test -S ${inbox}`)).status === 0, limitMs);
  await a.sh(`head -c 3000000 /dev/urandom >/tmp/went; ${node} -e "${sends.replace(/\s+/g, ' ')}"`);
  await waitFor('all has come', async () => (await b.attempt('test -e /tmp/whole')).status === 0, limitMs);
  const sum = async (machine: Machine, file: string): Promise<string | undefined> =>
    (await machine.sh(`sha256sum ${file}`)).split(' ')[0];
  assert.equal(await sum(b, '/tmp/came'), await sum(a, '/tmp/went'));
  for (const machine of [a, b]) {
    const [job] = JSON.parse(await machine.sh('vine-courier jobs --json')) as {
      readonly identical: boolean;
    }[];
    assert.equal(job?.identical, true);
  }
}

/** What it may do, a kill, the end, and a file that is wrong. */
export async function courierLives(machine: Machine, mostExposure: number): Promise<void> {
  const courier = new Service(machine, 'vine-courier');
  const status = await machine.sh(`cat /proc/${await courier.pid()}/status`);
  for (const set of ['CapEff', 'CapPrm', 'CapBnd'])
    assert.match(status, new RegExp(`^${set}:\\s*0{16}$`, 'm'), set);
  assert.match(status, /^Seccomp:\s*2$/m, 'no filter of system calls');
  assert.match(status, new RegExp(`^Uid:\\s*${(await machine.sh('id --user vine-courier')).trim()}\\b`, 'm'));
  const level = await exposure(courier);
  assert.ok(level <= mostExposure, `exposure ${level}`);

  await machine.sh(`kill -9 ${await courier.pid()}`);
  await courier.until('NRestarts', '1', limitMs);
  await answers(machine);

  await machine.sh('systemctl stop vine-courier');
  assert.deepEqual(
    [await courier.property('Result'), await courier.property('ExecMainStatus')],
    ['success', '0'],
  );
  assert.notEqual((await machine.attempt('vine-courier status')).status, 0);

  await machine.sh('mv /etc/vine-courier/courier.token /tmp/ && systemctl start vine-courier');
  await courier.until('ActiveState', 'failed', limitMs);
  assert.equal(await courier.property('ExecMainStatus'), badConfiguration);
  assert.match(await machine.sh('journalctl --unit=vine-courier --no-pager --output=cat'), /courier\.token/);
  await machine.sh(`mv /tmp/courier.token /etc/vine-courier/ && systemctl reset-failed vine-courier
    systemctl start vine-courier`);
  await answers(machine);
}
