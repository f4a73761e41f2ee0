/** `vinectl completion bash`. */
import { allVerbs, type OptionModel, PEERS_COMMAND, type Value, type VerbModel } from './model.js';

export function bashCompletion(model: VerbModel): string {
  const verbs = allVerbs(model);
  return `# bash completion for vinectl, made by "vinectl completion bash"
_vinectl() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} verb='' word i words=''
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$verb $word" in ${verbs.flatMap(valuedPatterns).join('|')}) ((i++)); continue ;; esac
    case "$verb $word" in
      ${verbs
        .filter(({ name }) => name !== '')
        .map(step)
        .join('\n      ')}
    esac
  done
  COMPREPLY=()
  case "$verb $prev" in
    ${optionCases(verbs).join('\n    ')}
  esac
  case $verb in
    ${verbs.map(verbCase).join('\n    ')}
  esac
  COMPREPLY+=($(compgen -W "$words" -- "$cur"))
}
complete -F _vinectl vinectl
`;
}

function takesValue({ placeholder }: OptionModel): boolean {
  return placeholder !== undefined;
}

function names({ short, long }: OptionModel): string[] {
  return short === undefined || short === long ? [long] : [short, long];
}

/** From one verb's words to the next: \`route\`, then \`route get\`. */
function step({ name }: VerbModel): string {
  const words = name.split(' ');
  const last = words.pop();
  return `'${words.join(' ')} ${last}') verb='${name}' ;;`;
}

/** Each option that takes a value, behind its verb; the program's own behind any. */
function valuedPatterns({ name, options }: VerbModel): string[] {
  return options.filter(takesValue).flatMap((option) => patterns(name, option));
}

function patterns(verb: string, option: OptionModel): string[] {
  return names(option).map((flag) => (verb === '' ? `*' ${flag}'` : `'${verb} ${flag}'`));
}

function optionCases(verbs: readonly VerbModel[]): string[] {
  const byAction = new Map<string, string[]>();
  for (const { name, options } of verbs) {
    for (const option of options.filter(takesValue)) {
      const action = completeValue(option.value);
      byAction.set(action, [...(byAction.get(action) ?? []), ...patterns(name, option)]);
    }
  }
  return [...byAction].map(([action, places]) => `${places.join('|')}) ${action} return ;;`);
}

function verbCase({ name, verbs, options, operands }: VerbModel): string {
  const words = [...verbs.map((verb) => verb.name.split(' ').pop() ?? ''), ...options.flatMap(names)];
  const operand = operands[0];
  const values = operand === undefined ? '' : ` ${completeValue(operand.value)}`;
  return `'${name}') words='${words.join(' ')}'${values} ;;`;
}

function completeValue(value: Value): string {
  switch (value.kind) {
    case 'words':
      return `COMPREPLY=($(compgen -W '${value.words.join(' ')}' -- "$cur"));`;
    case 'directory':
      return 'compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur"));';
    case 'file':
      return 'compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur"));';
    case 'peer':
      return `COMPREPLY=($(compgen -W "$(${PEERS_COMMAND})" -- "$cur"));`;
    default:
      return '';
  }
}
