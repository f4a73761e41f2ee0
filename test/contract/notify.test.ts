/** The addon's datagram to a service manager, against a real socket. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadNative } from '../../src/dataplane/native.js';
import { NotifyListener } from '../lab/service/listener.js';
import { waitFor } from '../lab/wait.js';

const directory = mkdtempSync(join(tmpdir(), 'vine-notify-'));
after(() => rmSync(directory, { recursive: true }));

const native = loadNative();
const text = (line: string): Uint8Array => new TextEncoder().encode(line);

for (const [kind, path] of [
  ['a path', join(directory, 'socket')],
  ['an abstract name', `@vine-notify-${process.pid}`],
] as const) {
  test(`what is said arrives, at ${kind}`, async () => {
    const listener = await NotifyListener.at(path);
    try {
      native.notifySystemd(path, text('READY=1\nSTATUS=größer\n'));
      await waitFor('both lines', () => listener.notices.length === 2);
      assert.deepEqual(
        listener.notices.map((notice) => notice.text),
        ['READY=1', 'STATUS=größer'],
      );
    } finally {
      listener.close();
    }
  });
}

test('what cannot be said throws, with the reason', () => {
  const code = (path: string): unknown => {
    try {
      native.notifySystemd(path, text('READY=1'));
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    }
    return 'nothing thrown';
  };
  assert.equal(code(join(directory, 'nobody')), 'ENOENT');
  assert.equal(code(`@vine-nobody-${process.pid}`), 'ECONNREFUSED');
  assert.equal(code(`/${'x'.repeat(107)}`), 'ENAMETOOLONG');
  assert.equal(code(''), 'EINVAL');
  assert.throws(() => native.notifySystemd('/x', 'READY=1' as unknown as Uint8Array), TypeError);
});
