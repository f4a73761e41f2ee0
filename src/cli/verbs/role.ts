/** `vinectl role`: which of a site's two routers serves it, and the hand-over from one to the other. */
import type { Command } from 'commander';
import type { RoleView } from '../../control/role-view.js';
import { contextOf } from '../context.js';
import type { Io } from '../io.js';
import { examples } from './help.js';

export function addRole(program: Command, io: Io): void {
  const summary = 'what this router is at its site of two: active or standby, and why; or make it so';
  const command = program
    .command('role')
    .summary(summary)
    .description(
      `${summary}. With ROLE it waits until that is done: "active" has this router take over, "standby" has the other one`,
    )
    .argument('[ROLE]', 'active or standby');
  examples(command, ['vinectl role', 'vinectl role --json', 'vinectl role standby']);
  command.action(async (role: string | undefined, _options: object, self: Command) => {
    const context = contextOf(io, self);
    const client = await context.client();
    const { text, body } = await (role === undefined
      ? client.get<RoleView>('/v1/role')
      : client.post<RoleView>('/v1/role', { role }));
    const { showRole } = await import('../show/role.js');
    context.print(context.json ? text : showRole(body, context.look));
  });
}
