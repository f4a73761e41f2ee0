/** How the demo speaks. */
import type { Lab } from '../lab.js';
import type { SiteLetter } from '../plan.js';

const colour = process.stdout.isTTY === true && !process.env.NO_COLOR;
export const paint = (code: string, text: string): string =>
  colour ? `\u001b[${code}m${text}\u001b[0m` : text;

/** What is asked for may have to be waited for. */
const limitMs = 60_000;

export const say = (text: string): void => console.log(text);
export const heading = (text: string): void => say(`\n${paint('1', text)}`);
export const good = (text: string): void => say(`${paint('32', '✓')} ${text}`);
export const ms = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;

/** What an operator would type and see. */
export async function show(lab: Lab, site: SiteLetter, ...args: string[]): Promise<void> {
  showOutput(site, args.join(' '), await lab.vinectl(site, args, limitMs));
}

export function showOutput(site: SiteLetter, command: string, output: string): void {
  say(paint('2', `\n  $ vinectl ${command}        (router of site ${site.toUpperCase()})`));
  say(output.trimEnd().replace(/^/gm, '    '));
}
