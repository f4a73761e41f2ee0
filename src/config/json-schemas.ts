/** The published JSON Schemas, made from the schemas that the router itself reads its files by. */
import { z } from 'zod';
import { adviceSchema } from '../tables/files/advice-file.js';
import { gndtSchema } from '../tables/files/gndt-file.js';
import { lndtSchema } from '../tables/files/lndt-file.js';
import { routerSchema } from '../tables/files/router-file.js';

const SCHEMAS = { router: routerSchema, gndt: gndtSchema, lndt: lndtSchema, advice: adviceSchema } as const;

/** File name → its text, as it is committed in config/schema. */
export function jsonSchemaFiles(): Map<string, string> {
  return new Map(
    Object.entries(SCHEMAS).map(([name, schema]) => {
      const published = z.toJSONSchema(schema, { io: 'input' });
      return [`${name}.schema.json`, `${layOut(JSON.stringify(published, null, 2))}\n`];
    }),
  );
}

const LINE_WIDTH = 110;

/** As the project's formatter lays JSON out: a list of texts on one line when it fits. */
function layOut(json: string): string {
  return json.replace(/^.*\[\n\s*("[^"]*"(,\n\s*"[^"]*")*)\n\s*\],?$/gm, (block) => {
    const line = block
      .replace(/\n\s*/g, ' ')
      .replace('[ ', '[')
      .replace(/ \](,?)$/, ']$1');
    return line.length <= LINE_WIDTH ? line : block;
  });
}
