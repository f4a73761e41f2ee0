/** What is run to send a guest, from the configuration: the order, the addresses, and what is refused. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  type Commands,
  receiveCommands,
  type SendRequest,
  sendCommands,
} from '../../../src/courier/commands.js';
import { type CourierConfig, loadConfig } from '../../../src/courier/config.js';
import { readMacs, readReceive, readSend } from '../../../src/courier/control-requests.js';
import { showCommands } from '../../../src/courier/show.js';
import { TOKEN } from './couriers.js';

function configOf(t: TestContext, more: object = {}): CourierConfig {
  const directory = mkdtempSync(join(tmpdir(), 'courier-commands-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, 'token'), TOKEN);
  const path = join(directory, 'courier.json');
  const peers = { 'site-b': 'tcp:10.2.0.11:7710', 'site-c': 'tcp:10.3.0.11:7710' };
  const send = [
    { listen: 'unix:/run/to-vm1.sock', peer: 'site-b', destination: 'vm1', mac: '52:54:00:AA:00:09' },
    { listen: 'tcp:127.0.0.1:7801', peer: 'site-b', destination: 'vm2' },
    { listen: 'unix:/run/it’s here.sock', peer: 'site-c', destination: 'vm3' },
  ];
  const disks = [{ listen: 'unix:/run/disk-vm1.sock', peer: 'site-b', destination: 'vm1-disk' }];
  writeFileSync(path, JSON.stringify({ name: 'site-a', tokenFile: 'token', peers, send, disks, ...more }));
  const config = loadConfig(path);
  if ('errors' in config) throw new Error(config.errors.join('\n'));
  return config;
}

const ASKED: SendRequest = { vm: 'vm2', to: 'site-b', form: 'qmp', disks: true, nodes: [] };

function steps(commands: Commands | string): Commands['steps'] {
  if (typeof commands === 'string') throw new Error(commands);
  return commands.steps;
}

test('memory alone: QEMU waits there first, then one migration', (t) => {
  const commands = sendCommands(configOf(t), ASKED);
  assert.ok(typeof commands === 'object');
  assert.equal(
    showCommands(commands),
    `\
1. At site-b: start QEMU with the guest’s arguments, and these besides: it waits for the guest (site-b has what stands in <> in its file: "vinectl courier receive --vm vm2" prints it there)
     -S -incoming '<connect of receive.vm2>'
2. At site-a, by QMP: migrate
     {"execute":"migrate-set-capabilities","arguments":{"capabilities":[{"capability":"return-path","state":true}]}}
     {"execute":"migrate","arguments":{"uri":"tcp:127.0.0.1:7801"}}
   Then wait: query-migrate says "completed"; if it says "failed", the guest goes on here
3. At site-b, by QMP: let the guest run, when query-migrate where it comes from says "completed", and not before
     {"execute":"cont"}
`,
  );
});

test('with a disk: the mirror is ready before the memory goes, and ends while the guest stands still', (t) => {
  const all = steps(sendCommands(configOf(t), { ...ASKED, vm: 'vm1', nodes: ['root'] }));
  const names = all.map(({ at, commands }) => [
    at,
    ...commands.map((line) =>
      line.startsWith('{') ? (JSON.parse(line) as { execute: string }).execute : line.split(' ')[0],
    ),
  ]);
  assert.deepEqual(names, [
    ['site-b', '-S'],
    ['site-b', 'nbd-server-start', 'block-export-add'],
    ['site-a', 'blockdev-add', 'blockdev-mirror'],
    ['site-a', 'migrate-set-capabilities', 'migrate'],
    ['site-a', 'block-job-cancel'],
    ['site-a', 'blockdev-del'],
    ['site-b', 'block-export-del', 'nbd-server-stop'],
    ['site-a', 'migrate-continue'],
    ['site-b', 'cont'],
  ]);
  const text = all.flatMap(({ commands }) => commands).join('\n');
  for (const part of [
    '"type":"unix","path":"/run/disk-vm1.sock"',
    '"export":"vm1-disk"',
    '"device":"root"',
    '"uri":"unix:/run/to-vm1.sock"',
    '"pause-before-switchover"',
    '<path of connect of receiveDisks.vm1-disk>',
  ])
    assert.ok(text.includes(part), part);
  const without = steps(sendCommands(configOf(t), { ...ASKED, vm: 'vm1', disks: false }));
  assert.deepEqual(
    without.map(({ at }) => at),
    ['site-b', 'site-a', 'site-b'],
  );
});

test('virsh: one address at both ends, quoted for a shell; a disk is refused', (t) => {
  const config = configOf(t);
  const virsh = { ...ASKED, form: 'virsh' } as const;
  const [there, here] = steps(sendCommands(config, virsh));
  assert.match(there?.what ?? '', /receive\.vm2 .* "connect": "tcp:127\.0\.0\.1:7801"/);
  assert.deepEqual(here?.commands, [
    "virsh migrate --live --domain vm2 --desturi 'qemu+ssh://<host at site-b>/system' --migrateuri tcp://127.0.0.1:7801 --listen-address 127.0.0.1",
  ]);
  const [, odd] = steps(sendCommands(config, { ...virsh, vm: 'vm3', to: 'site-c' }));
  assert.match(odd?.commands[0] ?? '', /--migrateuri unix:\/\/\/run\/it%E2%80%99s%20here\.sock$/);
  assert.match(String(sendCommands(config, { ...virsh, vm: 'vm1' })), /vm1-disk.*--no-disk/);
  assert.match(
    steps(sendCommands(config, { ...virsh, vm: 'vm1', disks: false }))[1]?.commands[0] ?? '',
    /unix:\/\/\/run\/to-vm1\.sock$/,
  );
});

test('where it arrives: the addresses of its own file', (t) => {
  const receiveDisks = {
    'vm1-disk': { connect: 'unix:/run/nbd-vm1.sock', export: 'disk' },
    vm2: { connect: 'tcp:[::1]:10809' },
  };
  const receive = { vm1: { connect: 'unix:/run/for vm1.sock' }, vm2: { connect: 'tcp:127.0.0.1:4444' } };
  const config = configOf(t, { listen: 'tcp:10.2.0.11:7710', receive, receiveDisks });
  const asked = { vm: 'vm1', disks: true, nodes: [] };
  const [waits, offers, closes] = steps(receiveCommands(config, asked));
  assert.deepEqual(waits?.commands, ["-S -incoming 'unix:/run/for vm1.sock'"]);
  assert.doesNotMatch(waits?.what ?? '', /<>/);
  assert.deepEqual(
    offers?.commands.map((line) => JSON.parse(line).arguments),
    [
      { addr: { type: 'unix', data: { path: '/run/nbd-vm1.sock' } } },
      { type: 'nbd', id: 'courier-export0', 'node-name': 'disk0', name: 'disk', writable: true },
    ],
  );
  assert.deepEqual(
    closes?.commands.map((line) => JSON.parse(line).execute),
    ['block-export-del', 'nbd-server-stop'],
  );
  const [, tcp] = steps(receiveCommands(config, { ...asked, vm: 'vm2' }));
  assert.deepEqual(JSON.parse(tcp?.commands[0] ?? '').arguments, {
    addr: { type: 'inet', data: { host: '::1', port: '10809' } },
  });
  assert.equal(receiveCommands(config, { ...asked, vm: 'vm9' }), '"receive" has no vm9; there is vm1, vm2');
});

test('a guest or a courier that is not there: what there is', (t) => {
  const config = configOf(t);
  for (const [asked, said] of [
    [{ vm: 'vm9' }, 'no entry of "send" has the destination vm9; there is vm1, vm2, vm3'],
    [{ to: 'site-x' }, 'site-a has no peer site-x; there is site-b, site-c'],
    [{ vm: 'vm3' }, 'no entry of "send" takes vm3 to site-b; there is site-c'],
  ] as const)
    assert.equal(sendCommands(config, { ...ASKED, ...asked }), said);
});

test('what is asked with parameters is read strictly', () => {
  const send = (query: string): unknown => readSend(new URLSearchParams(query));
  assert.deepEqual(send('vm=vm1&to=site-b&form=virsh&disks=no&node=a&node=b'), {
    ...{ vm: 'vm1', to: 'site-b', form: 'virsh', disks: false, nodes: ['a', 'b'] },
  });
  assert.deepEqual(readReceive(new URLSearchParams('vm=vm1')), { vm: 'vm1', disks: true, nodes: [] });
  for (const [query, error] of [
    ['to=site-b', /^vm: is missing$/],
    ['vm=vm1', /^to: is missing$/],
    ['vm=vm1&vm=vm2&to=b', /^vm is there twice$/],
    ['vm=%1b[2J&to=b', /^vm: no name/],
    ['vm=a&to=b&form=xml', /^form: /],
    ['vm=a&to=b&node=9', /^node\.0: no name of a node/],
    ['vm=a&to=b&more=1', /more/],
  ] as const)
    assert.match((send(query) as { error: string }).error, error, query);
  assert.deepEqual(readMacs('{"vm":"vm1","to":"b","macs":["52:54:00:AA:00:09"]}'), {
    ...{ vm: 'vm1', to: 'b', macs: ['52:54:00:aa:00:09'] },
  });
  for (const [body, error] of [
    ['{', /^not JSON$/],
    ['{"vm":"vm1","to":"b","macs":["52:54"]}', /^macs/],
    [`{"vm":"vm1","to":"b","macs":${JSON.stringify(new Array(17).fill('52:54:00:00:00:01'))}}`, /^macs/],
    ['{"vm":"vm1","to":"b"}', /^macs/],
  ] as const)
    assert.match((readMacs(body) as { error: string }).error, error, body);
});

test('a MAC in the file: one or several, written as all are', (t) => {
  const [route] = configOf(t).send;
  assert.deepEqual(route?.mac, ['52:54:00:aa:00:09']);
  const send = [{ listen: 'unix:/run/x.sock', peer: 'site-b', destination: 'vm', mac: '52-54' }];
  assert.throws(() => configOf(t, { send }), /send\[0\]\.mac\[0\]: expected a MAC address/);
});
