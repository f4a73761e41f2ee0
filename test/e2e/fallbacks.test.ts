/**
 * Kernels that lack what the packet path would like to use: vined finds out by trying, takes the slower way and says so.
 * Each option is refused by a seccomp filter around the daemon (test/lab/refuse.c), at both routers.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatusView } from '../../src/control/api.js';
import { projectRoot } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { carryRandomStream } from './random-stream.js';
import { cannotRun, ping, withLab } from './support.js';

const STREAM_BYTES = 2_000_000;
const BYTES_PER_SECOND = 8_000_000;

/** What `vinectl status` says of the LAN and of the tunnel when all is there. */
const ALL = { lan: 'vnet-header', segmentation: true, coalescing: true };

const CASES = [
  { refused: ['UDP_SEGMENT'], shown: { ...ALL, segmentation: false }, line: /offload: coalescing$/m },
  { refused: ['UDP_GRO'], shown: { ...ALL, coalescing: false }, line: /offload: segmentation$/m },
  {
    refused: ['PACKET_VNET_HDR'],
    shown: { ...ALL, lan: 'none' },
    line: /offload: segmentation and coalescing$/m,
  },
  {
    refused: ['UDP_SEGMENT', 'UDP_GRO', 'PACKET_VNET_HDR'],
    shown: { lan: 'none', segmentation: false, coalescing: false },
    line: /offload: none$/m,
  },
] as const;

const shownBy = ({ lans, tunnel }: StatusView): object => ({
  lan: lans[0]?.offload,
  segmentation: tunnel.segmentation,
  coalescing: tunnel.coalescing,
});

for (const { refused, shown, line } of CASES) {
  test(
    `without ${refused.join(', ')}: packets arrive intact both ways, status says so`,
    { skip: cannotRun },
    (t) =>
      withLab(t, { topology: 'two-site', daemons: false }, async (lab) => {
        for (const site of ['a', 'b'] as const)
          lab.daemon(site).start([`${projectRoot}build/lab-refuse`, refused.join(',')]);
        await lab.daemon('a').waitReady(['vr-b']);
        await lab.daemon('b').waitReady(['vr-a']);
        for (const site of ['a', 'b'] as const) {
          assert.deepEqual(shownBy(await lab.daemon(site).status()), shown);
          assert.match(await lab.vinectl(site, ['status']), line);
        }
        await ping(lab, 'a1', '10.2.0.11');
        await ping(lab, 'a1', 'fd00:2::11');
        const offloads = shown.lan === 'none' ? ['tx-udp-segmentation', 'tso'] : [];
        // Without the header nothing tells where a super-packet is to be cut. TCP is cut to fit the path, which is right
        // and not bit by bit the same; UDP cannot be.
        for (const name of offloads) await lab.exec('a1', ['ethtool', '-K', 'eth0', name, 'off']);
        const { packets, frames } = await carryRandomStream(lab, 1, refused.join());
        for (const name of offloads) await lab.exec('a1', ['ethtool', '-K', 'eth0', name, 'on']);
        t.diagnostic(`${packets} packets in ${frames} frames`);
        await streams(lab);
      }),
  );
}

/** From the hosts' own kernels, which leave checksums to the interface and hand it super-packets. */
async function streams(lab: Lab): Promise<void> {
  for (const [from, to, address] of [
    ['a1', 'b1', '10.2.0.11'],
    ['b1', 'a1', 'fd00:1::11'],
  ] as const) {
    const stream = await TcpStream.open(lab, from, to, address, BYTES_PER_SECOND);
    await stream.progress(STREAM_BYTES);
    await stream.finish();
  }
}
