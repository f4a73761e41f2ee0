/** What the verbs' help and options share. */
import { type Command, InvalidArgumentError } from 'commander';

const EXAMPLES = new WeakMap<Command, readonly string[]>();

/** What `examples` has put into the command's help. */
export function examplesOf(command: Command): readonly string[] {
  return EXAMPLES.get(command) ?? [];
}

export function examples(command: Command, lines: readonly string[]): void {
  EXAMPLES.set(command, lines);
  command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  ${line}\n`).join('')}`.trimEnd());
}

export function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It is a whole number from 1 on.');
  return Number(text);
}
