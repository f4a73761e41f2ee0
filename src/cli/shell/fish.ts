/** `vinectl completion fish`. */
import { allVerbs, type OptionModel, PEERS_COMMAND, type Value, type VerbModel } from './model.js';

export function fishCompletion(model: VerbModel): string {
  const lines = allVerbs(model).flatMap((verb) => [
    ...verb.verbs.map((sub) => `${when(verb)} -a ${sub.name.split(' ').pop()} -d ${quote(sub.summary)}`),
    ...verb.options.map((option) => optionLine(verb, option)),
    ...verb.operands.flatMap(({ value }) => operandLine(verb, value)),
  ]);
  return `# fish completion for vinectl, made by "vinectl completion fish"
function __vinectl_peers
  ${PEERS_COMMAND}
end
complete -c vinectl -f
${lines.join('\n')}
`;
}

/** In which place of the line: the program's own verbs only before one is there. */
function when({ name, verbs }: VerbModel): string {
  if (name === '') return "complete -c vinectl -n '__fish_use_subcommand'";
  const seen = name.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`);
  const subs = verbs.map((verb) => verb.name.split(' ').pop());
  const not = subs.length === 0 ? [] : [`not __fish_seen_subcommand_from ${subs.join(' ')}`];
  return `complete -c vinectl -n ${quote([...seen, ...not].join('; and '))}`;
}

function optionLine(verb: VerbModel, { short, long, placeholder, value, description }: OptionModel): string {
  // Global options are good anywhere.
  const place = verb.name === '' ? 'complete -c vinectl' : when({ ...verb, verbs: [] });
  const letter = short === undefined || short === long ? '' : ` -s ${short.slice(1)}`;
  const argument = placeholder === undefined ? '' : ` ${argumentOf(value)}`;
  return `${place}${letter} -l ${long.slice(2)}${argument} -d ${quote(description)}`;
}

function operandLine(verb: VerbModel, value: Value): string[] {
  switch (value.kind) {
    case 'words':
      return [`${when(verb)} -a ${quote(value.words.join(' '))}`];
    case 'peer':
      return [`${when(verb)} -a '(__vinectl_peers)'`];
    case 'directory':
      return [`${when(verb)} -a '(__fish_complete_directories)'`];
    case 'file':
      return [`${when(verb)} -F`];
    default:
      return [];
  }
}

function argumentOf(value: Value): string {
  switch (value.kind) {
    case 'words':
      return `-x -a ${quote(value.words.join(' '))}`;
    case 'peer':
      return "-x -a '(__vinectl_peers)'";
    case 'directory':
      return "-x -a '(__fish_complete_directories)'";
    case 'file':
      return '-r -F';
    default:
      return '-x';
  }
}

function quote(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
