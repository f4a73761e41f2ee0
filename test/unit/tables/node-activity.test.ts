/** Machines that are sent packets and send none. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { type Mac, mac, macHigh, macLow } from '../../../src/net/mac.js';
import { Directory } from '../../../src/tables/directory.js';
import { ActivityCounts, NodeActivity, UNANSWERED_MS } from '../../../src/tables/forwarding/node-activity.js';
import { SimClock } from '../../support/sim-clock.js';

const BLUE = 1;
const [ONE, TWO] = [mac('52:54:00:00:00:01'), mac('52:54:00:00:00:02')];

describe('the activity of machines', () => {
  let directory: Directory;
  let activity: NodeActivity;
  let worker: ActivityCounts;
  const numberOf = (of: Mac): number => worker.numberOf(BLUE, macHigh(of), macLow(of));
  const macsOf = (machines: readonly { mac: Mac }[]): Mac[] => machines.map((machine) => machine.mac);
  const here = (address: string, of: Mac): void => void directory.originate(BLUE, Ip.of(address), of, 1);

  beforeEach(() => {
    directory = new Directory('vr-a', new SimClock());
    here('10.0.0.1', ONE);
    activity = new NodeActivity('vr-a', directory, 4);
    worker = new ActivityCounts(activity.memory, activity.macs.memory);
    here('10.0.0.2', TWO);
  });

  test('is watched while a record here has the MAC, known before or not', () => {
    assert.deepEqual([numberOf(ONE), numberOf(TWO)], [0, 1]);
    assert.deepEqual([activity.numberOf(BLUE, ONE), activity.numberOf(BLUE, TWO)], [0, 1]);
    assert.equal(worker.numberOf(2, macHigh(ONE), macLow(ONE)), -1);
    here('fd00::1', ONE);
    directory.withdraw(BLUE, Ip.of('10.0.0.1'));
    assert.equal(numberOf(ONE), 0);
    directory.withdraw(BLUE, Ip.of('fd00::1'));
    assert.equal(numberOf(ONE), -1);
    // Its number is free again.
    here('10.0.0.3', mac('52:54:00:00:00:03'));
    assert.equal(numberOf(mac('52:54:00:00:00:03')), 0);
  });

  test('says when a machine has got its number or lost it, of which address', () => {
    const told: string[] = [];
    const stop = activity.subscribe((_vnet, ip, of) => told.push(`${ip.key} ${activity.numberOf(BLUE, of)}`));
    const third = mac('52:54:00:00:00:03');
    here('10.0.0.3', third);
    here('10.0.0.4', third);
    directory.withdraw(BLUE, Ip.of('10.0.0.3'));
    directory.withdraw(BLUE, Ip.of('10.0.0.4'));
    stop();
    here('10.0.0.3', third);
    assert.deepEqual(told, ['10.0.0.3 2', '10.0.0.4 -1']);
  });

  test('tells who has been sent packets for 300 ms and sent none; again when more are sent', () => {
    activity.look(0);
    worker.sentTo(numberOf(ONE));
    assert.deepEqual(activity.look(100).unanswered, []);
    assert.deepEqual(activity.look(99 + UNANSWERED_MS).unanswered, []);
    assert.deepEqual(macsOf(activity.look(100 + UNANSWERED_MS).unanswered), [ONE]);
    assert.deepEqual(activity.look(1_000).unanswered, []);
    worker.sentTo(numberOf(ONE));
    assert.deepEqual(macsOf(activity.look(1_100).unanswered), [ONE]);
  });

  test('does not tell who answers, and says when one is heard that was told', () => {
    activity.look(0);
    for (let ms = 100; ms < 2_000; ms += 100) {
      worker.sentTo(numberOf(ONE));
      worker.sentTo(numberOf(TWO));
      worker.heardFrom(numberOf(TWO));
      const { unanswered, heard } = activity.look(ms);
      assert(!macsOf(unanswered).includes(TWO));
      assert.deepEqual(heard, []);
    }
    worker.heardFrom(numberOf(ONE));
    assert.deepEqual(macsOf(activity.look(2_000).heard), [ONE]);
    assert.deepEqual(macsOf(activity.look(2_100).heard), []);
  });

  test('counts on beyond 2^31, and takes no notice of machines that are not watched', () => {
    const counts = new Int32Array(activity.memory);
    counts.fill(2 ** 31 - 1);
    activity.look(0);
    worker.sentTo(numberOf(ONE));
    worker.sentTo(-1);
    worker.heardFrom(-1);
    activity.look(1);
    assert.deepEqual(macsOf(activity.look(1_000).unanswered), [ONE]);
  });

  test('has room for so many: what is beyond is not watched, until there is room', () => {
    const more = [3, 4, 5].map((n) => mac(`52:54:00:00:00:0${n}`));
    more.forEach((of, i) => {
      here(`10.0.1.${i}`, of);
    });
    assert.deepEqual(
      more.map((of) => numberOf(of)),
      [2, 3, -1],
    );
    directory.withdraw(BLUE, Ip.of('10.0.0.1'));
    here('10.0.2.1', mac('52:54:00:00:00:06'));
    assert.equal(numberOf(mac('52:54:00:00:00:06')), 0);
  });
});
