import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pickAddress } from '../../../src/config/free-address.js';
import { GNDT_FILE, gndtSchema } from '../../../src/tables/files/gndt-file.js';
import { parseFile } from '../../../src/tables/files/schema.js';

function fileWith(ips: readonly string[], prefix = '10.1.0.0/24') {
  const key = (byte: number): string => Buffer.alloc(32, byte).toString('base64');
  const read = parseFile(
    GNDT_FILE,
    JSON.stringify({
      vnets: [{ name: 'blue', id: 1 }],
      routers: [
        { id: 'vr-a', publicKey: key(1) },
        { id: 'vr-b', publicKey: key(2) },
      ],
      networks: [
        {
          vnet: 'blue',
          prefix,
          router: 'vr-a',
          ...(prefix === '10.1.0.0/24' ? { gateway: '10.1.0.254' } : {}),
        },
        { vnet: 'blue', prefix: 'fd00:2::/64', router: 'vr-b' },
      ],
      nodes: ips.map((ip, i) => ({ vnet: 'blue', ip, publicKey: key(3 + i), via: 'vr-a' })),
    }),
    gndtSchema,
  );
  if ('errors' in read) throw new Error(JSON.stringify(read.errors));
  return read.value;
}

test('takes the last address that is neither broadcast, gateway nor a client', () => {
  assert.equal(String(pickAddress(fileWith([]), { vnet: 'blue' })), '10.1.0.253');
  assert.equal(String(pickAddress(fileWith(['10.1.0.253', '10.1.0.251']), { vnet: 'blue' })), '10.1.0.252');
});

test('of the network that is named, or that of the router', () => {
  const last = 'fd00:2::ffff:ffff:ffff:ffff';
  assert.equal(String(pickAddress(fileWith([]), { vnet: 'blue', via: 'vr-b' })), last);
  assert.equal(String(pickAddress(fileWith([]), { vnet: 'blue', network: 'fd00:2::/64' })), last);
});

test('says what is wrong', () => {
  assert.match(String(pickAddress(fileWith([]), { vnet: 'red' })), /"red" has no network in gndt.json/);
  assert.match(
    String(pickAddress(fileWith([]), { vnet: 'blue', network: '10.9.0.0/24' })),
    /no network 10.9/,
  );
  const full = fileWith(['10.1.0.1', '10.1.0.2'], '10.1.0.0/30');
  assert.match(String(pickAddress(full, { vnet: 'blue' })), /no address left/);
});
