/** A client that opens 200 connections to the control socket and reads nothing costs the tunnel nothing. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import type { StatusView } from '../../src/control/api.js';
import { getJson } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import { cannotRun, ping, round, withLab } from './support.js';

const connections = 200;
const measuredSeconds = 2;
const rounds = 3;
/** Best of the rounds each. Two processors run both routers, both ends of the stream and the clients: a share that noise does not take away. */
const leastShare = 0.7;

/** Each asks for something that is long or never ends, and reads nothing of it. */
async function openSilent(path: string): Promise<readonly Socket[]> {
  return Promise.all(
    Array.from({ length: connections }, (_, i) => {
      const socket = connect(path).pause();
      const ask = `GET /v1/${i % 2 === 0 ? 'events?follow=1' : 'counters'} HTTP/1.1\r\nHost: vined\r\n\r\n`;
      // Beyond its limit the router closes them: that is its right.
      socket.on('error', () => undefined);
      return new Promise<Socket>((resolve) =>
        socket.once('connect', () => socket.write(ask, () => resolve(socket))),
      );
    }),
  );
}

/** Bits per second that a TCP connection gets through the tunnel. */
async function throughput(lab: Lab): Promise<number> {
  const server = lab.spawn('b1', ['iperf3', '-s', '-1', '--forceflush', '-B', '10.2.0.11']);
  await new Promise((resolve) => server.stdout.once('data', resolve));
  const text = await lab.exec('a1', ['iperf3', '-J', '-t', String(measuredSeconds), '-c', '10.2.0.11']);
  const { end } = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
  return end.sum_received.bits_per_second;
}

test('200 silent connections to the control socket do not slow the tunnel', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site' }, async (lab) => {
    await ping(lab, 'a1', '10.2.0.11');
    const quiet: number[] = [];
    const flooded: number[] = [];
    for (let i = 0; i < rounds; i++) {
      quiet.push(await throughput(lab));
      const silent = await openSilent(lab.daemon('a').socket);
      flooded.push(await throughput(lab));
      for (const socket of silent) socket.destroy();
    }
    const best = (values: readonly number[]): number => Math.max(...values);
    const share = best(flooded) / best(quiet);
    const mbit = (values: readonly number[]): string => round(best(values) / 1e6);
    t.diagnostic(`${mbit(quiet)} Mbit/s without, ${mbit(flooded)} Mbit/s with: ${share.toFixed(2)}`);
    assert.ok(share >= leastShare, `only ${share.toFixed(2)} of the throughput is left`);
    // And it answers again.
    for (let tries = 0; ; tries++) {
      const status = await getJson<StatusView>(lab.daemon('a').socket, '/v1/status').catch(() => undefined);
      if (status?.ready === true) break;
      assert.ok(tries < 100, 'the control socket does not recover');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }),
);
