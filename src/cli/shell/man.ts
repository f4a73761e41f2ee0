/** `vinectl man`: the manual page, in the language of man(7). */
import { FILES, type OptionModel, type VerbModel } from './model.js';

const EXIT_STATUS: readonly (readonly [status: string, meaning: string])[] = [
  ['0', 'Done.'],
  ['1', 'The router or courier says no, the configuration has errors, or doctor has found an error.'],
  ['2', 'Wrong usage.'],
  ['3', 'No router, or no courier, answers on the socket.'],
];

export function manPage(program: VerbModel, version: string): string {
  const verbs = program.verbs.flatMap((verb) => (verb.verbs.length === 0 ? [verb] : verb.verbs));
  return [
    '.\\" Made by "vinectl man".',
    `.TH VINECTL 8 "" ${quote(`vine-router ${version}`)} "ViNe router"`,
    '.SH NAME',
    `vinectl \\- ${roff(lowerFirst(program.description.replace(/\.$/, '')))}`,
    '.SH SYNOPSIS',
    '.B vinectl',
    '.RI [ options ] " verb " [ arguments ]',
    '.SH DESCRIPTION',
    '.B vinectl',
    'speaks to the',
    '.BR vined (8)',
    'of this machine through its control socket. It prints aligned columns for people and, with',
    '.BR \\-\\-json ,',
    'what the router sends for programs.',
    '.SH OPTIONS',
    ...program.options.flatMap(optionLines),
    '.SH VERBS',
    ...verbs.flatMap(verbLines),
    '.SH EXIT STATUS',
    ...EXIT_STATUS.flatMap(([status, meaning]) => ['.TP', `.B ${status}`, roff(meaning)]),
    '.SH ENVIRONMENT',
    '.TP',
    '.B VINE_SOCKET',
    'Path of the control socket, when \\-\\-socket is not given.',
    '.TP',
    '.B VINE_COURIER_SOCKET',
    "Path of the courier's control socket, when neither \\-\\-socket, \\-\\-courier nor \\-\\-config is given.",
    '.TP',
    '.B NO_COLOR',
    'Not empty: no colour, also on a terminal.',
    '.SH FILES',
    '.TP',
    '.I /run/vine/control.sock',
    'The control socket.',
    ...FILES.flatMap((file) => ['.TP', `.I /etc/vine/${roff(file)}`, `See the schema in config/schema.`]),
    '.SH EXAMPLES',
    '.EX',
    ...program.examples.map(roff),
    '.EE',
    '.SH SEE ALSO',
    '.BR vined (8),',
    '.BR vine\\-courier (8)',
    '',
  ].join('\n');
}

function verbLines(verb: VerbModel): string[] {
  const operands = verb.operands.map(({ name, required, variadic }) => {
    const text = `\\fI${roff(name)}\\fR${variadic ? '...' : ''}`;
    return required ? text : `[${text}]`;
  });
  const usage = verb.name === 'route get' ? ['\\fIIP\\fR', '[from \\fIIP\\fR]'] : operands;
  return [
    `.SS ${[`vinectl ${roff(verb.name)}`, ...usage].join(' ')}`,
    roff(`${upperFirst(verb.description)}${verb.description.endsWith('.') ? '' : '.'}`),
    ...verb.options.filter(({ long }) => long !== '--help').flatMap(optionLines),
    ...(verb.examples.length === 0 ? [] : ['.PP', '.EX', ...verb.examples.map(roff), '.EE']),
  ];
}

function optionLines({ short, long, placeholder, description }: OptionModel): string[] {
  const flags = short === undefined || short === long ? [long] : [short, long];
  const shown = flags.map((flag) => `\\fB${roff(flag)}\\fR`).join(', ');
  const value = placeholder === undefined ? '' : ` \\fI${roff(placeholder)}\\fR`;
  return ['.TP', `${shown}${value}`, roff(`${upperFirst(description)}.`)];
}

/** Text as text: no escapes, hyphens that can be copied, no line that begins a request. */
function roff(text: string): string {
  return text
    .replace(/\\/g, '\\e')
    .replace(/-/g, '\\-')
    .replace(/\$/g, '\\(Do')
    .replace(/→/g, '\\->')
    .replace(/^([.'])/gm, '\\&$1');
}

function quote(text: string): string {
  return `"${text.replace(/"/g, '""')}"`;
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
