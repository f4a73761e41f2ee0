import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CounterClasses, DeclaredCounters, prefixed } from '../../../src/net/counters.js';

const TABLE = { sent: 'event', 'sent_*': 'event', 'drop_*': 'drop', 'drop_duplicate_*': 'event' } as const;

test('counts by declared name; a reason’s dashes become underscores', () => {
  const counters = new DeclaredCounters(TABLE);
  counters.count('sent');
  counters.count('sent', 2);
  counters.count('drop_bad-mac');
  // @ts-expect-error: a name that is in no table does not compile.
  counters.count('received');
  assert.equal(counters.get('sent'), 3);
  assert.equal(counters.get('drop_bad-mac'), 1);
  assert.equal(counters.get('drop_other'), 0);
  assert.deepEqual(counters.counters(), { drop_bad_mac: 1, received: 1, sent: 3 });
});

test('a class by the name itself, else by the family that begins with most of it', () => {
  const classes = new CounterClasses([TABLE, prefixed('lan_', { 'lost_*': 'drop' })]);
  assert.equal(classes.of('sent'), 'event');
  assert.equal(classes.of('sent_hello'), 'event');
  assert.equal(classes.of('drop_too_long'), 'drop');
  assert.equal(classes.of('drop_duplicate_claim'), 'event');
  assert.equal(classes.of('lan_lost_frames'), 'drop');
  assert.equal(classes.of('lost_frames'), undefined);
  assert.equal(classes.of('received'), undefined);
});

test('a name of another form, or of two classes, is a mistake of the declaration', () => {
  assert.throws(() => new CounterClasses([{ 'bad-name': 'drop' }]), /no counter's name/);
  assert.throws(() => new CounterClasses([{ 'a*b': 'drop' }]), /no counter's name/);
  assert.throws(() => new CounterClasses([{ a: 'drop' }, { a: 'event' }]), /declared as drop and as event/);
  assert.doesNotThrow(() => new CounterClasses([{ a: 'drop' }, { a: 'drop' }]));
});
