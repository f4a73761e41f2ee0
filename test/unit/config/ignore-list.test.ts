import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ignoreList } from '../../../src/config/ignore-list.js';
import { mac } from '../../../src/net/mac.js';

const TWO = [mac('fe:54:00:00:00:0a'), mac('02:00:00:00:00:09'), mac('fe:54:00:00:00:0a')];
const HEAD =
  'Machines that visit this site and have their leases from home. Written by ViNe: changes are lost.';

test('for dnsmasq: a line for each machine, in the order of the MACs', () => {
  assert.equal(ignoreList(TWO, 'dnsmasq'), `# ${HEAD}\n02:00:00:00:00:09,ignore\nfe:54:00:00:00:0a,ignore\n`);
  assert.equal(ignoreList([], 'dnsmasq'), `# ${HEAD}\n`);
});

test('for Kea: a list of reservations', () => {
  const text = ignoreList(TWO, 'kea');
  const [comment, ...rest] = text.split('\n');
  assert.equal(comment, `// ${HEAD}`);
  assert.deepEqual(JSON.parse(rest.join('\n')), [
    { 'hw-address': '02:00:00:00:00:09', 'client-classes': ['DROP'] },
    { 'hw-address': 'fe:54:00:00:00:0a', 'client-classes': ['DROP'] },
  ]);
  assert.equal(ignoreList([], 'kea'), `// ${HEAD}\n[\n]\n`);
});

test('for dhcpd: a host for each machine, by a name of its own', () => {
  assert.equal(
    ignoreList(TWO, 'dhcpd'),
    `# ${HEAD}
host vine-020000000009 { hardware ethernet 02:00:00:00:00:09; ignore booting; }
host vine-fe540000000a { hardware ethernet fe:54:00:00:00:0a; ignore booting; }
`,
  );
});
