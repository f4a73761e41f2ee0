/**
 * What an operator runs so that a guest goes through couriers, with this courier's addresses, in the order in which it has to be
 * done. Of the other site this courier knows names alone: what stands in <> is in the other courier's file.
 */
import type { Address } from './address.js';
import type { CourierConfig } from './config.js';

export type Form = 'qmp' | 'virsh';

export interface Step {
  /** At which courier's site. */
  readonly at: string;
  /** For people. */
  readonly what: string;
  /** `arguments`: of QEMU, besides its others. */
  readonly by: 'arguments' | 'qmp' | 'shell';
  readonly commands: readonly string[];
  /** What has to come before the next step; empty: nothing. */
  readonly until: string;
}

export interface Commands {
  readonly vm: string;
  readonly steps: readonly Step[];
}

export interface SendRequest {
  readonly vm: string;
  /** The other courier. */
  readonly to: string;
  readonly form: Form;
  /** False: the disk is there already, or both sites have it. */
  readonly disks: boolean;
  /** QEMU's names of the nodes of the guest's disks; those that are missing are disk0, disk1, … */
  readonly nodes: readonly string[];
}

type Route = CourierConfig['send'][number];
type Disk = CourierConfig['disks'][number];

/** What the other courier's file says, or where it says it. */
interface There {
  readonly name: string;
  readonly incoming: Address | string;
  readonly disks: readonly { readonly server: Address | string; readonly exportName: string }[];
}

const COMPLETED = 'query-migrate says "completed"; if it says "failed", the guest goes on here';

/** The entries of a guest; a text: why there are none. */
export function routesOf(
  config: Pick<CourierConfig, 'name' | 'peers' | 'send' | 'disks'>,
  vm: string,
  to: string,
): { readonly route: Route; readonly disks: readonly Disk[] } | string {
  if (!config.peers.has(to)) return `${config.name} has no peer ${to}${orThese([...config.peers.keys()])}`;
  const goes = config.send.filter(({ destination }) => destination === vm);
  const route = goes.find(({ peer }) => peer === to);
  if (route !== undefined)
    return {
      route,
      disks: config.disks.filter(({ peer, destination }) => peer === to && isDiskOf(destination, vm)),
    };
  return goes.length === 0
    ? `no entry of "send" has the destination ${vm}${orThese(config.send.map((one) => one.destination))}`
    : `no entry of "send" takes ${vm} to ${to}${orThese(goes.map(({ peer }) => peer))}`;
}

function isDiskOf(destination: string, vm: string): boolean {
  return destination === vm || destination === `${vm}-disk`;
}

function orThese(names: readonly string[]): string {
  return names.length === 0 ? '' : `; there is ${[...new Set(names)].join(', ')}`;
}

/** A text: why not. */
export function sendCommands(
  config: Pick<CourierConfig, 'name' | 'peers' | 'send' | 'disks'>,
  { vm, to, form, disks: withDisks, nodes }: SendRequest,
): Commands | string {
  const found = routesOf(config, vm, to);
  if (typeof found === 'string') return found;
  const disks = withDisks ? found.disks : [];
  if (form === 'virsh') {
    if (disks.length > 0)
      return (
        `${vm} goes with its disk (${disks.map(({ destination }) => destination).join(', ')}), and virsh cannot end a mirror that ` +
        'libvirt has not begun: leave out --virsh, or say --no-disk where the other site has the disk already'
      );
    return { vm, steps: virshSteps(config.name, found.route) };
  }
  const there: There = {
    name: to,
    incoming: `<connect of receive.${vm}>`,
    disks: disks.map(({ destination }) => ({
      server: `<path of connect of receiveDisks.${destination}>`,
      exportName: `<export of receiveDisks.${destination}>`,
    })),
  };
  const nodesOf = nodeNames(nodes);
  const known = `${to} has what stands in <> in its file: "vinectl courier receive --vm ${vm}" prints it there`;
  const [waits, offers, closes, runs] = thereSteps(there, known, nodesOf);
  const here = hereSteps(config.name, found.route, disks, nodesOf);
  return {
    vm,
    steps: [waits, offers, ...here.before, closes, ...here.after, runs].filter((step) => step !== undefined),
  };
}

/** What is run where a guest arrives. A text: why not. */
export function receiveCommands(
  config: Pick<CourierConfig, 'name' | 'receive' | 'receiveDisks'>,
  { vm, disks: withDisks, nodes }: Pick<SendRequest, 'vm' | 'disks' | 'nodes'>,
): Commands | string {
  const place = config.receive.get(vm);
  if (place === undefined) return `"receive" has no ${vm}${orThese([...config.receive.keys()])}`;
  const disks = [...config.receiveDisks].filter(([name]) => withDisks && isDiskOf(name, vm));
  if (new Set(disks.map(([, { connect }]) => JSON.stringify(connect))).size > 1)
    return `the addresses in "receiveDisks" of the disks of ${vm} differ, and a QEMU serves all of its disks at one`;
  const there: There = {
    name: config.name,
    incoming: place.connect,
    disks: disks.map(([, disk]) => ({ server: disk.connect, exportName: disk.export })),
  };
  const [waits, offers, closes, runs] = thereSteps(there, '', nodeNames(nodes));
  return { vm, steps: [waits, offers, closes, runs].filter((step) => step !== undefined) };
}

type NodeNames = (number: number) => string;

function nodeNames(nodes: readonly string[]): NodeNames {
  return (number) => nodes[number] ?? `disk${number}`;
}

function thereSteps(
  { name, incoming, disks }: There,
  known: string,
  nodes: NodeNames,
): [waits: Step, offers: Step | undefined, closes: Step | undefined, runs: Step] {
  const says = known && ` (${known})`;
  const waits: Step = {
    at: name,
    what: `start QEMU with the guest’s arguments, and these besides: it waits for the guest${says}`,
    by: 'arguments',
    commands: [`-S -incoming ${quoted(typeof incoming === 'string' ? incoming : uriOf(incoming))}`],
    until: '',
  };
  // With -S the source alone decides: whose word is lost on the way lets nobody run twice.
  const runs: Step = {
    at: name,
    what: 'let the guest run, when query-migrate where it comes from says "completed", and not before',
    by: 'qmp',
    commands: [qmp('cont')],
    until: '',
  };
  if (disks.length === 0) return [waits, undefined, undefined, runs];
  const [first] = disks;
  const offers = disks.map(({ exportName }, number) =>
    qmp('block-export-add', {
      ...{ type: 'nbd', id: `courier-export${number}`, 'node-name': nodes(number) },
      ...{ name: exportName, writable: true },
    }),
  );
  const closes = disks.map((_, number) => qmp('block-export-del', { id: `courier-export${number}` }));
  return [
    waits,
    {
      at: name,
      what: `offer the disk, of the node ${disks.map((_, number) => nodes(number)).join(', ')}, to the courier`,
      by: 'qmp',
      commands: [qmp('nbd-server-start', { addr: serverAddress(first?.server ?? '') }), ...offers],
      until: '',
    },
    {
      at: name,
      what: 'offer the disk no longer',
      by: 'qmp',
      commands: [...closes, qmp('nbd-server-stop')],
      until: '',
    },
    runs,
  ];
}

/** `after` comes when the other site offers the disk no longer. */
function hereSteps(
  at: string,
  route: Route,
  disks: readonly Disk[],
  nodes: NodeNames,
): { readonly before: readonly Step[]; readonly after: readonly Step[] } {
  const by = 'qmp';
  const uri = uriOf(route.listen);
  if (disks.length === 0) {
    const commands = [capabilities('return-path'), qmp('migrate', { uri })];
    return { before: [{ at, what: 'migrate', by, commands, until: COMPLETED }], after: [] };
  }
  const mirrors = disks.flatMap((disk, number) => mirror(disk, number, nodes(number)));
  const jobs = disks.map((_, number) => `courier-mirror${number}`);
  const before: Step[] = [
    {
      ...{ at, what: 'mirror the disk', by, commands: mirrors },
      until: `the event BLOCK_JOB_READY has come of ${jobs.join(' and of ')}`,
    },
    {
      at,
      what: 'migrate the memory, up to where the guest stands still',
      by,
      commands: [capabilities('return-path', 'pause-before-switchover'), qmp('migrate', { uri })],
      until: 'query-migrate says "pre-switchover"; if it says "failed", the guest goes on here',
    },
    {
      ...{ at, what: 'end the mirror', by },
      commands: jobs.map((device) => qmp('block-job-cancel', { device })),
      until: `the event BLOCK_JOB_COMPLETED has come of ${jobs.join(' and of ')}: both disks are alike`,
    },
    {
      ...{ at, what: 'let go of the courier’s disk', by },
      commands: disks.map((_, number) => qmp('blockdev-del', { 'node-name': `courier-disk${number}` })),
      until: `"vinectl courier disks" says "complete" of ${disks.map(({ destination }) => destination).join(' and of ')}`,
    },
  ];
  const go = qmp('migrate-continue', { state: 'pre-switchover' });
  return { before, after: [{ at, what: 'let the guest go', by, commands: [go], until: COMPLETED }] };
}

function mirror({ listen, destination }: Disk, number: number, node: string): string[] {
  const target = `courier-disk${number}`;
  const server =
    listen.kind === 'unix'
      ? { type: 'unix', path: listen.path }
      : { type: 'inet', host: listen.host, port: String(listen.port) };
  return [
    qmp('blockdev-add', { 'node-name': target, driver: 'nbd', export: destination, server }),
    qmp('blockdev-mirror', { 'job-id': `courier-mirror${number}`, device: node, target, sync: 'full' }),
  ];
}

/** libvirt has the same address at both ends: QEMU there listens at it, QEMU here connects to it. */
function virshSteps(at: string, { peer, listen, destination }: Route): readonly Step[] {
  const uri =
    listen.kind === 'unix'
      ? `unix://${encodeURI(listen.path)}`
      : `tcp://${uriOf(listen).slice('tcp:'.length)}`;
  const host = listen.kind === 'tcp' ? ['--listen-address', listen.host] : [];
  const words = [
    ...['virsh', 'migrate', '--live', '--domain', destination],
    ...['--desturi', `qemu+ssh://<host at ${peer}>/system`, '--migrateuri', uri, ...host],
  ];
  return [
    {
      at: peer,
      what: `nothing is started: libvirt does. receive.${destination} in its courier’s file has to say "connect": "${uriOf(listen)}", the address of here`,
      by: 'shell',
      commands: [],
      until: '',
    },
    { at, what: 'migrate', by: 'shell', commands: [words.map(quoted).join(' ')], until: '' },
  ];
}

function capabilities(...names: readonly string[]): string {
  return qmp('migrate-set-capabilities', {
    capabilities: names.map((capability) => ({ capability, state: true })),
  });
}

function qmp(execute: string, args?: object): string {
  return JSON.stringify({ execute, ...(args && { arguments: args }) });
}

/** As QEMU writes it. */
export function uriOf(address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `tcp:${host}:${address.port}`;
}

function serverAddress(server: Address | string): object {
  if (typeof server === 'string') return { type: 'unix', data: { path: server } };
  return server.kind === 'unix'
    ? { type: 'unix', data: { path: server.path } }
    : { type: 'inet', data: { host: server.host, port: String(server.port) } };
}

/** A word of a shell's command. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
