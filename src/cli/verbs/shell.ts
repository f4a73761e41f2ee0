/** Verbs that print what shells and man read; all of it follows from the definitions of the other verbs. */
import { Argument, type Command } from 'commander';
import { contextOf } from '../context.js';
import type { Io } from '../io.js';
import { packageVersion } from '../version.js';
import { examples, examplesOf } from './help.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

export function addShellVerbs(program: Command, io: Io): void {
  addCompletion(program, io);
  addMan(program, io);
}

function addCompletion(program: Command, io: Io): void {
  const summary = 'print a completion script for a shell';
  const command = program
    .command('completion')
    .summary(summary)
    .description(summary)
    .addArgument(new Argument('<SHELL>', 'bash, zsh or fish').choices(SHELLS));
  examples(command, [
    'vinectl completion bash > /etc/bash_completion.d/vinectl',
    'vinectl completion zsh > /usr/share/zsh/vendor-completions/_vinectl',
    'vinectl completion fish > /etc/fish/completions/vinectl.fish',
  ]);
  command.action(async (shell: Shell, _options: object, self: Command) => {
    const { modelOf } = await import('../shell/model.js');
    contextOf(io, self).print(await scriptFor(shell, modelOf(program, examplesOf)));
  });
}

async function scriptFor(
  shell: Shell,
  model: Parameters<typeof import('../shell/bash.js').bashCompletion>[0],
): Promise<string> {
  switch (shell) {
    case 'bash':
      return (await import('../shell/bash.js')).bashCompletion(model);
    case 'zsh':
      return (await import('../shell/zsh.js')).zshCompletion(model);
    case 'fish':
      return (await import('../shell/fish.js')).fishCompletion(model);
  }
}

function addMan(program: Command, io: Io): void {
  const summary = 'print the manual page';
  const command = program
    .command('man')
    .summary(summary)
    .description(`${summary}, in the language of man(7)`);
  examples(command, ['vinectl man | man -l -']);
  command.action(async (_options: object, self: Command) => {
    const { modelOf } = await import('../shell/model.js');
    const { manPage } = await import('../shell/man.js');
    contextOf(io, self).print(manPage(modelOf(program, examplesOf), packageVersion()));
  });
}
