/**
 * Reads a page of commands: fenced blocks whose info string is `sh MACHINE…` and further words. Blocks of another
 * language, or without a machine, are for people.
 *
 *   prints=NAME    what the block prints is to be filled in wherever NAME stands in later blocks
 *   until=REGEX    to be repeated until it prints something like that
 *   pings=NODE:IP  from its beginning on, that machine of the lab pings that address: when does it first get an answer?
 *   WORD           anything else is kept, for the test to know the block by
 */

export interface CommandBlock {
  /** Line of the page. */
  readonly line: number;
  readonly machines: readonly string[];
  readonly text: string;
  readonly prints: string | undefined;
  readonly until: RegExp | undefined;
  readonly pings: { readonly from: string; readonly to: string } | undefined;
  readonly words: readonly string[];
}

const machinePattern = /^(gateway|host|hypervisor)-[a-z0-9]+$/;

/** Throws for a fence that is not closed. */
export function commandBlocks(page: string): CommandBlock[] {
  const blocks: CommandBlock[] = [];
  const lines = page.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const info = /^```(.*)$/.exec(lines[i] ?? '')?.[1];
    if (info === undefined) continue;
    const end = lines.indexOf('```', i + 1);
    if (end < 0) throw new Error(`line ${i + 1}: the block is not closed`);
    const block = toBlock(info, i + 1, lines.slice(i + 1, end).join('\n'));
    if (block !== undefined) blocks.push(block);
    i = end;
  }
  return blocks;
}

function toBlock(info: string, line: number, text: string): CommandBlock | undefined {
  const [language, ...rest] = info.split(' ');
  const machines = rest.filter((word) => machinePattern.test(word));
  if (language !== 'sh' || machines.length === 0) return undefined;
  const after = (key: string): string | undefined =>
    rest.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1);
  const [until, pings] = [after('until'), after('pings')];
  return {
    line,
    machines,
    text,
    prints: after('prints'),
    until: until === undefined ? undefined : new RegExp(until),
    pings: pings === undefined ? undefined : readPings(pings),
    words: rest.filter((word) => !machines.includes(word) && !word.includes('=')),
  };
}

function readPings(text: string): { from: string; to: string } {
  const [, from, to] = /^([^:]+):(.+)$/.exec(text) ?? [];
  if (from === undefined || to === undefined) throw new Error(`pings=${text}: expected NODE:IP`);
  return { from, to };
}

/** Fills in what was noted. Longer names first: one may be the end of another. */
export function fillIn(text: string, noted: ReadonlyMap<string, string>): string {
  const names = [...noted.keys()].sort((a, b) => b.length - a.length);
  if (names.length === 0) return text;
  return text.replace(new RegExp(names.join('|'), 'g'), (name) => noted.get(name) ?? name);
}
