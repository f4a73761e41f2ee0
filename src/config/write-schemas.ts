/** Writes config/schema/*.json anew; run after a change of the files' schemas: node dist/src/config/write-schemas.js */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { jsonSchemaFiles } from './json-schemas.js';

const directory = fileURLToPath(new URL('../../../config/schema/', import.meta.url));
mkdirSync(directory, { recursive: true });
for (const [name, text] of jsonSchemaFiles()) {
  writeFileSync(`${directory}${name}`, text);
  process.stdout.write(`config/schema/${name}\n`);
}
