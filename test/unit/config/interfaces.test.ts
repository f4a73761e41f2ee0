import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkInterfaces, listInterfaces } from '../../../src/config/interfaces.js';
import { formatConfigError } from '../../../src/tables/files/error.js';
import { parse, spoilt } from './sample.js';

function config() {
  const lans = [
    { interface: 'lan0', vnet: 'blue' },
    { interface: 'eth1', vnet: 'green' },
  ];
  const outcome = parse(spoilt(['router', 'lans'], lans));
  assert.ok('value' in outcome);
  return outcome.value;
}

test('interfaces that are there are fine', () => {
  assert.deepEqual(
    checkInterfaces(config(), () => true),
    [],
  );
});

test('an interface that is not there is named by its place, with those there are', () => {
  const there = ['lo', 'eth0', 'lan0'];
  const errors = checkInterfaces(
    config(),
    (name) => there.includes(name),
    () => there,
  );
  assert.deepEqual(errors.map(formatConfigError), [
    'router.json: lans[1].interface: this machine has no interface "eth1" (did you mean "eth0"?); it has eth0, lan0',
  ]);
});

test('a machine with loopback only', () => {
  const errors = checkInterfaces(
    config(),
    () => false,
    () => ['lo'],
  );
  assert.deepEqual(
    errors.map(({ path, message }) => [path, message]),
    [
      ['lans[0].interface', 'this machine has no interface "lan0"; it has none'],
      ['lans[1].interface', 'this machine has no interface "eth1"; it has none'],
    ],
  );
});

test('this machine has at least its loopback interface', () => {
  assert.ok(listInterfaces().includes('lo'));
  assert.equal(
    checkInterfaces(config()).length,
    config().router.lans.filter(({ interface: name }) => !listInterfaces().includes(name)).length,
  );
});
