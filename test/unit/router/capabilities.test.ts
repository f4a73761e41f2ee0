import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkPrivileges, hasCapability } from '../../../src/router/machine/capabilities.js';

const status = (effective: string): string =>
  `Name:\tnode\nCapInh:\tffffffffffffffff\nCapPrm:\tffffffffffffffff\nCapEff:\t${effective}\nCapBnd:\tffffffffffffffff\n`;

test('reads the effective set, not the others', () => {
  assert.equal(hasCapability(status('0000000000002000'), 'CAP_NET_RAW'), true);
  assert.equal(hasCapability(status('0000000000002000'), 'CAP_NET_ADMIN'), false);
  assert.equal(hasCapability(status('0000000000001000'), 'CAP_NET_RAW'), false);
  assert.equal(hasCapability(status('0000000000001000'), 'CAP_NET_ADMIN'), true);
  assert.equal(hasCapability(status('000001ffffffffff'), 'CAP_NET_RAW'), true);
  assert.equal(hasCapability('', 'CAP_NET_RAW'), false);
});

test('without CAP_NET_RAW it cannot start, without CAP_NET_ADMIN it warns', () => {
  assert.match(checkPrivileges(status('0000000000001000')).problem ?? '', /^CAP_NET_RAW is missing/);
  const { problem, warnings } = checkPrivileges(status('0000000000002000'));
  assert.equal(problem, undefined);
  assert.match(warnings.join(), /^CAP_NET_ADMIN is missing/);
  assert.deepEqual(checkPrivileges(status('0000000000003000')), { problem: undefined, warnings: [] });
});
