/** A router is killed and started again under an ordinary WireGuard client, not written here, with open connections. */
import assert from 'node:assert/strict';
import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Lab } from '../lab/lab.js';
import { TcpStream, UdpProbe } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { cannotRun, round, withLab } from './support.js';
import { addClient, WireguardClient, withoutWireguard } from './wireguard-client.js';

const skip = cannotRun === false ? await withoutWireguard() : cannotRun;
const PHONE = '10.1.0.201';
/** After the router is ready again. It should be there before; TCP's own pauses grow to as long as the router was away. */
const backLimitMs = 8_000;
/** WireGuard's 15 s, and TCP's pauses after them. */
const alone = 60_000;
const someBytes = 100_000;

/** What goes on while the router is away: both directions, connections that either side has opened. */
class Traffic {
  private constructor(
    private readonly streams: readonly TcpStream[],
    private readonly probes: readonly (readonly [name: string, probe: UdpProbe])[],
  ) {}

  static async open(lab: Lab): Promise<Traffic> {
    const streams = [
      await TcpStream.open(lab, 'b1', 'phone', PHONE),
      await TcpStream.open(lab, 'phone', 'a1', '10.1.0.11'),
    ];
    const toPhone = await UdpProbe.open(lab, 'b1', 'phone', PHONE, 50);
    return new Traffic(streams, [
      ['to the client', toPhone],
      ['from the client', await UdpProbe.open(lab, 'phone', 'a1', '10.1.0.11', 50)],
    ]);
  }

  /** Until everything goes on; says how long after now each did. */
  async goesOn(t: TestContext, limitMs = backLimitMs): Promise<void> {
    const beganMs = performance.now();
    const told = async (what: string, progress: Promise<void>): Promise<void> => {
      await progress;
      t.diagnostic(`${what}: goes on ${round(performance.now() - beganMs)} ms after the router was ready`);
    };
    await Promise.all([
      ...this.probes.map(([name, probe]) => told(`UDP ${name}`, probe.progress(1, limitMs))),
      ...this.streams.map((stream) => told(`TCP ${stream.name}`, stream.progress(someBytes, limitMs))),
    ]);
  }

  async finish(): Promise<void> {
    for (const [, probe] of this.probes) await probe.finish();
    for (const stream of this.streams) await stream.finish();
  }
}

/** As a crash and the service manager do it. */
async function restart(lab: Lab): Promise<void> {
  const daemon = lab.daemon('a');
  await daemon.kill('SIGKILL');
  daemon.start();
  await waitFor('the router is ready', async () => (await daemon.status()).ready, 20_000);
}

test("a WireGuard client's connections go on when its router was killed and is back", { skip }, (t) =>
  withLab(t, { topology: 'two-site', daemons: false }, async (lab) => {
    const phone = new WireguardClient(lab, 'phone', `${lab.name}p`, await addClient(lab, 'a', PHONE));
    lab.addToWan('phone', ['192.0.2.100/24']);
    for (const site of ['a', 'b'] as const) lab.daemon(site).start();
    await lab.waitConnected();
    try {
      await phone.start();
      const traffic = await Traffic.open(lab);
      for (const round of ['once', 'and again']) {
        t.diagnostic(round);
        await restart(lab);
        await traffic.goesOn(t);
      }
      assert.ok(phone.count('Received handshake initiation') >= 2, 'the client was called');
      const { client_calls_answered: answered } = await lab.daemon('a').counters();
      assert.equal(answered, 1);
      const events = await lab.daemon('a').get<readonly { readonly event: string }[]>('/v1/events');
      assert.deepEqual(
        events.map(({ event }) => event).filter((event) => event.startsWith('clients_')),
        ['clients_called', 'clients_answered'],
      );
      // Without what it remembers the client's own timers have to do.
      await lab.daemon('a').kill('SIGKILL');
      truncateSync(join(lab.daemon('a').directory, 'state', 'endpoints.json'), 100);
      lab.daemon('a').start();
      await lab.waitConnected();
      const { warnings } = await lab.daemon('a').status();
      assert.match(warnings.join('\n'), /endpoints\.json is damaged \(not JSON\); put aside as /);
      await traffic.goesOn(t, alone);
      await traffic.finish();
    } finally {
      t.diagnostic(phone.log.split('\n').slice(-15).join('\n'));
      await phone.stop();
    }
  }),
);
