/** The sample's configuration in a directory, with a key that fits. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generatePrivateKey, publicKeyOf } from '../../src/config/keys.js';
import { type JsonObject, sample } from '../unit/config/sample.js';

/** @returns gndt.json, not signed */
export function writeConfiguration(directory: string, router: JsonObject): JsonObject {
  const files = { ...sample(), router };
  const key = generatePrivateKey();
  const [own, ...others] = files.gndt.routers as JsonObject[];
  files.gndt.routers = [{ ...own, publicKey: publicKeyOf(key) ?? '' }, ...others];
  for (const name of ['router', 'gndt', 'lndt'] as const)
    writeFileSync(join(directory, `${name}.json`), JSON.stringify(files[name]));
  writeFileSync(join(directory, 'router.key'), `${key}\n`, { mode: 0o600 });
  return files.gndt;
}
