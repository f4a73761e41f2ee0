/** A router that goes on saying what is refused is in sight: vinectl peers, doctor, the events. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventView, FindingView } from '../../src/control/api.js';
import { Ip } from '../../src/net/ip.js';
import type { TableMessage } from '../../src/protocol/table-message.js';
import { MAX_SEQUENCE } from '../../src/tables/record.js';
import { Member } from '../lab/member/member.js';
import { waitFor } from '../lab/wait.js';
import { cannotRun, withLab } from './support.js';

/** That a record is beaten by a number that nobody may say, whether it was told of the record or not. */
const OUT_OF_REACH: TableMessage = {
  type: 'stale',
  records: [{ vnet: 1, ip: Ip.of('10.1.0.9'), seq: MAX_SEQUENCE, router: 'vr-b' }],
};

test('a member that goes on with what is refused', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site', wanDelayMs: 1 }, async (lab) => {
    const daemon = lab.daemon('a');
    const peer = async () => (await daemon.peers()).find(({ id }) => id === 'vr-b') ?? assert.fail();
    assert.deepEqual([(await peer()).refusals, (await peer()).misbehaving], [0, false]);
    await lab.daemon('b').kill();
    const member = Member.start(lab, 'b');
    await member.waitUp(['a']);
    await member.flood('a', OUT_OF_REACH, 200);
    await waitFor('it misbehaves', async () => (await peer()).misbehaving);
    assert.match(await lab.vinectl('a', ['peers']), /REFUSED.*\nvr-b .*\d+, misbehaving/);
    const findings = await daemon.get<readonly FindingView[]>('/v1/doctor');
    assert.ok(
      findings.some(({ check, subject, level }) => `${check} ${subject} ${level}` === 'conduct vr-b error'),
    );
    const told = await waitFor(
      'the summary',
      async () =>
        (await daemon.get<readonly EventView[]>('/v1/events')).find(({ event }) => event === 'peer_refusals'),
      15_000,
    );
    assert.equal(told.peer, 'vr-b');
    assert.match(String((told.refusals as readonly string[])[0]), /^stale .* \d+$/);
    await member.leave();
  }),
);
