/** Two ranks of listeners: who hears of a change when. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { RankedSubscribers } from '../../../src/tables/ranked-subscribers.js';

describe('listeners of two ranks', () => {
  let topic: RankedSubscribers<number>;
  let heard: string[];

  beforeEach(() => {
    topic = new RankedSubscribers();
    heard = [];
    // Subscribed before the first rank: the rank counts.
    topic.subscribeLater((change) => heard.push(`later ${change}`));
    topic.subscribe((change) => heard.push(`first ${change}`));
  });

  test('the later ones hear of a change before whoever made it goes on', () => {
    topic.notify(1);
    topic.notify(2);
    assert.deepEqual(heard, ['first 1', 'later 1', 'first 2', 'later 2']);
  });

  test('held back they hear of all changes in their order, when the outermost work is done', () => {
    topic.hold(() => {
      topic.notify(1);
      topic.hold(() => topic.notify(2));
      heard.push('said');
    });
    assert.deepEqual(heard, ['first 1', 'first 2', 'said', 'later 1', 'later 2']);
  });

  test('also when the work fails', () => {
    const fail = (): void =>
      topic.hold(() => {
        topic.notify(1);
        throw new Error('no');
      });
    assert.throws(fail, /no/);
    topic.notify(2);
    assert.deepEqual(heard, ['first 1', 'later 1', 'first 2', 'later 2']);
  });

  test('or at once, when they are asked for something', () => {
    topic.hold(() => {
      topic.notify(1);
      topic.catchUp();
      heard.push('asked');
      topic.notify(2);
    });
    assert.deepEqual(heard, ['first 1', 'later 1', 'asked', 'first 2', 'later 2']);
  });

  test('a change that one of the first causes is heard of by all of the first, then both by the later ones', () => {
    topic.subscribe((change) => {
      if (change === 1) topic.notify(2);
    });
    topic.subscribe((change) => heard.push(`last ${change}`));
    topic.notify(1);
    assert.deepEqual(heard, ['first 1', 'first 2', 'last 2', 'last 1', 'later 1', 'later 2']);
  });

  test('a change that one of the later ones causes comes behind what they have not heard yet', () => {
    topic.subscribeLater((change) => {
      if (change < 3) topic.notify(change + 10);
      topic.catchUp();
    });
    topic.hold(() => {
      topic.notify(1);
      topic.notify(2);
    });
    assert.deepEqual(
      heard.filter((line) => line.startsWith('later')),
      ['later 1', 'later 2', 'later 11', 'later 12'],
    );
  });

  test('no more than 16 changes wait', () => {
    topic.hold(() => {
      for (let n = 1; n <= 16; n++) topic.notify(n);
      assert.equal(heard.length, 16);
      topic.notify(17);
      assert.equal(heard.length, 34);
    });
  });

  test('who stops hears no more', () => {
    const stop = topic.subscribeLater(() => assert.fail('it has stopped'));
    stop();
    topic.notify(1);
  });
});
