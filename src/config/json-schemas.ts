/** The published JSON Schemas, made from the schemas that the router itself reads its files by. */
import { z } from 'zod';
import { gndtSchema } from '../tables/files/gndt-file.js';
import { lndtSchema } from '../tables/files/lndt-file.js';
import { routerSchema } from '../tables/files/router-file.js';

const SCHEMAS = { router: routerSchema, gndt: gndtSchema, lndt: lndtSchema } as const;

/** File name → its text, as it is committed in config/schema. */
export function jsonSchemaFiles(): Map<string, string> {
  return new Map(
    Object.entries(SCHEMAS).map(([name, schema]) => {
      const published = z.toJSONSchema(schema, { io: 'input' });
      return [`${name}.schema.json`, `${JSON.stringify(published, null, 2)}\n`];
    }),
  );
}
