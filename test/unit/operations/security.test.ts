/** docs/security.md says which test each of its "cannot" stands on: they are there, under that name. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';

const root = new URL('../../../../', import.meta.url).pathname;
const straight = (text: string): string => text.replaceAll('’', "'");

/** Files of `test/` that a name like `sim/mad-floods` or `sim/mad-random-*` stands for. */
function filesOf(name: string): string[] {
  const [directory, pattern] = [join(root, 'test', dirname(name)), basename(name)];
  const all = existsSync(directory) ? readdirSync(directory) : [];
  return all
    .filter((file) =>
      pattern.endsWith('*')
        ? file.startsWith(pattern.slice(0, -1)) && file.endsWith('.test.ts')
        : file === `${pattern}.test.ts` || file === `${pattern}.ts`,
    )
    .map((file) => join(directory, file));
}

test('each sentence about what cannot be done has its test', () => {
  const document = straight(readFileSync(join(root, 'docs/security.md'), 'utf8'));
  const rows = document.split('\n').filter((line) => /^\|.*`(unit|sim|contract|e2e)\//.test(line));
  assert.ok(rows.length > 20, `${rows.length} rows`);
  for (const row of rows) {
    const names = [...row.matchAll(/`((?:unit|sim|contract|e2e)\/[^`]+)`/g)].map(([, name]) => name ?? '');
    const texts = names.map((name) => {
      const files = filesOf(name);
      assert.ok(files.length > 0, `no file test/${name}: ${row}`);
      return files.map((file) => straight(readFileSync(file, 'utf8'))).join('\n');
    });
    for (const [, title = ''] of row.matchAll(/"([^"]+)"/g)) {
      assert.ok(
        texts.some((text) => text.includes(title)),
        `no test "${title}" in ${names.join(', ')}`,
      );
    }
  }
});
