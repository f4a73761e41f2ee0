/** Bad configurations end `vined` with status 78 before anything is touched; bad frames and datagrams are only counted. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { generatePrivateKey, publicKeyOf } from '../../src/config/keys.js';
import { cannotRun, ping, withLab } from './support.js';

const vined = join(import.meta.dirname, '../../../bin/vined');
const temporary = mkdtempSync(join(tmpdir(), 'vine-bad-input-'));
after(() => rmSync(temporary, { recursive: true, force: true }));

const key = generatePrivateKey();
const publicKey = publicKeyOf(key);
const otherPublicKey = publicKeyOf(generatePrivateKey());

interface Files {
  router: Record<string, unknown>;
  gndt: Record<string, unknown>;
  lndt: Record<string, unknown>;
  /** In the place of gndt.json's text. */
  gndtText?: string;
}

function goodFiles(directory: string): Files {
  return {
    router: {
      id: 'vr-a',
      privateKeyFile: 'router.key',
      listen: ['udp://127.0.0.1:0'],
      lans: [{ interface: 'lo', vnet: 'blue' }],
      control: { socket: join(directory, 'control.sock'), group: 'root' },
      stateDir: join(directory, 'state'),
    },
    gndt: {
      vnets: [{ name: 'blue', id: 1 }],
      routers: [
        { id: 'vr-a', publicKey, endpoints: ['udp://192.0.2.1:7700'] },
        { id: 'vr-b', publicKey: otherPublicKey, endpoints: ['udp://192.0.2.2:7700'] },
      ],
      networks: [
        { vnet: 'blue', prefix: '10.1.0.0/24', router: 'vr-a' },
        { vnet: 'blue', prefix: '10.2.0.0/24', router: 'vr-b' },
      ],
    },
    lndt: { nodes: [{ vnet: 'blue', ip: '10.1.0.0/24' }] },
  };
}

function run(
  name: string,
  change: (files: Files) => void,
  ...options: string[]
): ReturnType<typeof spawnSync> & { directory: string } {
  const directory = mkdtempSync(join(temporary, `${name}-`));
  const files = goodFiles(directory);
  change(files);
  writeFileSync(join(directory, 'router.key'), `${key}\n`, { mode: 0o600 });
  writeFileSync(join(directory, 'router.json'), JSON.stringify(files.router));
  writeFileSync(join(directory, 'gndt.json'), files.gndtText ?? JSON.stringify(files.gndt));
  writeFileSync(join(directory, 'lndt.json'), JSON.stringify(files.lndt));
  const outcome = spawnSync(process.execPath, [vined, '--config', directory, ...options], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  return { ...outcome, directory };
}

test('vined --check: a good configuration is good', () => {
  const { status, stdout, stderr } = run('good', () => {}, '--check');
  assert.equal(status, 0, String(stderr));
  assert.match(String(stdout), /the configuration of vr-a is good/);
});

const mistakes: [name: string, change: (files: Files) => void, message: RegExp][] = [
  [
    'a malformed file',
    (files) => {
      files.gndtText = '{ "vnets": [ }';
    },
    /^vined: gndt\.json: line 1, column \d+/m,
  ],
  [
    'an unknown key',
    (files) => {
      files.router.mobilty = {};
    },
    /^vined: router\.json: mobilty: .*mobility/m,
  ],
  [
    'overlapping networks for one vnet',
    (files) => {
      (files.gndt.networks as object[]).push({ vnet: 'blue', prefix: '10.1.0.128/25', router: 'vr-b' });
    },
    /^vined: gndt\.json: networks\[2\]\.prefix: .*10\.1\.0\.0\/24/m,
  ],
  [
    'a router in networks that is not in routers',
    (files) => {
      (files.gndt.networks as { router: string }[])[1] = {
        ...(files.gndt.networks as { router: string }[])[1],
        router: 'vr-x',
      };
    },
    /^vined: gndt\.json: networks\[1\]\.router: .*vr-x/m,
  ],
  [
    'a private key that does not match its publicKey',
    (files) => {
      (files.gndt.routers as { publicKey: string | undefined }[])[0] = {
        ...(files.gndt.routers as { publicKey: string }[])[0],
        publicKey: publicKeyOf(generatePrivateKey()),
      };
    },
    /^vined: router\.json: privateKeyFile: .*public key/m,
  ],
  [
    'a LAN interface that does not exist',
    (files) => {
      files.router.lans = [{ interface: 'nolan7', vnet: 'blue' }];
    },
    /^vined: router\.json: lans\[0\]\.interface: this machine has no interface "nolan7"/m,
  ],
];

for (const [name, change, message] of mistakes) {
  for (const options of [[], ['--check']]) {
    test(`${name}: status 78, nothing touched${options.length > 0 ? ' (--check)' : ''}`, () => {
      const { status, stderr, directory } = run('bad', change, ...options);
      assert.equal(status, 78, String(stderr));
      assert.match(String(stderr), message);
      assert.equal(existsSync(join(directory, 'state')), false);
      assert.equal(existsSync(join(directory, 'control.sock')), false);
    });
  }
}

test('a wrong option or a missing directory: a clear word, not a stack', () => {
  const usage = spawnSync(process.execPath, [vined, '--confg', '/x'], { encoding: 'utf8' });
  assert.equal(usage.status, 2);
  assert.match(usage.stderr, /unknown option/);
  const missing = spawnSync(process.execPath, [vined, '--config', join(temporary, 'none')], {
    encoding: 'utf8',
  });
  assert.equal(missing.status, 78);
  assert.match(missing.stderr, /there is no such directory/);
  assert.doesNotMatch(usage.stderr + missing.stderr, /\n {4}at /);
});

test('garbage on the WAN and on the LAN is counted, and the routers go on', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site' }, async (lab) => {
    await ping(lab, 'a1', '10.2.0.11');
    // Every first byte and many lengths, some with a WireGuard type that is right and nothing else.
    const flood = `
      const socket = require('node:dgram').createSocket('udp4');
      let left = 3000;
      const next = () => {
        if (left-- === 0) return socket.close();
        const bytes = require('node:crypto').randomBytes(left % 1400);
        if (bytes.length > 4) { bytes[0] = left % 7; bytes[1] = bytes[2] = bytes[3] = left % 5 === 0 ? 1 : 0; }
        socket.send(bytes, 7700, '192.0.2.1', () => (left % 50 === 0 ? setTimeout(next, 1) : next()));
      };
      next();`;
    await lab.exec('vr-b', [process.execPath, '-e', flood]);
    const arp = `
      import os, random, socket
      random.seed(7)
      s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
      s.bind(('eth0', 0))
      for i in range(3000):
          kind = random.choice([0x0806, 0x8035, 0x0800, 0x86dd])
          to = random.choice([b'\\xff' * 6, bytes.fromhex('020000000101')])
          body = os.urandom(random.randrange(0, 1400)) if i % 2 else bytes.fromhex('00010800060400') + os.urandom(21)
          s.send(to + bytes.fromhex('0200000001aa') + kind.to_bytes(2, 'big') + body)`;
    await lab.exec('ax', ['python3', '-c', arp.replace(/^ {6}/gm, '')]);
    await ping(lab, 'a1', '10.2.0.11');
    await ping(lab, 'b1', '10.1.0.12');
    const counters = await lab.daemon('a').counters();
    for (const name of ['messages_malformed', 'messages_unknown_session', 'lan_frames_malformed']) {
      assert.ok((counters[name] ?? 0) > 0, `${name} does not rise`);
    }
    const neighbourDrops = Object.entries(counters).filter(([name]) => name.startsWith('drop_neighbour_'));
    assert.ok(
      neighbourDrops.some(([, count]) => count > 0),
      'malformed ARP is not counted',
    );
  }),
);
