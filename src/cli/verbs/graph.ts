/** `vinectl graph`: the overlay as this router sees it. */
import { type Command, Option } from 'commander';
import type { DirectoryView, GndtView, PeerView, StatusView } from '../../control/api.js';
import { contextOf } from '../context.js';
import type { Io } from '../io.js';
import { type Overlay, overlayOf, showDot, showTree } from '../show/graph.js';
import { examples } from './help.js';

export function addGraph(program: Command, io: Io): void {
  const summary = 'the overlay and where its nodes are, as text or for Graphviz';
  const command = program
    .command('graph')
    .summary(summary)
    .description(summary)
    .addOption(new Option('--format <format>', 'how to draw it').choices(['text', 'dot']).default('text'));
  examples(command, ['vinectl graph', 'vinectl graph --format dot | dot -Tsvg > overlay.svg']);
  command.action(async ({ format }: { format: 'text' | 'dot' }, self: Command) => {
    const context = contextOf(io, self);
    const client = await context.client();
    const [status, peers, gndt, directory] = await Promise.all([
      client.get<StatusView>('/v1/status'),
      client.get<readonly PeerView[]>('/v1/peers'),
      client.get<readonly GndtView[]>('/v1/gndt'),
      client.get<readonly DirectoryView[]>('/v1/directory', { state: 'here' }),
    ]);
    const overlay: Overlay = overlayOf(status.body, peers.body, gndt.body, directory.body);
    if (context.json) context.print(`${JSON.stringify(overlay, null, 2)}\n`);
    else context.print(format === 'dot' ? showDot(overlay) : showTree(overlay, context.look));
  });
}
