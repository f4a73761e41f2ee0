/** The QR code of `vinectl node add` is read as a phone reads it: from what is on the terminal. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { encode } from 'uqr';
import { vinectl } from './harness.js';
import { modulesOf, quietZone, readQr } from './qr-reader.js';

/** ISO/IEC 18004 §5.3.8: so many light modules on every side. */
const QUIET_ZONE = 4;

function directory(t: TestContext, networks: number): string {
  const path = mkdtempSync(join(tmpdir(), 'vine-qr-'));
  t.after(() => rmSync(path, { recursive: true }));
  const publicKey = (fill: number): string => Buffer.alloc(32, fill).toString('base64');
  const gndt = {
    vnets: [{ name: 'blue', id: 1 }],
    routers: [{ id: 'vr-a', publicKey: publicKey(1), endpoints: ['udp://192.0.2.1:7700'] }],
    networks: Array.from({ length: networks }, (_, i) => ({
      vnet: 'blue',
      prefix: `10.${i + 1}.0.0/24`,
      router: 'vr-a',
    })),
  };
  writeFileSync(join(path, 'gndt.json'), JSON.stringify(gndt));
  return path;
}

for (const networks of [1, 2, 9, 25])
  test(`a code that says the same as the file: ${networks} networks`, async (t) => {
    const config = directory(t, networks);
    const argv = ['node', 'add', '--vnet', 'blue', '--ip', '10.1.0.201', '--config', config];
    const { status, out } = await vinectl(argv, { isTerminal: true });
    assert.equal(status, 0);
    const lines = out.split('\n');
    const first = lines.findIndex((line) => /^█+$/.test(line));
    assert.ok(first > 0, 'no code');
    const configuration = lines.slice(0, first - 1).join('\n');
    const drawn = lines.slice(first).filter((line) => line !== '');
    const modules = modulesOf(drawn);
    const said = readQr(modules);
    assert.equal(said.trim(), configuration.replace(/^#.*\n/gm, '').trim());
    assert.match(said, /^\[Interface\]\nPrivateKey = \S{44}\nAddress = 10\.1\.0\.201\/32\n/);
    // As the encoder meant it, module by module.
    const { data } = encode(said, { border: QUIET_ZONE });
    assert.deepEqual(modules, data);
    assert.equal(quietZone(modules), QUIET_ZONE);
  });

test('no code where there is no terminal', async (t) => {
  const argv = ['node', 'add', '--vnet', 'blue', '--ip', '10.1.0.201', '--config', directory(t, 1)];
  const { out } = await vinectl(argv);
  assert.ok(!/[█▀▄]/.test(out));
});
