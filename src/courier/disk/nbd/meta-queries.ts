/** What NBD_OPT_LIST_META_CONTEXT and NBD_OPT_SET_META_CONTEXT ask for: be32 length, name, be32 count, that many of be32 length, query. */
import { MOST_STRING_BYTES } from './spec.js';

const MOST_QUERIES = 64;

export interface MetaQueries {
  /** Of the export. */
  readonly name: string;
  readonly queries: readonly string[];
}

/** Undefined: the lengths do not fit. */
export function decodeMetaQueries(data: Buffer): MetaQueries | undefined {
  let at = 0;
  const number = (): number | undefined => {
    if (at + 4 > data.length) return undefined;
    at += 4;
    return data.readUInt32BE(at - 4);
  };
  const text = (): string | undefined => {
    const length = number();
    if (length === undefined || length > MOST_STRING_BYTES || at + length > data.length) return undefined;
    at += length;
    return data.toString('utf8', at - length, at);
  };
  const name = text();
  const count = number();
  if (name === undefined || count === undefined || count > MOST_QUERIES) return undefined;
  const queries: string[] = [];
  while (queries.length < count) {
    const query = text();
    if (query === undefined) return undefined;
    queries.push(query);
  }
  return at === data.length ? { name, queries } : undefined;
}
