/**
 * A stranger's word: Debian's keepalived is heard, and hears us. It follows whoever has the higher priority, so what it takes
 * for valid is seen from what it does.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { loadNative } from '../../src/dataplane/native.js';
import type { Family } from '../../src/net/ip.js';
import { systemClock } from '../../src/net/system-clock.js';
import type { Advertisement } from '../../src/pair/advertisement.js';
import {
  type AdvertisementSocket,
  openAdvertisementSocket,
} from '../../src/router/machine/vrrp/advertisement-socket.js';
import { misses } from '../lab/dhcp/servers.js';
import { pause, waitFor } from '../lab/wait.js';
import { inNamespaceOfOwn } from './namespace.js';
import { FAR, NEAR, TwoMachines, VIRTUAL } from './vrrp-link.js';

const VRID = 51;
const missing = misses('keepalived');

if (missing) test('keepalived', { skip: missing }, () => {});
else
  inNamespaceOfOwn('keepalived', import.meta.url, suite, () =>
    test('keepalived', { skip: 'namespaces need root' }, () => {}),
  );

function configuration(family: Family, priority: number): string {
  return `global_defs { router_id far }
vrrp_instance lan {
  version 3
  state BACKUP
  interface far
  virtual_router_id ${VRID}
  priority ${priority}
  advert_int 0.1
  virtual_ipaddress {
    ${VIRTUAL[family].map((address) => `${address}/${family === 4 ? 24 : 64}`).join('\n    ')}
  }
}
`;
}

/** On the far machine. */
class Keepalived {
  readonly #process: ChildProcess;
  #log = '';

  constructor(machines: TwoMachines, directory: string, family: Family, priority: number) {
    const file = join(directory, 'keepalived.conf');
    writeFileSync(file, configuration(family, priority));
    const pids = ['--pid', join(directory, 'pid'), '--vrrp_pid', join(directory, 'vrrp-pid')];
    const how = ['--dont-fork', '--log-console', '--log-detail', '--vrrp'];
    this.#process = machines.start(['keepalived', ...how, ...pids, '--use-file', file]);
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#log += text;
      });
  }

  /** The states that it has been in, in order. */
  states(): string[] {
    return [...this.#log.matchAll(/Entering (\w+) STATE/g)].map(([, state = '']) => state);
  }

  log(): string {
    return this.#log;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = once(this.#process, 'close');
    this.#process.kill();
    await ended;
  }
}

function suite(): void {
  const directory = mkdtempSync(join(tmpdir(), 'vine-keepalived-'));
  const pcap = loadNative();
  let machines: TwoMachines;
  let heard: Advertisement[] = [];
  let socket: AdvertisementSocket;
  let stranger: Keepalived;
  let saying: NodeJS.Timeout | undefined;

  before(async () => {
    machines = await TwoMachines.open();
    await machines.connect();
  });
  afterEach(async () => {
    clearInterval(saying);
    await stranger.stop();
    await socket.close();
  });
  after(() => {
    machines.close();
    rmSync(directory, { recursive: true });
  });

  function open(family: Family): void {
    heard = [];
    socket = openAdvertisementSocket({
      interface: 'near',
      source: NEAR[family],
      vrid: VRID,
      pcap,
      clock: systemClock,
      onAdvertisement: (said) => heard.push(said),
      onCondition: (condition) => assert.fail(JSON.stringify(condition)),
    });
  }

  const say = (family: Family, priority: number): void =>
    socket.send({ vrid: VRID, priority, maxIntervalCs: 10, addresses: VIRTUAL[family] });

  /** Every 50 ms. */
  function sayOften(family: Family, priority: number): void {
    saying = setInterval(() => say(family, priority), 50);
  }

  for (const family of [4, 6] as const) {
    test(`IPv${family}: it is heard, with its virtual router, its priority and its addresses`, async () => {
      open(family);
      stranger = new Keepalived(machines, directory, family, 210);
      await waitFor('keepalived to be heard', () => heard.length >= 3, 20_000);
      const expected: Advertisement = {
        source: FAR[family],
        vrid: VRID,
        priority: 210,
        maxIntervalCs: 10,
        addresses: VIRTUAL[family],
      };
      assert.deepEqual(heard[0], expected);
      await stranger.stop();
      await waitFor('its last word', () => heard.at(-1)?.priority === 0);
      const { advertisements_received, ...others } = socket.counters();
      assert.equal(advertisements_received, heard.length);
      assert.deepEqual(others, { priority_zero_received: 1 });
    });

    test(`IPv${family}: it stands back while we have the higher priority, and takes over when we are silent`, async () => {
      open(family);
      sayOften(family, 150);
      stranger = new Keepalived(machines, directory, family, 100);
      await waitFor('keepalived to stand back', () => stranger.states().length > 0, 20_000);
      // Without a word it would take over after some 0.4 s.
      await pause(1_500);
      assert.deepEqual(stranger.states(), ['BACKUP'], stranger.log());
      assert.deepEqual(heard, []);
      clearInterval(saying);
      await waitFor('keepalived to take over', () => stranger.states().at(-1) === 'MASTER');
      await waitFor('it to be heard', () => heard.at(-1)?.priority === 100);
      sayOften(family, 150);
      await waitFor('keepalived to stand back', () => stranger.states().at(-1) === 'BACKUP');
      assert.doesNotMatch(stranger.log(), /checksum|invalid|wrong|mismatch/i);
    });

    test(`IPv${family}: it takes over at once when we step down`, async () => {
      open(family);
      // So slow that silence would mean something after 30 s only.
      const slow = { vrid: VRID, priority: 150, maxIntervalCs: 1_000, addresses: VIRTUAL[family] };
      stranger = new Keepalived(machines, directory, family, 100);
      await waitFor('keepalived to lead', () => stranger.states().at(-1) === 'MASTER', 20_000);
      socket.send(slow);
      await waitFor('keepalived to stand back', () => stranger.states().at(-1) === 'BACKUP');
      await pause(1_500);
      assert.equal(stranger.states().at(-1), 'BACKUP');
      socket.send({ ...slow, priority: 0 });
      await waitFor('keepalived to take over', () => stranger.states().at(-1) === 'MASTER');
    });
  }
}
