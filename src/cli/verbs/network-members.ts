/** `vinectl network members | revoke | absorb`: routers that have joined with a token. */
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import type { MembershipView } from '../../control/membership-view.js';
import { type Context, contextOf } from '../context.js';
import { CliError, REFUSED, UNREACHABLE } from '../exit.js';
import type { Io } from '../io.js';
import { type Column, table } from '../show/text.js';
import { examples } from './help.js';

interface FileOptions {
  readonly key: string;
  readonly gndt: string;
}

export function addMemberVerbs(network: Command, io: Io): void {
  addMembers(network, io);
  addRevoke(network, io);
  addAbsorb(network, io);
}

function addMembers(network: Command, io: Io): void {
  const summary = 'routers that have joined with a token';
  const command = network.command('members').summary(summary).description(summary);
  examples(command, ['vinectl network members', 'vinectl --json network members']);
  command.action(async (_options: object, self: Command) => {
    const context = contextOf(io, self);
    const client = await context.client();
    const { text, body } = await client.get<readonly MembershipView[]>('/v1/memberships');
    context.print(context.json ? text : showMembers(context, body));
  });
}

function showMembers({ look }: Context, members: readonly MembershipView[]): string {
  const columns: Column<MembershipView>[] = [
    { title: 'ROUTER', text: ({ router }) => router },
    { title: 'SITE', text: ({ site }) => site },
    { title: 'STATE', text: ({ state }) => state },
    {
      title: 'NETWORKS',
      text: ({ networks }) => networks.map(({ vnet, prefix }) => `${vnet} ${prefix}`).join(', '),
    },
    { title: 'TOKEN', text: ({ token }) => token.slice(0, 12) },
    { title: 'REMARK', text: ({ reason }) => reason || null },
  ];
  return table(members, columns, look.paint, 'nobody has joined with a token');
}

function withFiles(command: Command): Command {
  return command
    .option('--key <file>', "the network's key", 'network.key')
    .option('--gndt <file>', 'the description', 'gndt.json');
}

function addRevoke(network: Command, io: Io): void {
  const summary = 'take a router, or a token, out of the network: edit the description and sign it';
  const command = withFiles(
    network
      .command('revoke')
      .summary(summary)
      .description(
        `${summary}. NAME is a router of gndt.json, a router that has joined with a token (the router on the socket is asked ` +
          'whose token), or the site or id of a token that was given. Then "vinectl network publish".',
      )
      .argument('<NAME>', 'of a router or site, or the first digits of a token id'),
  );
  examples(command, [
    'vinectl network revoke vr-c',
    'vinectl network revoke 3f9a0c1b22d4 --key network.key --gndt gndt.json',
  ]);
  command.action(async (name: string, { key, gndt }: FileOptions, self: Command) => {
    const context = contextOf(io, self);
    const { readGndtFile, signGndt } = await import('../network-files.js');
    const { withoutRouter, writeGndt } = await import('../joining/edit-gndt.js');
    const read = readGndtFile(gndt);
    const isNamed = read.file.routers.some(({ id }) => id === name);
    // Also of one that the description has absorbed: its membership would bring it back.
    const tokens = await tokensOf(context, name, join(dirname(key), 'tokens.json'));
    if (!isNamed && tokens.length === 0)
      throw new CliError(
        REFUSED,
        `"${name}" is no router of ${gndt}, and no token is known by that name: "vinectl network members" on a router shows them with their ids`,
      );
    const revoked = [...new Set([...(read.file.revoked ?? []), ...tokens.map(({ id }) => id)])];
    writeGndt(read, (json) => ({
      ...(isNamed ? withoutRouter(json, name) : json),
      ...(revoked.length === 0 ? {} : { revoked }),
    }));
    const joined = tokens.flatMap(({ router }) => (router === undefined ? [] : [router]));
    const removes = [...new Set([...(isNamed ? [name] : []), ...joined])];
    const { version } = signGndt(gndt, key, removes);
    context.print(
      context.json
        ? `${JSON.stringify({ file: gndt, version, revoked: tokens.map(({ id }) => id), removes })}\n`
        : `${gndt} is version ${version} now, without "${name}"; spread it with "vinectl network publish ${gndt}"\n`,
    );
  });
}

interface KnownToken {
  readonly id: string;
  /** Undefined: nobody has joined with it, as far as is known here. */
  readonly router: string | undefined;
}

/** Asks the router on the socket if there is one, then the list of tokens that were given. */
async function tokensOf(context: Context, name: string, listPath: string): Promise<readonly KnownToken[]> {
  const isIdOf = (id: string): boolean => name.length >= 8 && id.startsWith(name);
  const members = await membersIfAny(context);
  const joined = members.filter(
    ({ token, router, site }) => router === name || site === name || isIdOf(token),
  );
  if (joined.length > 0) return joined.map(({ token, router }) => ({ id: token, router }));
  const { readGivenTokens } = await import('../joining/make-token.js');
  return readGivenTokens(listPath)
    .filter(({ id, site }) => site === name || isIdOf(id))
    .map(({ id }) => ({ id, router: undefined }));
}

async function membersIfAny(context: Context): Promise<readonly MembershipView[]> {
  try {
    const client = await context.client();
    return (await client.get<readonly MembershipView[]>('/v1/memberships')).body;
  } catch (error) {
    if (error instanceof CliError && error.status === UNREACHABLE) return [];
    throw error;
  }
}

function addAbsorb(network: Command, io: Io): void {
  const summary = 'write the routers that have joined with a token into the description, and sign it';
  const command = withFiles(
    network
      .command('absorb')
      .summary(summary)
      .description(
        `${summary}. The router on the socket is asked who they are. Then "vinectl network publish".`,
      ),
  );
  examples(command, ['vinectl network absorb --key network.key --gndt gndt.json']);
  command.action(async ({ key, gndt }: FileOptions, self: Command) => {
    const context = contextOf(io, self);
    const client = await context.client();
    const { body } = await client.get<readonly MembershipView[]>('/v1/memberships');
    const members = body.filter(({ state }) => state === 'counts');
    if (members.length === 0)
      throw new CliError(REFUSED, 'nobody has joined with a token who is not in the description');
    const { readGndtFile, signGndt } = await import('../network-files.js');
    const { withRouters, writeGndt } = await import('../joining/edit-gndt.js');
    writeGndt(readGndtFile(gndt), (json) => withRouters(json, members));
    const { version } = signGndt(gndt, key, undefined);
    const routers = members.map(({ router }) => router);
    context.print(
      context.json
        ? `${JSON.stringify({ file: gndt, version, routers })}\n`
        : `${gndt} is version ${version} now, with ${routers.join(', ')}; spread it with "vinectl network publish ${gndt}"\n`,
    );
  });
}
