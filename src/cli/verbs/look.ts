/** Verbs that look: one call, shown for people or as it came. */
import type { Command } from 'commander';
import type { EventView, RouteView } from '../../control/api.js';
import type { Query } from '../client.js';
import { type Context, contextOf } from '../context.js';
import type { Io } from '../io.js';
import type { Look } from '../show/text.js';
import { examples } from './help.js';
import { addMigrations } from './migrations.js';

type Show<Body> = (body: Body, look: Look) => string;

const FILTER_OPTIONS = {
  vnet: ['--vnet <name>', 'only this vnet'],
  ip: ['--ip <address>', 'only what holds this address'],
  mac: ['--mac <address>', 'only this MAC'],
  router: ['--router <id>', 'only what concerns this router'],
  state: ['--state <state>', 'only this state'],
} as const;

interface TableVerb<Body> {
  readonly name: string;
  readonly summary: string;
  readonly filters: readonly (keyof typeof FILTER_OPTIONS)[];
  readonly examples: readonly string[];
  readonly show: () => Promise<Show<Body>>;
}

function addFilter(command: Command, name: keyof typeof FILTER_OPTIONS): void {
  const [flags, description] = FILTER_OPTIONS[name];
  command.option(flags, description);
}

export function addLookVerbs(program: Command, io: Io): void {
  addTable(program, io, {
    name: 'status',
    summary: 'what this router is and how it does',
    filters: [],
    examples: ['vinectl status', 'vinectl status --json'],
    show: async () => (await import('../show/status.js')).showStatus,
  });
  addTable(program, io, {
    name: 'peers',
    summary: 'the other routers: state, endpoint, round trip, traffic',
    filters: ['router', 'state'],
    examples: ['vinectl peers', 'vinectl peers --state down'],
    show: async () => (await import('../show/tables.js')).showPeers,
  });
  addTable(program, io, {
    name: 'clients',
    summary:
      'ordinary WireGuard clients of this router: state, endpoint, traffic; at a site of two they stay with it, and are down with it',
    filters: ['vnet', 'ip', 'state'],
    examples: ['vinectl clients', 'vinectl clients --state connected'],
    show: async () => (await import('../show/tables.js')).showClients,
  });
  addTable(program, io, {
    name: 'gndt',
    summary: 'Global Network Description Table: which router has which prefix, with host routes',
    filters: ['vnet', 'ip', 'router'],
    examples: ['vinectl gndt --vnet blue', 'vinectl gndt --ip 10.1.0.9'],
    show: async () => (await import('../show/tables.js')).showGndt,
  });
  addTable(program, io, {
    name: 'lndt',
    summary: 'Local Network Description Table: the nodes that may take part here',
    filters: ['vnet', 'ip', 'mac', 'router', 'state'],
    examples: ['vinectl lndt --state visiting', 'vinectl lndt --ip 10.1.0.9'],
    show: async () => (await import('../show/tables.js')).showLndt,
  });
  addTable(program, io, {
    name: 'hwdt',
    summary: 'HardWare Description Table: which MAC and IP are seen on the LANs',
    filters: ['vnet', 'ip', 'mac'],
    examples: ['vinectl hwdt', 'vinectl hwdt --mac 52:54:00:00:00:09'],
    show: async () => (await import('../show/tables.js')).showHwdt,
  });
  addTable(program, io, {
    name: 'directory',
    summary: 'where every node of the overlay is',
    filters: ['vnet', 'ip', 'mac', 'router', 'state'],
    examples: ['vinectl directory --router vr-b', 'vinectl directory --ip 10.1.0.9 --json'],
    show: async () => (await import('../show/tables.js')).showDirectory,
  });
  addTable(program, io, {
    name: 'missing',
    summary: 'nodes of this router that are wanted and do not answer: since when, and the searches for them',
    filters: ['vnet', 'ip', 'mac'],
    examples: ['vinectl missing', 'vinectl missing --ip 10.1.0.9 --json'],
    show: async () => (await import('../show/tables.js')).showMissing,
  });
  addTable(program, io, {
    name: 'counters',
    summary: 'every drop reason and message type with its count',
    filters: [],
    examples: ['vinectl counters', 'vinectl counters | grep drop'],
    show: async () => (await import('../show/status.js')).showCounters,
  });
  addRoute(program, io);
  addMigrations(program, io);
  addEvents(program, io);
}

function addTable<Body>(program: Command, io: Io, verb: TableVerb<Body>): void {
  const command = program.command(verb.name).summary(verb.summary).description(verb.summary);
  for (const filter of verb.filters) addFilter(command, filter);
  examples(command, verb.examples);
  command.action(async (options: Query, self: Command) => {
    const query = Object.fromEntries(verb.filters.map((name) => [name, options[name]]));
    await lookUp(contextOf(io, self), `/v1/${verb.name}`, query, await verb.show());
  });
}

/** `--json` prints the answer byte for byte: what a newer router adds is there too. */
async function lookUp<Body>(context: Context, path: string, query: Query, show: Show<Body>): Promise<void> {
  const client = await context.client();
  const { text, body } = await client.get<Body>(path, query);
  context.print(context.json ? text : show(body, context.look));
}

function addRoute(program: Command, io: Io): void {
  const summary = 'what the router does with packets, and why';
  const route = program.command('route').summary(summary).description(summary);
  examples(route, ['vinectl route get 10.2.0.7', 'vinectl route get 192.0.2.80 from 10.1.0.9 --vnet blue']);
  const description = 'what happens to a packet for IP; "from IP" counts where the sender is away from home';
  const get = route
    .command('get')
    .summary(description)
    .description(description)
    .usage('[options] IP [from IP]')
    .argument('<IP>', 'destination')
    .argument('[from...]', 'the word "from" and the sender\'s address');
  get.option('--vnet <name>', 'the vnet; needed when several have the address');
  examples(get, ['vinectl route get 10.2.0.7', 'vinectl route get 192.0.2.80 from 10.1.0.9 --vnet blue']);
  get.action(async (ip: string, rest: readonly string[], options: Query, self: Command) => {
    const [word, from] = rest;
    if (rest.length !== 0 && (rest.length !== 2 || word !== 'from')) {
      self.error(`error: after IP comes nothing or "from IP", not "${rest.join(' ')}"`);
    }
    const { showRoute } = await import('../show/route.js');
    await lookUp<RouteView>(contextOf(io, self), '/v1/route', { vnet: options.vnet, ip, from }, showRoute);
  });
}

function addEvents(program: Command, io: Io): void {
  const summary = 'what happened last, or with --follow what happens from now on';
  const command = program
    .command('events')
    .summary(summary)
    .description(summary)
    .option('-f, --follow', 'show events as they happen, until Ctrl-C');
  examples(command, [
    'vinectl events',
    'vinectl events --follow',
    'vinectl events --follow --json | jq .event',
  ]);
  command.action(async ({ follow }: { follow?: boolean }, self: Command) => {
    const context = contextOf(io, self);
    const { showEvent, showEvents } = await import('../show/events.js');
    if (!follow) return lookUp<readonly EventView[]>(context, '/v1/events', {}, showEvents);
    const show = (line: string): string => showEvent(JSON.parse(line) as EventView, context.look);
    return followEvents(context, (line) => (context.json ? `${line}\n` : show(line)));
  });
}

async function followEvents(context: Context, format: (line: string) => string): Promise<void> {
  const interrupted = new AbortController();
  const forget = context.io.onInterrupt(() => interrupted.abort());
  const { signal } = interrupted;
  try {
    const client = await context.client();
    await client.follow('/v1/events?follow=1', (line) => context.printPaced(format(line), signal), signal);
  } finally {
    forget();
  }
}
