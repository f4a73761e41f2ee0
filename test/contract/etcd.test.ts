/**
 * A real etcd that has the description: put, watched, killed, stopped, cut off, compacted, restored, slow, and full of what
 * it should not have. Time runs ten times as fast for what follows it.
 */
import assert from 'node:assert/strict';
import { chmodSync, cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { processIo } from '../../src/cli/io.js';
import { EtcdGateway } from '../../src/config/etcd-gateway.js';
import { Agreement } from '../../src/membership/agreement.js';
import { readDescription } from '../../src/membership/description.js';
import { joinDocument } from '../../src/membership/document.js';
import { type Call, EtcdFollower } from '../../src/membership/etcd/follower.js';
import type { EtcdFailure } from '../../src/membership/etcd/messages.js';
import { swapIn } from '../../src/membership/etcd/swap.js';
import { publicKeyOf, sign } from '../../src/membership/signature.js';
import type { Clock } from '../../src/net/clock.js';
import { systemClock } from '../../src/net/system-clock.js';
import { Conduct } from '../../src/protocol/conduct.js';
import type { EtcdConfig } from '../../src/tables/model.js';
import { waitFor } from '../lab/wait.js';
import { type Result, vinectl } from '../unit/cli/harness.js';
import { sample } from '../unit/config/sample.js';
import { writeConfiguration } from './etcd-configuration.js';
import { EtcdServer, makeCertificates, noEtcd, Way } from './etcd-server.js';

const KEY = '/vine/description';
const SEED = new Uint8Array(32).fill(1);
const PINNED = publicKeyOf(SEED);
const FASTER = 10;

const fastClock: Clock = {
  nowMs: () => systemClock.nowMs() * FASTER,
  wallMs: () => systemClock.wallMs(),
  after: (name, delayMs, action) => systemClock.after(name, delayMs / FASTER, action),
};

function version(number: number, more = '', seed = SEED): Uint8Array {
  const content = Buffer.from(JSON.stringify({ version: number, more }));
  return joinDocument({ signature: sign('description', content, seed), content });
}

function configFor(url: string, files: Partial<EtcdConfig> = {}): EtcdConfig {
  const none = { caFile: undefined, certificateFile: undefined, privateKeyFile: undefined };
  return { endpoints: [url], key: KEY, ...none, ...files };
}

/** A router, as far as this is about it. */
class Router {
  readonly events: string[] = [];
  readonly agreement: Agreement;
  readonly follower: EtcdFollower;

  constructor(config: EtcdConfig) {
    const event = (name: string): void => {
      this.events.push(name);
    };
    const present = readDescription(version(1), [PINNED]);
    this.agreement = new Agreement(
      {
        clock: systemClock,
        conduct: new Conduct(systemClock),
        say: () => {},
        upPeers: () => [],
        apply: async () => ({ outcome: 'applied' }),
        goBack: async () => undefined,
        keepRecord: async () => {},
        keepSuccession: async () => {},
        removesOf: () => [],
        event,
      },
      {
        pinned: PINNED,
        successions: [],
        present: typeof present === 'string' ? undefined : present,
        record: { trial: null, undone: [] },
      },
    );
    this.follower = new EtcdFollower({
      clock: fastClock,
      port: new EtcdGateway(config),
      endpoints: config.endpoints,
      random: Math.random,
      judge: (document) => this.agreement.offered(document, 'etcd'),
      event,
    });
    this.follower.start();
  }

  get version(): number {
    return this.agreement.present?.version ?? 0;
  }

  has(number: number): Promise<true> {
    return waitFor(`version ${number} is here`, () => this.version === number || undefined);
  }

  async refuses(why: RegExp): Promise<void> {
    await waitFor(`refused: ${why}`, () => why.test(this.follower.view().refusal ?? ''));
  }

  async fails(problem: EtcdFailure['problem']): Promise<void> {
    await waitFor(
      `failed: ${problem}`,
      () => (this.follower.counters()[`etcd_failed_${problem.replace('-', '_')}`] ?? 0) > 0,
    );
  }

  stop(): void {
    this.follower.stop();
    this.agreement.stop();
  }
}

interface World {
  readonly server: EtcdServer;
  readonly way: Way;
  readonly router: Router;
}

const cleanUps: (() => void | Promise<void>)[] = [];
after(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
});

async function withWorld(body: (world: World) => Promise<void>): Promise<void> {
  const server = await EtcdServer.start();
  cleanUps.push(() => server.remove());
  const way = new Way(server.port);
  await way.open();
  cleanUps.push(() => way.close());
  const router = new Router(configFor(way.url));
  cleanUps.push(() => router.stop());
  await waitFor('the etcd is reached', () => router.follower.view().isReached);
  await body({ server, way, router });
  router.stop();
  way.close();
  await server.remove();
}

test('what is put is heard; killed and started again; stopped and let go', { skip: noEtcd }, () =>
  withWorld(async ({ server, router }) => {
    await router.refuses(/no such key/);
    await server.put(KEY, version(2));
    await router.has(2);
    await server.kill();
    await waitFor('the loss is seen', () => !router.follower.view().isReached);
    assert.equal(router.version, 2);
    await server.start();
    await server.put(KEY, version(3));
    await router.has(3);
    assert.ok(router.follower.view().isReached);
    server.signal('SIGSTOP');
    await router.fails('silent');
    await waitFor('the loss is seen', () => !router.follower.view().isReached);
    server.signal('SIGCONT');
    await server.put(KEY, version(4));
    await router.has(4);
    await server.delete(KEY);
    await router.refuses(/no such key/);
    assert.equal(router.version, 4);
  }),
);

test('cut off while the store is compacted; held; slow', { skip: noEtcd }, () =>
  withWorld(async ({ server, way, router }) => {
    await server.put(KEY, version(2));
    await router.has(2);
    way.set('cut');
    await router.fails('ended');
    await server.put(KEY, version(3));
    await server.compact(await server.put(KEY, version(4)));
    way.set('open');
    await router.has(4);
    assert.equal(await compactedAt(server), 'compacted');
    for (const [number, mode] of [
      [5, 'held'],
      [6, 'slow'],
    ] as const) {
      const before = router.follower.counters().etcd_failed_silent ?? 0;
      way.set(mode);
      await server.put(KEY, version(number));
      await waitFor(`${mode} is seen`, () => (router.follower.counters().etcd_failed_silent ?? 0) > before);
      assert.equal(router.version, number - 1, mode);
      way.set('open');
      await router.has(number);
    }
  }),
);

/** What a watch hears that begins before everything that was compacted. */
async function compactedAt(server: EtcdServer): Promise<string> {
  let call: Call | undefined;
  const problem = await new Promise<string>((resolve) => {
    call = new EtcdGateway(configFor(server.url)).watch(server.url, 2n, (answer) => {
      if ('problem' in answer) resolve(answer.problem);
      else if (answer.is === 'changed') resolve('heard');
    });
  });
  call?.cancel();
  return problem;
}

test(
  'content that does not count: refused with its reason, and the present one stays',
  { skip: noEtcd },
  () =>
    withWorld(async ({ server, way, router }) => {
      await server.put(KEY, version(5));
      await router.has(5);
      const stranger = new Uint8Array(32).fill(9);
      const changed = Buffer.from(version(6));
      changed[changed.length - 3] = (changed[changed.length - 3] ?? 0) ^ 1;
      const wrong: readonly (readonly [Uint8Array | string, RegExp])[] = [
        ['', /does not begin with a signature/],
        ['{"version": 6}', /does not begin with a signature/],
        [version(6, '', stranger), /signature does not hold/],
        [changed, /signature does not hold/],
        [version(4), /version 4, and this router has version 5/],
        [version(5, 'other'), /known here with another content/],
        [new Uint8Array(4 * 1024 * 1024 + 1), /larger than 4 MiB/],
      ];
      for (const [value, why] of wrong) {
        await server.put(KEY, value);
        await router.refuses(why);
        assert.equal(router.version, 5);
      }
      assert.equal(router.events.filter((name) => name === 'description_signed_twice').length, 1);
      await server.put(KEY, new Uint8Array(6 * 1024 * 1024));
      await router.fails('too-large');
      assert.equal(router.version, 5);
      await server.put(KEY, version(6));
      const another = new Router(configFor(way.url)); // the first one waits for a minute
      cleanUps.push(() => another.stop());
      await another.has(6);
      another.stop();
    }),
);

test('a snapshot that is restored: its version is older, and a new one counts again', { skip: noEtcd }, () =>
  withWorld(async ({ server, router }) => {
    const saved = join(server.directory, 'saved');
    await server.put(KEY, version(2));
    await router.has(2);
    await server.kill();
    cpSync(server.dataDirectory, saved, { recursive: true });
    await server.start();
    await server.put(KEY, version(3));
    await server.put('/another', 'x');
    await router.has(3);
    await server.kill();
    rmSync(server.dataDirectory, { recursive: true });
    renameSync(saved, server.dataDirectory);
    await server.start();
    await router.refuses(/version 2, and this router has version 3/);
    assert.ok((router.follower.counters().etcd_went_back ?? 0) > 0);
    const put = await swapInto(new EtcdGateway(configFor(server.url)), server.url, version(4));
    assert.deepEqual(put, { is: 'written', version: 4, before: 2 });
    await router.has(4);
    const older = await swapInto(new EtcdGateway(configFor(server.url)), server.url, version(3));
    assert.equal(older.is, 'refused');
  }),
);

function swapInto(gateway: EtcdGateway, url: string, document: Uint8Array) {
  return swapIn(
    {
      range: () => new Promise((resolve) => gateway.range(url, false, resolve)),
      swap: (revision, bytes) => new Promise((resolve) => gateway.swap(url, revision, bytes, resolve)),
    },
    document,
    [PINNED],
  );
}

test('TLS with certificates of both sides; without the right ones a reason', { skip: noEtcd }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'vine-etcd-tls-'));
  cleanUps.push(() => rmSync(directory, { recursive: true, force: true }));
  makeCertificates(directory);
  const path = (name: string): string => join(directory, name);
  const server = await EtcdServer.start([
    `--cert-file=${path('server.pem')}`,
    `--key-file=${path('server.key')}`,
    `--trusted-ca-file=${path('ca.pem')}`,
    '--client-cert-auth',
  ]);
  cleanUps.push(() => server.remove());
  const ca = { caFile: path('ca.pem') };
  const both = { ...ca, certificateFile: path('client.pem'), privateKeyFile: path('client.key') };
  const put = await swapInto(new EtcdGateway(configFor(server.url, both)), server.url, version(2));
  assert.deepEqual(put, { is: 'written', version: 2, before: undefined });
  const router = new Router(configFor(server.url, both));
  cleanUps.push(() => router.stop());
  await router.has(2);
  const failing = async (files: Partial<EtcdConfig>): Promise<string> => {
    const found = await swapInto(new EtcdGateway(configFor(server.url, files)), server.url, version(3));
    return found.is === 'failed' ? `${found.failure.problem}: ${found.failure.detail}` : found.is;
  };
  assert.match(await failing({}), /unreachable: its certificate is signed by nobody known here/);
  assert.match(await failing(ca), /^(unreachable|ended): /);
  assert.match(await failing({ caFile: path('none.pem') }), /^files: .*none\.pem/);
});

test('a user who may read one key; a wrong password; a token that is forgotten', {
  skip: noEtcd,
}, async () => {
  const server = await EtcdServer.start();
  cleanUps.push(() => server.remove());
  const passwordFile = join(server.directory, 'password');
  writeFileSync(passwordFile, 'a word\n', { mode: 0o600 });
  await server.put(KEY, version(2));
  await server.protect('vr', 'a word', KEY);
  const named = { user: 'vr', passwordFile };
  const router = new Router(configFor(server.url, named));
  cleanUps.push(() => router.stop());
  await router.has(2);
  // It remembers no token over a restart.
  await server.kill();
  await waitFor('the loss is seen', () => !router.follower.view().isReached);
  await server.start();
  await waitFor('the etcd is reached', () => router.follower.view().isReached);
  const failing = async (files: Partial<EtcdConfig>): Promise<string> => {
    const found = await swapInto(new EtcdGateway(configFor(server.url, files)), server.url, version(3));
    return found.is === 'failed' ? `${found.failure.problem}: ${found.failure.detail}` : found.is;
  };
  assert.match(await failing({}), /^refused: .*user name is empty/);
  assert.match(await failing(named), /^refused: .*permission denied/);
  assert.match(await failing({ ...named, key: '/other' }), /^refused: .*permission denied/);
  writeFileSync(passwordFile, 'another\n');
  assert.match(await failing(named), /^refused: .*invalid user ID or password/);
  chmodSync(passwordFile, 0o644);
  assert.match(await failing(named), /^files: .*open to everybody/);
});

test('vinectl network publish --etcd: written, there already, refused, nobody there', {
  skip: noEtcd,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'vine-etcd-put-'));
  cleanUps.push(() => rmSync(directory, { recursive: true, force: true }));
  const server = await EtcdServer.start();
  cleanUps.push(() => server.remove());
  const gndt = join(directory, 'gndt.json');
  const run = (...argv: string[]): Promise<Result> =>
    vinectl(['network', ...argv], { sleep: processIo().sleep });
  const network = async (...argv: string[]): Promise<string> => {
    const { status, out, err } = await run(...argv);
    assert.equal(status, 0, err);
    return out;
  };
  const publish = ['publish', gndt, '--etcd', '--config', directory];
  const made = JSON.parse(await network('init', directory, '--json')) as { publicKey: string };
  writeConfiguration(directory, { ...sample().router, network: { publicKey: made.publicKey } });
  const sign = ['sign', gndt, '--key', join(directory, 'network.key')];
  await network(...sign);
  const nowhere = await run(...publish);
  assert.equal(nowhere.status, 1);
  assert.match(nowhere.err, /names no etcd: put "etcd"/);
  const withEtcd = { publicKey: made.publicKey, etcd: [server.url] };
  writeFileSync(join(directory, 'router.json'), JSON.stringify({ ...sample().router, network: withEtcd }));
  assert.equal(await network(...publish), `version 1 is in ${server.url}, under ${KEY}\n`);
  assert.equal(await network(...publish), `${server.url} has version 1 already, under ${KEY}\n`);
  const old = readFileSync(gndt);
  const oldSignature = readFileSync(`${gndt}.sig`);
  await network(...sign);
  const told = JSON.parse(await network(...publish, '--json'));
  assert.deepEqual(told, { version: 2, endpoint: server.url, key: KEY, changed: true, before: 1 });
  writeFileSync(gndt, old);
  writeFileSync(`${gndt}.sig`, oldSignature);
  const older = await run(...publish);
  assert.equal(older.status, 1);
  assert.match(older.err, /it is version 1, and etcd has version 2: sign it again/);
  await server.kill();
  const gone = await run(...publish);
  assert.equal(gone.status, 3);
  assert.match(gone.err, /no etcd takes it.*\n.*nothing listens there/);
});
