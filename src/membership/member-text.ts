/** Sets one member of a JSON object's text and leaves every other byte as it is: people lay their files out. */

interface Span {
  /** Of its value, from the first character to behind the last one. */
  readonly start: number;
  readonly end: number;
}

/** @param source valid JSON with an object at its top @param value JSON on one line */
export function setMember(source: string, key: string, value: string): string {
  const span = memberOf(source, key);
  if (span !== undefined) return source.slice(0, span.start) + value + source.slice(span.end);
  const open = source.indexOf('{') + 1;
  const isEmpty = /^\s*\}/.test(source.slice(open));
  const lineEnd = source.includes('\r\n') ? '\r\n' : '\n';
  // A file on one line stays on one line.
  const layout = /^[^\S\n]*\r?\n/.test(source.slice(open)) ? `${lineEnd}  ` : ' ';
  return `${source.slice(0, open)}${layout}"${key}": ${value}${isEmpty ? '' : ','}${source.slice(open)}`;
}

/** Where the value of that key of the top object stands. */
function memberOf(source: string, key: string): Span | undefined {
  let depth = 0;
  let start: number | undefined;
  const tokens = /"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s"[\]{},:]+/g;
  let name: string | undefined;
  let end = 0;
  for (let token = tokens.exec(source); token !== null; token = tokens.exec(source)) {
    const [text] = token;
    const closes = text === '}' || text === ']';
    if (start !== undefined && depth === 1 && (text === ',' || closes)) return { start, end };
    if (closes) depth--;
    if (text === ':' && depth === 1 && name === key && start === undefined)
      start = valueStart(source, tokens);
    if (text === '{' || text === '[') depth++;
    name = depth === 1 && text.startsWith('"') ? String(JSON.parse(text)) : undefined;
    end = tokens.lastIndex;
  }
  return undefined;
}

function valueStart(source: string, { lastIndex }: RegExp): number {
  const rest = source.slice(lastIndex);
  return lastIndex + (rest.length - rest.trimStart().length);
}
