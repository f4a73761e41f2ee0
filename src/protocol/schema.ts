/** proto/vine.proto, parsed once per process. The file is part of the installation: its absence is a start-up error. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

const FILE = join('proto', 'vine.proto');

let envelopeType: protobuf.Type | undefined;

/** The type `vine.Envelope`, with all that it refers to. About 10 ms the first time. */
export function loadEnvelopeType(): protobuf.Type {
  envelopeType ??= parse(readFileSync(findSchema(), 'utf8'));
  return envelopeType;
}

function parse(text: string): protobuf.Type {
  return protobuf.parse(text).root.resolveAll().lookupType('vine.Envelope');
}

/** The package's root is above this file, at a distance that differs between src and dist. */
function findSchema(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const candidate = join(directory, FILE);
    if (existsSync(candidate)) return candidate;
    const parent = dirname(directory);
    if (parent === directory) throw new Error(`${FILE} is missing from the installation`);
    directory = parent;
  }
}
