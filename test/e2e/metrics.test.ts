/** /metrics of a running router: all that docs/metrics.md lists, nothing else, and figures that follow what happens. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import { waitFor } from '../lab/wait.js';
import { readConfig, writeConfig } from './reload-support.js';
import { cannotRun, ping, untilKnownAt, withLab } from './support.js';

type Samples = ReadonlyMap<string, number>;

async function scrape(lab: Lab): Promise<{ samples: Samples; names: readonly string[] }> {
  const text = await lab.exec('vr-b', ['curl', '-sS', '--fail', 'http://127.0.0.1:9770/metrics']);
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const samples = new Map(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' ') + 1)),
    ]),
  );
  return {
    samples,
    names: [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`),
  };
}

function documented(): string[] {
  const text = readFileSync(join(projectRoot, 'docs/metrics.md'), 'utf8');
  return [...text.matchAll(/^\| `(vine_\w+)` \| (\w+) \|/gm)].map(([, name, type]) => `${name} ${type}`);
}

test('metrics are as documented, and follow traffic, drops and a move', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site', wanDelayMs: 5 }, async (lab) => {
    const daemon = lab.daemon('b');
    writeConfig(daemon, 'router', { ...readConfig(daemon, 'router'), metrics: { listen: '127.0.0.1:9770' } });
    assert.equal(
      await lab.vinectl('b', ['reload']),
      '~ metrics.listen  none → 127.0.0.1:9770\n1 change applied\n',
    );
    await ping(lab, 'b1', '10.1.0.11');
    await ping(lab, 'vm', '10.2.0.11');
    await untilKnownAt(lab, 'b', '10.1.0.9', 'a');
    const before = await scrape(lab);
    assert.deepEqual([...before.names].sort(), documented().sort());
    const value = (samples: Samples, name: string): number => samples.get(name) ?? 0;
    for (const name of ['vine_ready', 'vine_peers{state="up"}', 'vine_peer_up{peer="vr-a"}'])
      assert.equal(value(before.samples, name), 1, name);
    for (const name of [
      'vine_peer_rtt_seconds{peer="vr-a"}',
      'vine_peer_bytes_total{peer="vr-a",direction="sent"}',
      'vine_peer_bytes_total{peer="vr-a",direction="received"}',
      'vine_vnet_packets_total{vnet="blue",direction="to_tunnel"}',
      'vine_vnet_bytes_total{vnet="blue",direction="to_lan"}',
      'vine_table_entries{table="forwarding"}',
      'vine_control_messages_received_total{type="hello"}',
      'vine_worker_busy_seconds_total{worker="lan-to-tunnel"}',
      'vine_worker_busy_seconds_total{worker="tunnel-to-lan"}',
      'vine_sessions_established_total',
      'vine_handshake_messages_total{message="received"}',
      'vine_process_resident_memory_bytes',
    ])
      assert.ok(value(before.samples, name) > 0, name);
    // Pings from b1 and answers to vm, both ways; of one's own site only what leaves it is counted.
    await waitFor('traffic is counted by sites', async () => {
      const { samples } = await scrape(lab);
      const labels = 'vnet="blue",source_site="vr-b",destination_site="vr-a"';
      return (
        value(samples, `vine_traffic_packets_total{${labels}}`) >= 2 &&
        value(samples, `vine_traffic_bytes_total{${labels}}`) >= 2 * 84
      );
    });
    const rtt = value(before.samples, 'vine_peer_rtt_seconds{peer="vr-a"}');
    assert.ok(rtt >= 0.01 && rtt < 1, `RTT ${rtt} s`);

    await lab.move('vm', 'b');
    await untilKnownAt(lab, 'a', '10.1.0.9', 'b');
    await lab.attempt('b1', ['ping', '-q', '-c', '3', '-i', '0.2', '-W', '1', '10.99.0.1']);
    await waitFor('the move is counted', async () => {
      const { samples } = await scrape(lab);
      return samples.get('vine_moves_total{role="destination",verdict="accepted"}') === 1;
    });
    const after = await scrape(lab);
    const grown = (name: string): number => value(after.samples, name) - value(before.samples, name);
    assert.equal(grown('vine_nodes{state="visiting"}') > 0, true);
    assert.equal(value(after.samples, 'vine_move_detection_to_claim_seconds_count'), 1);
    const acknowledged = value(after.samples, 'vine_move_claim_to_acknowledged_seconds_sum');
    assert.ok(acknowledged >= 0.01 && acknowledged < 2, `acknowledged after ${acknowledged} s`);
    const blackout = value(after.samples, 'vine_move_blackout_estimated_seconds_sum');
    assert.ok(blackout >= 0.01 && blackout < 1, `blackout ${blackout} s`);
    assert.ok(grown('vine_drops_total{reason="no_route"}') >= 3, 'drops are not counted');
  }),
);
