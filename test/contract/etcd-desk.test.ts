/** The signed description in a running router, as far as an etcd changes it: the desk, its disk, a real etcd. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type LoadOutcome, loadConfigDirectory, type VineConfig } from '../../src/config/load.js';
import { loadNative } from '../../src/dataplane/native.js';
import type { Description } from '../../src/membership/description.js';
import { joinDocument } from '../../src/membership/document.js';
import { publicKeyOf, sign } from '../../src/membership/signature.js';
import { systemClock } from '../../src/net/system-clock.js';
import { Conduct } from '../../src/protocol/conduct.js';
import { NetworkDesk, type NetworkDeskOptions } from '../../src/router/network/network-desk.js';
import { waitFor } from '../lab/wait.js';
import { type JsonObject, sample } from '../unit/config/sample.js';
import { writeConfiguration } from './etcd-configuration.js';
import { EtcdServer, noEtcd } from './etcd-server.js';

const SEED = new Uint8Array(32).fill(1);
const KEY = '/vine/description';

const cleanUps: (() => void | Promise<void>)[] = [];
after(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
});

function signed(gndt: JsonObject, version: number): Uint8Array {
  const content = Buffer.from(JSON.stringify({ ...gndt, version }));
  return joinDocument({ signature: sign('description', content, SEED), content });
}

/** Takes what it is given as the real one does, without a data plane behind it. */
class PlainReloader {
  config: VineConfig;

  constructor(config: VineConfig) {
    this.config = config;
  }

  subscribe(): void {}

  async take(load: () => LoadOutcome, keep: () => Promise<void>) {
    const loaded = load();
    if ('errors' in loaded) return { outcome: 'refused', reason: 'errors' } as const;
    await keep();
    this.config = loaded.config;
    return { outcome: 'applied' } as const;
  }
}

function configured(outcome: LoadOutcome): VineConfig {
  return 'config' in outcome ? outcome.config : assert.fail(JSON.stringify(outcome.errors));
}

test('what is put into the etcd is applied, kept on disk and shown; what does not count is warned of', {
  skip: noEtcd,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'vine-etcd-desk-'));
  cleanUps.push(() => rmSync(directory, { recursive: true, force: true }));
  const server = await EtcdServer.start();
  cleanUps.push(() => server.remove());
  const stateDir = join(directory, 'state');
  const publicKey = Buffer.from(publicKeyOf(SEED)).toString('base64');
  const url = server.url.replace('127.0.0.1', 'localhost');
  const network = { publicKey, etcd: [url] };
  const gndt = writeConfiguration(directory, { ...sample().router, stateDir, network });
  const load = (description?: Description): LoadOutcome => loadConfigDirectory(directory, description);
  const config = configured(load());
  const events: string[] = [];
  const desk = new NetworkDesk({
    clock: systemClock,
    conduct: new Conduct(systemClock),
    hub: { emit: (_level: string, event: string) => events.push(event) },
    config,
    pinned: publicKeyOf(SEED),
    reloader: new PlainReloader(config),
    native: loadNative(),
    load,
    tunnel: { say: () => {}, upPeers: () => [] },
  } as unknown as NetworkDeskOptions);
  desk.start();
  cleanUps.push(() => desk.stop());
  await waitFor('reached', () => desk.view().etcd?.reached);
  assert.equal(desk.view().etcd?.endpoint, url);
  assert.match(
    desk.warnings().at(-1) ?? '',
    /\/vine\/description in etcd does not count here: there is no such key/,
  );
  const document = signed(gndt, 1);
  await server.put(KEY, document);
  await waitFor('applied', () => desk.view().version === 1);
  assert.deepEqual(new Uint8Array(readFileSync(join(stateDir, 'description'))), document);
  assert.equal(desk.view().etcd?.refusal, null);
  await server.put(KEY, 'hello');
  await waitFor('refused', () => desk.view().etcd?.refusal !== null);
  assert.match(desk.warnings().at(-1) ?? '', /it does not begin with a signature/);
  assert.equal(desk.view().version, 1);
  assert.equal(desk.counters().etcd_documents_heard, 2);
  assert.deepEqual(
    events.filter((event) => event.startsWith('etcd')),
    ['etcd_reached', 'etcd_description_refused', 'etcd_description_refused'],
  );
});
