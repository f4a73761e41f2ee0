/** docs/openapi.json as tests use it: answers are held against it strictly, so that a field that it lacks is found. */
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';

interface Media {
  readonly content: { readonly 'application/json': { readonly schema: object } };
}

export interface Operation {
  readonly parameters?: readonly {
    readonly name: string;
    readonly schema: { readonly enum?: readonly string[] };
  }[];
  readonly requestBody?: Media;
  readonly responses: Readonly<Record<string, Media>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: object;
}

/** From dist/test/unit/control to the checkout's docs. */
export const openapi = JSON.parse(
  readFileSync(new URL('../../../../docs/openapi.json', import.meta.url), 'utf8'),
) as Document;

/** `GET /v1/status` … */
export function operations(): Map<string, Operation> {
  return new Map(
    Object.entries(openapi.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation]),
    ),
  );
}

/** Objects whose members are listed may have no others. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, strict(value)]));
  return 'properties' in copy && !('additionalProperties' in copy) && 'type' in copy
    ? { ...copy, additionalProperties: false }
    : copy;
}

const ajv = new Ajv2020({
  strict: true,
  allowUnionTypes: true,
  allErrors: true,
  formats: { 'date-time': isTime },
});
ajv.addVocabulary(['components']);
ajv.addSchema({ $id: 'openapi', components: strict(openapi.components) } as object);

function isTime(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/.test(text) && !Number.isNaN(Date.parse(text));
}

/** What is wrong with an answer; empty when nothing is. */
export function faultsOf(call: string, status: number, body: unknown): string {
  const schema = operations().get(call)?.responses[String(status)]?.content['application/json'].schema;
  if (schema === undefined) return `${call}: status ${status} is not in docs/openapi.json`;
  const text = JSON.stringify(strict(schema)).replaceAll('"#/components', '"openapi#/components');
  const validate = ajv.compile(JSON.parse(text) as object);
  return validate(body) ? '' : `${call} ${status}: ${ajv.errorsText(validate.errors)}`;
}
