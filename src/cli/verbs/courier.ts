/** `vinectl courier …`: the courier of this machine. What it answers is printed as it says it. */
import type { Command } from 'commander';
import type { GlobalOptions } from '../context.js';
import { type Context, contextOf } from '../context.js';
import type { Io } from '../io.js';
import { CourierClient } from '../jobs/courier-client.js';
import { clean } from '../show/text.js';
import { examples } from './help.js';

const LOOKS = {
  status: 'what it is and what it counts',
  jobs: 'memory of guests that goes or comes, now and before',
  disks: 'disks that go or come, now and before',
  store: 'pages that it keeps',
} as const;

interface CourierOptions extends GlobalOptions {
  readonly config?: string;
}

interface GuestOptions extends CourierOptions {
  readonly vm: string;
  readonly disk: boolean;
  readonly node?: readonly string[];
}

interface SendOptions extends GuestOptions {
  readonly to: string;
  readonly virsh?: boolean;
  readonly mac?: readonly string[];
}

export function addCourier(program: Command, io: Io): void {
  const summary = "this machine's courier, which carries live migrations (--socket names its control socket)";
  const courier = program.command('courier').summary(summary).description(summary);
  examples(courier, ['vinectl courier send --vm vm1 --to site-b', 'vinectl courier jobs']);
  addSend(courier, io);
  addReceive(courier, io);
  for (const [name, what] of Object.entries(LOOKS)) {
    const command = verb(courier, name, `the courier: ${what}`);
    examples(command, [`vinectl courier ${name}`, `vinectl courier ${name} --json`]);
    command.action((_options: object, self: Command) => look(io, self, `/v1/${name}`, []));
  }
}

function verb(courier: Command, name: string, summary: string): Command {
  return courier
    .command(name)
    .summary(summary)
    .description(summary)
    .option('-c, --config <path>', "the courier's file, which says where its control socket is");
}

function ofGuest(command: Command): Command {
  return command
    .requiredOption('--vm <name>', 'the guest, by its name in "send" and "receive"')
    .option('--no-disk', 'without its disk: the other site has it already')
    .option('--node <name...>', "QEMU's names of the nodes of its disks (disk0, disk1, ...)");
}

function addSend(courier: Command, io: Io): void {
  const summary = 'print the commands that send a guest to another site, with the right addresses';
  const command = ofGuest(verb(courier, 'send', summary))
    .requiredOption('--to <courier>', 'the courier of the other site, by its name in "peers"')
    .option('--virsh', "for libvirt, instead of QEMU's own (QMP)")
    .option('--mac <address...>', "the guest's: its jobs are shown beside its moves from now on");
  examples(command, [
    'vinectl courier send --vm vm1 --to site-b',
    'vinectl courier send --vm vm1 --to site-b --virsh',
    'vinectl courier send --vm vm1 --to site-b --mac 52:54:00:00:00:09 --json',
  ]);
  command.action(async ({ vm, to, virsh, mac: macs }: SendOptions, self: Command) => {
    if (macs !== undefined) await find(io, self).client.post('/v1/macs', { vm, to, macs });
    await look(io, self, '/v1/send', [...guestOf(self), ['to', to], ['form', virsh ? 'virsh' : 'qmp']]);
  });
}

function addReceive(courier: Command, io: Io): void {
  const summary = 'print what is run at this site for a guest that comes, with the right addresses';
  const command = ofGuest(verb(courier, 'receive', summary));
  examples(command, ['vinectl courier receive --vm vm1']);
  command.action((_options: object, self: Command) => look(io, self, '/v1/receive', guestOf(self)));
}

type Query = readonly [name: string, value: string][];

function guestOf(self: Command): Query {
  const { vm, disk, node = [] } = self.opts<GuestOptions>();
  return [
    ['vm', vm],
    ['disks', disk ? 'yes' : 'no'],
    ...node.map((name): [string, string] => ['node', name]),
  ];
}

function find(io: Io, self: Command): { readonly context: Context; readonly client: CourierClient } {
  const { socket, config } = self.optsWithGlobals<CourierOptions>();
  return { context: contextOf(io, self), client: CourierClient.find({ socket, config }, io.env) };
}

async function look(io: Io, self: Command, path: string, query: Query): Promise<void> {
  const { context, client } = find(io, self);
  const asked = query.length === 0 ? path : `${path}?${new URLSearchParams(query)}`;
  if (context.json) context.print(await client.get(asked, 'application/json'));
  else context.print((await client.get(asked, 'text/plain')).split('\n').map(clean).join('\n'));
}
