/** A flood of handshake messages from many addresses takes neither the tunnel nor memory, and lets true peers in. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hash, mac } from '../../src/wireguard/primitives.js';
import { projectRoot } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import { waitFor } from '../lab/wait.js';
import { cannotRun, ping, withLab } from './support.js';

const RATE = 50_000;
const INITIATION_BYTES = 148;
/** What an established tunnel keeps of a stream for which there is a processor. */
const LEAST = 0.8;
/**
 * And of one without a limit, compared with the same flood dropped before it reaches the router. The flood's making and the
 * other end take the same two processors, by turns that are the scheduler's: what remains is 0.6 to 0.8, on a machine that has
 * other work less. A flood that starves the tunnel leaves nothing.
 */
const LEAST_UNLIMITED = 0.3;
/** Below what two busy cores carry beside the flood's own cost: there nothing is dropped for comparison. */
const PACE = '50M';
const UNLIMITED = '0';
/** Far above what is answered without a cookie: a slow machine does not make all of them. */
const LEAST_ARRIVED = 10_000;
const PROBE_SECONDS = 2;
/** The machine may be busy with other things for a moment: a flood that starves the tunnel does so every time. */
const TRIES = 10;
/** Longer than all tries take: none may run without it. */
const FLOOD_SECONDS = 150;

/** Initiations with the right mac1, for someone who knows the router's public key; nothing else in them is right. */
function initiations(count: number, publicKey: Uint8Array): Buffer {
  const mac1Key = hash(Buffer.from('mac1----'), publicKey);
  const all = Buffer.alloc(count * INITIATION_BYTES);
  for (let i = 0; i < count; i++) {
    const message = all.subarray(i * INITIATION_BYTES, (i + 1) * INITIATION_BYTES);
    message.set(randomBytes(INITIATION_BYTES - 32));
    message.set([1, 0, 0, 0]);
    message.set(mac(mac1Key, message.subarray(0, INITIATION_BYTES - 32)), INITIATION_BYTES - 32);
  }
  return all;
}

function residentMiB(pid: number | undefined): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1024;
}

/** Mbit/s from b1 to a1. */
async function throughput(lab: Lab, pace: string): Promise<number> {
  const command = ['iperf3', '-c', '10.1.0.11', '-J', '-t', String(PROBE_SECONDS), '-b', pace];
  const out = JSON.parse(await lab.exec('b1', command, { timeoutMs: 30_000 })) as {
    readonly end: { readonly sum_received: { readonly bits_per_second: number } };
  };
  return out.end.sum_received.bits_per_second / 1e6;
}

/** `on`: what comes from the attacker is dropped where it enters the router's machine. */
async function shield(lab: Lab, on: boolean): Promise<void> {
  const table = 'table netdev lab_shield';
  const hook = 'type filter hook ingress device "wan0" priority 0;';
  const rules = `${table} { chain wan { ${hook} ip saddr 10.66.0.0/16 drop; }; }`;
  await lab.exec('vr-a', ['nft', on ? `add ${rules}` : `delete ${table}`]);
}

test('50,000 initiations a second from 65,534 addresses', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site' }, async (lab) => {
    const attacked = lab.daemon('a');
    lab.addToWan('attacker', ['192.0.2.200/24']);
    // Answers go there, and are lost: who forges addresses does not see them.
    await lab.exec('vr-a', ['ip', 'route', 'add', '10.66.0.0/16', 'via', '192.0.2.200']);
    await lab.exec('attacker', ['sysctl', '-q', '-w', 'net.ipv4.icmp_ratelimit=100000']);
    lab.start('iperf3', 'a1', ['iperf3', '-s'], join(lab.directory, 'iperf3.log'));
    await ping(lab, 'b1', '10.1.0.11');
    const gndt = JSON.parse(readFileSync(join(attacked.directory, 'gndt.json'), 'utf8')) as {
      readonly routers: readonly { readonly id: string; readonly publicKey: string }[];
    };
    const key = Buffer.from(gndt.routers.find(({ id }) => id === 'vr-a')?.publicKey ?? '', 'base64');
    const file = join(lab.directory, 'initiations');
    writeFileSync(file, initiations(4_096, key));

    const quiet = await throughput(lab, PACE);
    const before = { counters: await attacked.counters(), memory: residentMiB(attacked.pid) };
    const mac1 = '02:00:00:ff:00:01';
    const to = [
      '192.0.2.1',
      '7700',
      '10.66.0.0',
      file,
      String(INITIATION_BYTES),
      String(RATE),
      String(FLOOD_SECONDS),
    ];
    const flood = lab.spawn('attacker', [`${projectRoot}build/lab-flood`, 'eth0', mac1, ...to]);
    try {
      await waitFor('the router answers with cookies', async () => {
        const { handshake_answered_with_cookie: cookies = 0 } = await attacked.counters();
        return cookies > 10_000;
      });
      const started = performance.now();
      const first = await attacked.counters();
      let paced = 0;
      for (let i = 0; i < TRIES && paced < LEAST * quiet; i++) paced = await throughput(lab, PACE);
      const last = await attacked.counters();
      const seconds = (performance.now() - started) / 1_000;
      const arrived = ((last.handshake_received ?? 0) - (first.handshake_received ?? 0)) / seconds;
      const memory = residentMiB(attacked.pid);
      t.diagnostic(`${Math.round(arrived)} initiations a second arrived at the worker`);
      t.diagnostic(`${quiet.toFixed(1)} Mbit/s before, ${paced.toFixed(1)} Mbit/s in the flood`);
      t.diagnostic(`${before.memory.toFixed(0)} MiB before, ${memory.toFixed(0)} MiB in the flood`);
      assert.ok(arrived > LEAST_ARRIVED, `only ${Math.round(arrived)} a second arrived: this was no flood`);
      assert.ok(paced >= LEAST * quiet, `${paced} of ${quiet} Mbit/s`);
      let kept = 0;
      for (let i = 0; i < TRIES && kept < LEAST_UNLIMITED; i++) {
        await shield(lab, true);
        const without = await throughput(lab, UNLIMITED);
        await shield(lab, false);
        const flooded = await throughput(lab, UNLIMITED);
        kept = flooded / without;
        t.diagnostic(
          `without a limit: ${without.toFixed(0)} Mbit/s, ${flooded.toFixed(0)} when the flood arrives`,
        );
      }
      assert.ok(kept >= LEAST_UNLIMITED, `${kept} of the throughput`);
      assert.ok(memory < before.memory + 60, `from ${before.memory} to ${memory} MiB`);
      // A true router, which has no session, gets in meanwhile: it is asked for a cookie, and has it.
      await lab.daemon('b').kill('SIGKILL');
      lab.daemon('b').start();
      await attacked.waitReady([]);
      await lab.daemon('b').waitReady(['vr-a']);
      await ping(lab, 'b1', '10.1.0.11');
      const { handshake_cookies_received: cookies = 0 } = await lab.daemon('b').counters();
      t.diagnostic(`router b was given ${cookies} cookies`);
    } finally {
      if (flood.exitCode === null && flood.signalCode === null) {
        const ended = once(flood, 'exit');
        flood.kill('SIGTERM');
        await ended;
      }
    }
  }),
);
