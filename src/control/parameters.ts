/** Query parameters and request bodies, read strictly: what is not understood is refused, never ignored. */

export type Fields = Readonly<Record<string, string | undefined>>;

/** The named query parameters, each at most once and not empty. A string says what is wrong. */
export function readQuery(query: URLSearchParams, allowed: readonly string[]): Fields | string {
  const fields: Record<string, string> = {};
  for (const [name, value] of query) {
    if (!allowed.includes(name)) return `unknown parameter "${name}"; ${takes(allowed)}`;
    if (Object.hasOwn(fields, name)) return `parameter "${name}" is given twice`;
    if (value === '') return `parameter "${name}" is empty`;
    fields[name] = value;
  }
  return fields;
}

/** A JSON object whose named members are non-empty strings. A string says what is wrong. */
export function readMembers(
  body: unknown,
  required: readonly string[],
  optional: readonly string[] = [],
): Fields | string {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return 'the body is not a JSON object';
  const fields: Record<string, string> = {};
  for (const [name, value] of Object.entries(body)) {
    if (!required.includes(name) && !optional.includes(name)) {
      return `unknown member "${name}"; ${takes([...required, ...optional])}`;
    }
    if (typeof value !== 'string' || value === '') return `"${name}" is not a string with something in it`;
    fields[name] = value;
  }
  const missing = required.find((name) => !Object.hasOwn(fields, name));
  return missing === undefined ? fields : `"${missing}" is missing`;
}

function takes(allowed: readonly string[]): string {
  return allowed.length === 0 ? 'this call takes none' : `this call takes ${allowed.join(', ')}`;
}
