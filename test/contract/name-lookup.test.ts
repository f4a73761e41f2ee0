/** The addon's look-up of host names: real threads, the machine's own /etc/hosts, and a name server that says nothing. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { loadNative } from '../../src/dataplane/native.js';

const addon = loadNative();
const nativeModule = JSON.stringify(new URL('../../src/dataplane/native.js', import.meta.url).href);

function lookUp(name: string): Promise<{ code: string; addresses: string[] }> {
  return new Promise((resolve) => {
    addon.lookUpName(name, (code, addresses) =>
      resolve({ code, addresses: addresses.map((bytes) => Buffer.from(bytes).toString('hex')) }),
    );
  });
}

test('an address that is written as one, each address once', async () => {
  assert.deepEqual(await lookUp('192.0.2.7'), { code: '', addresses: ['c0000207'] });
  const { code, addresses } = await lookUp('localhost');
  assert.equal(code, '');
  assert.ok(addresses.includes('7f000001') || addresses.includes('00000000000000000000000000000001'));
  assert.equal(new Set(addresses).size, addresses.length);
});

test('a name that cannot be', async () => {
  const { code, addresses } = await lookUp(`${'x'.repeat(64)}.test`);
  assert.match(code, /^EAI_/);
  assert.deepEqual(addresses, []);
});

test('nonsense is refused, and begins nothing', () => {
  const done = (): void => assert.fail('called');
  const wrong = addon.lookUpName as (...args: unknown[]) => unknown;
  assert.throws(() => addon.lookUpName('', done), RangeError);
  assert.throws(() => addon.lookUpName('a'.repeat(255), done), RangeError);
  assert.throws(() => addon.lookUpName('localhost\0.test', done), RangeError);
  assert.throws(() => addon.lookUpName('a'.repeat(2_000), done), RangeError);
  assert.throws(() => wrong('localhost'), TypeError);
  assert.throws(() => wrong('localhost', 1), TypeError);
  assert.throws(() => wrong(undefined, done), TypeError);
});

test('many at once all end, and one whose answer nobody wants is not told', async () => {
  addon.lookUpName('localhost', () => assert.fail('called')).close();
  for (let round = 0; round < 20; round++) {
    const all = await Promise.all(Array.from({ length: 8 }, () => lookUp('localhost')));
    for (const { code } of all) assert.equal(code, '');
  }
});

const SILENT = `vine-silent-${process.pid}`;
/** A namespace whose name server takes questions and says nothing; 4 s a try, two tries. */
async function withSilentServer(
  body: (run: (script: string) => ReturnType<typeof spawnSync>) => void,
): Promise<void> {
  const ip = (...args: string[]): void => assert.equal(spawnSync('ip', args).status, 0, args.join(' '));
  mkdirSync(`/etc/netns/${SILENT}`, { recursive: true });
  writeFileSync(
    `/etc/netns/${SILENT}/resolv.conf`,
    'nameserver 10.255.255.1\noptions timeout:4 attempts:2\n',
  );
  ip('netns', 'add', SILENT);
  const inside = ['netns', 'exec', SILENT, process.execPath, '--input-type=module', '-e'];
  let server: ReturnType<typeof spawn> | undefined;
  try {
    ip('-n', SILENT, 'link', 'set', 'lo', 'up');
    ip('-n', SILENT, 'addr', 'add', '10.255.255.1/32', 'dev', 'lo');
    const listen = `import dgram from 'node:dgram'; dgram.createSocket('udp4').bind(53, '10.255.255.1', () => console.log('up'));`;
    server = spawn('ip', [...inside, listen], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => server?.stdout?.once('data', resolve));
    body((script) => spawnSync('ip', [...inside, script], { encoding: 'utf8', timeout: 20_000 }));
  } finally {
    server?.kill('SIGKILL');
    ip('netns', 'del', SILENT);
    rmSync(`/etc/netns/${SILENT}`, { recursive: true });
  }
}

test(
  'a name server that says nothing: no thread of the pool waits for it, nor the end of the process',
  { skip: process.getuid?.() === 0 ? false : 'needs root for a network namespace' },
  () =>
    withSilentServer((run) => {
      const script = `
        import { stat } from 'node:fs/promises';
        const { loadNative } = await import(${nativeModule});
        const addon = loadNative();
        let refused = 0;
        for (let i = 0; i < 40; i++) {
          try { addon.lookUpName('n' + i + '.example.net', () => console.log('answered')); } catch (error) {
            if (error.code !== 'EAGAIN') throw error;
            refused++;
          }
        }
        const beganMs = performance.now();
        for (let i = 0; i < 100; i++) await stat('/');
        console.log(JSON.stringify({ refused, poolMs: performance.now() - beganMs }));
        process.exit(7);`;
      const beganMs = performance.now();
      const { status, stdout, stderr } = run(script);
      const tookMs = performance.now() - beganMs;
      assert.equal(status, 7, String(stderr));
      const { refused, poolMs } = JSON.parse(String(stdout)) as { refused: number; poolMs: number };
      assert.equal(refused, 8, 'at most 32 are under way');
      assert.ok(poolMs < 1_000, `files took ${poolMs} ms`);
      assert.ok(tookMs < 3_000, `the process took ${tookMs} ms to end`);
    }),
);
