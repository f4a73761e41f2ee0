/** Every way in which a move is announced, or not, is noticed, and a connection goes on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MigrationView } from '../../src/control/api.js';
import type { Announcement } from '../lab/mover.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { cannotRun, round, untilKnownAt, withLab } from './support.js';

interface Case {
  readonly node: string;
  readonly ip: string;
  readonly announce: Announcement;
  /** What may have set the move off, as the router names it. */
  readonly triggers: readonly string[];
}

const cases: readonly Case[] = [
  { node: 'vm', ip: '10.1.0.9', announce: 'rarp', triggers: ['rarp'] },
  {
    node: 'vm20',
    ip: '10.1.0.20',
    announce: 'garp',
    triggers: ['gratuitous-arp', 'neighbour-advertisement'],
  },
  { node: 'vm21', ip: '10.1.0.21', announce: 'both', triggers: ['rarp', 'gratuitous-arp'] },
  { node: 'vm22', ip: '10.1.0.22', announce: 'none', triggers: ['arp'] },
];
const bytesBetween = 100_000;
/** Nothing leaves by IP. Announcements are made past it, as by a hypervisor. */
const QUIET = 'add table inet quiet { chain out { type filter hook output priority 0; policy drop; }; }';

test('announcements: RARP, gratuitous ARP, both, none', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site', wanDelayMs: 10, moreVms: 3 }, async (lab) => {
    for (const { node, ip, announce, triggers } of cases)
      await t.test(announce, async (t) => {
        await untilKnownAt(lab, 'b', ip, 'a');
        const stream = await TcpStream.open(lab, 'a1', node, ip);
        await stream.progress(bytesBetween);
        await stream.mark();
        // Else a packet of its connection may be heard first, and it is asked before it announces itself.
        if (announce !== 'none') await lab.exec(node, ['nft', QUIET]);
        await lab.move(node, 'b', { announce });
        // Silent until its kernel has something to ask: here, for a host to which it has not spoken before.
        if (announce === 'none') await lab.attempt(node, ['ping', '-n', '-c', '1', '-W', '1', '10.1.0.12']);
        await untilKnownAt(lab, 'a', ip, 'b');
        if (announce !== 'none') await lab.exec(node, ['nft', 'delete table inet quiet']);
        await stream.progress(bytesBetween);
        const moves = await lab.daemon('b').get<readonly MigrationView[]>('/v1/migrations');
        const move = moves.find(({ ips }) => ips.includes(ip));
        assert.ok(move !== undefined && triggers.includes(move.trigger), `trigger: ${move?.trigger}`);
        t.diagnostic(`${announce}: trigger ${move.trigger}, longest TCP gap ${round(stream.gapMs)} ms`);
        await stream.finish();
      });
  }),
);
