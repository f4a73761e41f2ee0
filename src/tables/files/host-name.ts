/**
 * Host names as RFC 1123 §2.1 has them (letters, digits, hyphens), of the lengths of RFC 1035 §2.3.4: 63 characters a label,
 * 253 in all. Names in other scripts are written in their ASCII form (RFC 5891, `xn--…`): which of several encodings
 * was meant nobody guesses here.
 */
import { domainToASCII } from 'node:url';
import { quoted } from './suggest.js';

export const MOST_NAME_CHARACTERS = 253;
const MOST_LABEL_CHARACTERS = 63;

const LABEL = '[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
/** Published in the JSON Schemas as well; it lets pass all that `readHostName` takes. */
export const HOST_NAME = `(${LABEL}\\.)*${LABEL}\\.?`;

/** In small letters. A last dot stays: with it search domains are not tried. */
export function readHostName(text: string): { readonly value: string } | { readonly problem: string } {
  // Letters of other scripts may become ASCII in small: U+212A (KELVIN SIGN) a "k".
  const isAscii = /^[\x21-\x7e]*$/.test(text);
  const name = text.toLowerCase();
  const why = isAscii ? problemOf(name) : otherScript(name);
  return why === undefined ? { value: name } : { problem: `${quoted(text)} is no host name: ${why}` };
}

function problemOf(name: string): string | undefined {
  const bare = name.replace(/\.$/, '');
  if (bare === '') return 'it is empty';
  if (bare.length > MOST_NAME_CHARACTERS)
    return `it has ${bare.length} characters; at most ${MOST_NAME_CHARACTERS} (RFC 1035)`;
  const labels = bare.split('.');
  for (const label of labels) {
    if (label === '') return 'there is nothing between two dots';
    if (label.length > MOST_LABEL_CHARACTERS)
      return `a part has ${label.length} characters; at most ${MOST_LABEL_CHARACTERS} between dots (RFC 1035)`;
    if (label.includes('_')) return '"_" stands in other names of the DNS, not in those of hosts (RFC 1123)';
    if (!/^[a-z0-9-]*$/.test(label)) return 'letters, digits, "-" and dots are allowed (RFC 1123)';
    if (label.startsWith('-') || label.endsWith('-')) return 'no part begins or ends with "-" (RFC 1123)';
  }
  // Programs would read it as an address, each as another one (inet_aton(3)).
  if (/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')) return 'its last part is a number';
  return undefined;
}

function otherScript(name: string): string {
  const ascii = /\s/.test(name) ? '' : domainToASCII(name);
  if (ascii === '') return 'letters, digits, "-" and dots are allowed (RFC 1123)';
  return `write it in its ASCII form, ${ascii} (RFC 5891)`;
}
