/** A record as the batch maker wants it: pages of the disk that may be replaced by references, the rest verbatim. Pure. */
import { PAGE_BYTES, type Token } from '../../stream/token.js';
import { type DiskRecord, recordHead } from '../record.js';

/** Pages begin at multiples of their size on the disk, so that a file system's blocks are found again wherever they are. */
export function tokensOf(record: DiskRecord): Token[] {
  const tokens: Token[] = [{ kind: 'verbatim', bytes: recordHead(record) }];
  const { offset, data } = record;
  if (data === undefined) return tokens;
  let at = Math.min(data.length, (PAGE_BYTES - (offset % PAGE_BYTES)) % PAGE_BYTES);
  if (at > 0) tokens.push({ kind: 'verbatim', bytes: data.subarray(0, at) });
  for (; at + PAGE_BYTES <= data.length; at += PAGE_BYTES)
    tokens.push({ kind: 'page', bytes: data.subarray(at, at + PAGE_BYTES) });
  if (at < data.length) tokens.push({ kind: 'verbatim', bytes: data.subarray(at) });
  return tokens;
}
