/** `vinectl completion zsh`. */
import { type OptionModel, PEERS_COMMAND, type Value, type VerbModel } from './model.js';

export function zshCompletion(model: VerbModel): string {
  const functions: string[] = [];
  addFunction(model, model.options, functions);
  return `#compdef vinectl
# zsh completion for vinectl, made by "vinectl completion zsh"
_vinectl_peers() { compadd -- \${(f)"$(${PEERS_COMMAND})"} }
${functions.join('')}if [ "$funcstack[1]" = _vinectl ]; then _vinectl "$@"; else compdef _vinectl vinectl; fi
`;
}

function functionName({ name }: VerbModel): string {
  return name === '' ? '_vinectl' : `_vinectl_${name.replace(/[^a-z]/g, '_')}`;
}

/** One function a verb; global options are good everywhere. */
function addFunction(verb: VerbModel, globals: readonly OptionModel[], functions: string[]): void {
  const isProgram = verb.name === '';
  const options = isProgram
    ? verb.options
    : [...verb.options, ...globals.filter(({ long }) => !has(verb, long))];
  const specs = options.map(optionSpec);
  const operands = verb.operands.map(
    ({ name, value, variadic, required }) =>
      `'${variadic ? '*' : ''}${required || variadic ? '' : ':'}:${escapeText(name)}:${action(value)}'`,
  );
  if (verb.verbs.length === 0) {
    functions.push(`${functionName(verb)}() { _arguments -s ${[...specs, ...operands].join(' ')} }\n`);
    return;
  }
  const words = verb.verbs.map(({ name, summary }) => `'${name.split(' ').pop()}:${escapeText(summary)}'`);
  const cases = verb.verbs.map((sub) => `${sub.name.split(' ').pop()}) ${functionName(sub)} ;;`);
  functions.push(`${functionName(verb)}() {
  local curcontext=$curcontext state line
  local -a verbs=(${words.join(' ')})
  _arguments -s -C ${specs.join(' ')} ':verb:->verb' '*::rest:->rest'
  case $state in
    verb) _describe verb verbs ;;
    rest) case $line[1] in
      ${cases.join('\n      ')}
    esac ;;
  esac
}
`);
  for (const sub of verb.verbs) addFunction(sub, globals, functions);
}

function has({ options }: VerbModel, long: string): boolean {
  return options.some((option) => option.long === long);
}

function optionSpec({ short, long, placeholder, value, description }: OptionModel): string {
  const text = `[${escapeText(description)}]`;
  const rest = placeholder === undefined ? '' : `:${escapeText(placeholder)}:${action(value)}`;
  if (short === undefined || short === long) return `'${long}${text}${rest}'`;
  return `'(${short} ${long})'{${short},${long}}'${text}${rest}'`;
}

function action(value: Value): string {
  switch (value.kind) {
    case 'words':
      return `(${value.words.join(' ')})`;
    case 'directory':
      return '_files -/';
    case 'file':
      return '_files';
    case 'peer':
      return '_vinectl_peers';
    default:
      return '';
  }
}

/** Inside single quotes of the shell, and inside _arguments' brackets and colons. */
function escapeText(text: string): string {
  return text.replace(/[\\[\]:]/g, '\\$&').replace(/'/g, "'\\''");
}
