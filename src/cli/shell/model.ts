/** The command line as data, read from commander's definitions: what completion and the man page are made from. */
import type { Argument, Command, Option } from 'commander';

/** What may stand in a place. */
export type Value =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'directory' | 'file' | 'peer' | 'anything' };

export interface OptionModel {
  /** With dashes. */
  readonly short: string | undefined;
  readonly long: string;
  /** `<name>`; undefined for an option without a value. */
  readonly placeholder: string | undefined;
  readonly value: Value;
  readonly description: string;
}

export interface OperandModel {
  readonly name: string;
  readonly required: boolean;
  readonly variadic: boolean;
  readonly value: Value;
  readonly description: string;
}

export interface VerbModel {
  /** `route get`; empty for the program itself. */
  readonly name: string;
  readonly summary: string;
  readonly description: string;
  readonly usage: string;
  readonly options: readonly OptionModel[];
  readonly operands: readonly OperandModel[];
  readonly examples: readonly string[];
  readonly verbs: readonly VerbModel[];
}

/** Words that the router checks itself, so that a newer one may know more: commander is not told of them. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  'log-level LEVEL': ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
  'role ROLE': ['active', 'standby'],
  'traffic --by': ['node', 'site'],
  'peers --state': ['up', 'connecting', 'down', 'refused'],
  'lndt --state': ['static', 'visiting', 'departed', 'unauthorised'],
  'directory --state': ['here', 'withdrawn'],
};

/** By the name of a placeholder or operand. */
const KINDS: Readonly<Record<string, 'directory' | 'file' | 'peer'>> = {
  dir: 'directory',
  DIR: 'directory',
  path: 'file',
  id: 'peer',
  PEER: 'peer',
};

/** All verbs with their names in full, depth first, the program itself first. */
export function allVerbs(model: VerbModel): VerbModel[] {
  return [model, ...model.verbs.flatMap(allVerbs)];
}

/** @param examplesOf the examples that a command's help shows */
export function modelOf(
  command: Command,
  examplesOf: (command: Command) => readonly string[],
  parents: readonly string[] = [],
): VerbModel {
  const isProgram = command.parent === null;
  const path = isProgram ? [] : [...parents, command.name()];
  const name = path.join(' ');
  const help = command.createHelp();
  return {
    name,
    summary: command.summary() || command.description(),
    description: command.description(),
    usage: command.usage(),
    options: help.visibleOptions(command).map((option) => optionModel(name, option)),
    operands: command.registeredArguments.map((operand) => operandModel(name, operand)),
    examples: examplesOf(command),
    verbs: command.commands.map((verb) => modelOf(verb, examplesOf, path)),
  };
}

function optionModel(verb: string, option: Option): OptionModel {
  const placeholder = /<(.+)>/.exec(option.flags)?.[1];
  const long = option.long ?? option.short ?? '';
  return {
    short: option.short,
    long,
    placeholder,
    value: valueFor(`${verb} ${long}`, placeholder ?? '', option.argChoices),
    description: option.description,
  };
}

function operandModel(verb: string, operand: Argument): OperandModel {
  const name = operand.name();
  return {
    name,
    required: operand.required,
    variadic: operand.variadic,
    value: valueFor(`${verb} ${name}`, name, operand.argChoices),
    description: operand.description,
  };
}

function valueFor(place: string, name: string, choices: readonly string[] | undefined): Value {
  const words = choices ?? WORDS[place];
  if (words !== undefined) return { kind: 'words', words };
  return { kind: KINDS[name] ?? 'anything' };
}

/** Prints the ids of the other routers, one a line; nothing when no router answers. */
export const PEERS_COMMAND = "vinectl peers 2>/dev/null | awk 'NR > 1 { print $1 }'";

/** The configuration, for the manual page. */
export const FILES = ['router.json', 'gndt.json', 'lndt.json'] as const;
