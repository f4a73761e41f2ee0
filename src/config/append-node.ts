/** Puts an entry into gndt.json's `nodes` without touching the rest of the text: people lay their files out. */
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';

/** @param source valid JSON, an object at its top */
export function appendNode(source: string, node: object): string {
  const entry = JSON.stringify(node)
    .replaceAll('":"', '": "')
    .replaceAll('","', '", "')
    .replace(/^\{(.*)\}$/, '{ $1 }');
  const list = listOf(source, 'nodes');
  if (list === undefined) {
    const end = source.lastIndexOf('}');
    const isEmpty = /\{\s*$/.test(source.slice(0, end));
    return `${source.slice(0, end).trimEnd()}${isEmpty ? '' : ','}\n  "nodes": [\n    ${entry}\n  ]\n${source.slice(end)}`;
  }
  const inside = source.slice(list.start, list.end);
  const comma = inside.trim() === '' ? '' : ',';
  return `${source.slice(0, list.start)}${inside.trimEnd()}${comma}\n    ${entry}\n  ${source.slice(list.end)}`;
}

/** Where the list of that key of the top object begins (behind its bracket) and ends (at its bracket). */
function listOf(source: string, key: string): { start: number; end: number } | undefined {
  let depth = 0;
  let start: number | undefined;
  const tokens = /"(?:[^"\\]|\\.)*"(\s*:\s*\[)?|[[\]{}]/g;
  for (let token = tokens.exec(source); token !== null; token = tokens.exec(source)) {
    const [text, opens] = token;
    const name = opens === undefined ? undefined : text.slice(0, text.length - opens.length);
    if (name !== undefined && JSON.parse(name) === key && depth === 1) start = tokens.lastIndex;
    if (opens !== undefined || text === '[' || text === '{') depth++;
    if (text !== ']' && text !== '}') continue;
    depth--;
    if (start !== undefined && depth === 1) return { start, end: token.index };
  }
  return undefined;
}

/** Replaces a file in one step, its owner and mode kept; on failure it is as before. Throws what the system says. */
export function replaceFile(path: string, text: string): void {
  const status = statSync(path);
  const temporary = `${path}.${process.pid}.new`;
  try {
    const file = openSync(temporary, 'wx', 0o600);
    try {
      writeSync(file, text);
      fchmodSync(file, status.mode & 0o7777);
      fchownSync(file, status.uid, status.gid);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
