/** The first router of a network by one command: what is written, that a router takes it, and what is refused before anything is. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadConfigDirectory } from '../../../src/config/load.js';
import { vinectl } from './harness.js';

const root = mkdtempSync(join(tmpdir(), 'vine-init-'));
after(() => rmSync(root, { recursive: true }));

let count = 0;
function fresh(): { office: string; config: string; places: string[] } {
  const place = join(root, String(count++));
  const config = join(place, 'etc');
  return {
    office: join(place, 'office'),
    config,
    places: ['--config', config, '--state-dir', join(place, 'state')],
  };
}

const NETWORKS = ['--network', 'blue=10.1.0.0/24', '--network', 'blue=fd00:1::/64'];
const ENDPOINT = ['--endpoint', 'udp://192.0.2.1:7700'];
const ALL = ['--name', 'vr-a', '--lan', 'lo', ...NETWORKS, ...ENDPOINT];

function init(office: string, ...argv: string[]) {
  return vinectl(['network', 'init', office, ...argv]);
}

test('key, description and files are there, and a router runs with them', async () => {
  const { office, config, places } = fresh();
  const { status, out, err } = await init(office, ...places, ...ALL);
  assert.equal(status, 0, err);
  assert.match(
    out,
    /"vr-a" is the first router of the network, with blue=10\.1\.0\.0\/24, blue=fd00:1::\/64/,
  );
  assert.match(out, /start it with: systemctl enable --now vined/);
  assert.deepEqual(readdirSync(office).sort(), ['gndt.json', 'gndt.json.sig', 'network.key', 'network.pub']);
  assert.deepEqual(readdirSync(config).sort(), [
    'gndt.json',
    'gndt.json.sig',
    'lndt.json',
    'router.json',
    'router.key',
  ]);
  assert.equal(statSync(join(config, 'router.key')).mode & 0o777, 0o600);
  const loaded = loadConfigDirectory(config);
  assert.ok('config' in loaded, JSON.stringify(loaded));
  assert.deepEqual(loaded.warnings, []);
  assert.equal(loaded.config.description?.version, 1);
  assert.equal(loaded.config.gndt.networks.length, 2);
  const token = await vinectl([
    ...['token', 'create', '--site', 'site-b', '--network', 'blue=10.2.0.0/24'],
    ...['--key', join(office, 'network.key'), '--gndt', join(office, 'gndt.json')],
  ]);
  assert.equal(token.status, 0, token.err);
  assert.match(token.out, /^vine1-/);
});

test('as JSON, with two vnets and a control socket of its own', async () => {
  const { office, config, places } = fresh();
  const argv = [
    '--name',
    'vr-a',
    '--lan',
    'lo=red',
    '--network',
    'blue=10.1.0.0/24',
    '--network',
    'red=10.1.0.0/24',
  ];
  const { status, out, err } = await vinectl([
    ...['--json', '--socket', '/tmp/other.sock', 'network', 'init', office, ...places, ...argv, ...ENDPOINT],
  ]);
  assert.equal(status, 0, err);
  assert.deepEqual(Object.keys(JSON.parse(out)), ['router', 'networks', 'keyFile', 'publicKey', 'files']);
  const router = JSON.parse(readFileSync(join(config, 'router.json'), 'utf8'));
  assert.deepEqual(router.control, { socket: '/tmp/other.sock' });
  assert.deepEqual(router.lans, [{ interface: 'lo', vnet: 'red' }]);
  const gndt = JSON.parse(readFileSync(join(office, 'gndt.json'), 'utf8'));
  assert.deepEqual(gndt.vnets, [
    { name: 'blue', id: 1 },
    { name: 'red', id: 2 },
  ]);
});

test('what is wrong is said, and nothing is written', async () => {
  const cases: readonly (readonly [argv: readonly string[], why: RegExp])[] = [
    [['--lan', 'lo'], /needs --name, --lan, --network and --endpoint/],
    [['--now'], /needs --name/],
    [['--name', 'two words', '--lan', 'lo', ...NETWORKS, ...ENDPOINT], /--name: /],
    [['--name', 'vr-a', '--lan', 'nothing9', ...NETWORKS, ...ENDPOINT], /no interface "nothing9"/],
    [['--name', 'vr-a', '--lan', 'lo=red', ...NETWORKS, ...ENDPOINT], /one of the vnets blue/],
    [['--name', 'vr-a', '--lan', 'lo', '--network', '10.1.0.0/24', ...ENDPOINT], /expected VNET=PREFIX/],
    [['--name', 'vr-a', '--lan', 'lo', '--network', 'blue=10.1.0.9/24', ...ENDPOINT], /host bits set/],
    [[...ALL, '--network', 'blue=10.1.0.128/25'], /would not be in order:.*10\.1\.0\.128\/25/s],
    [['--name', 'vr-a', '--lan', 'lo', ...NETWORKS, '--endpoint', '192.0.2.1'], /--endpoint: /],
    [[...ALL, '--listen', 'nowhere'], /--listen: /],
  ];
  for (const [argv, why] of cases) {
    const { office, config, places } = fresh();
    const { status, err } = await init(office, ...places, ...argv);
    assert.equal(status, 1, argv.join(' '));
    assert.match(err, why);
    assert.ok(!existsSync(office) && !existsSync(config), argv.join(' '));
  }
});

test('nothing is written over: neither a network nor a router', async () => {
  const { office, config, places } = fresh();
  mkdirSync(config, { recursive: true });
  writeFileSync(join(config, 'router.json'), '{}');
  const router = await init(office, ...places, ...ALL);
  assert.match(router.err, /router\.json is there already.*writes over nothing/);
  assert.ok(!existsSync(office));
  const first = fresh();
  assert.equal((await init(first.office, ...first.places, ...ALL)).status, 0);
  const key = readFileSync(join(first.office, 'network.key'), 'utf8');
  const again = await init(first.office, ...fresh().places, ...ALL);
  assert.match(again.err, /network\.key is there already/);
  assert.equal(readFileSync(join(first.office, 'network.key'), 'utf8'), key);
  const same = fresh();
  assert.match((await init(same.config, ...same.places, ...ALL)).err, /name another directory/);
  assert.ok(!existsSync(same.config));
});
