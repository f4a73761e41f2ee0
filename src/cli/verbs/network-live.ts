/** `vinectl network publish | list | show | rotate`: what asks the running router. */
import type { Command } from 'commander';
import type { NetworkView, PublishView } from '../../control/network-view.js';
import type { ControlClient } from '../client.js';
import { type Context, contextOf } from '../context.js';
import { CliError, REFUSED } from '../exit.js';
import type { Io } from '../io.js';
import { type Progress, progressLine, progressOf, showNetwork } from '../show/network.js';
import { clean } from '../show/text.js';
import { examples, positiveInteger } from './help.js';

const POLL_MS = 500;
/** A trial that just does not end well takes two minutes. */
const DEFAULT_TIMEOUT_SECONDS = 180;

export function addLiveNetworkVerbs(network: Command, io: Io): void {
  addList(network, io);
  addShow(network, io);
  addPublish(network, io);
  addRotate(network, io);
}

function addList(network: Command, io: Io): void {
  const summary = 'routers, sites, networks, and who has which version of the description';
  const command = network.command('list').summary(summary).description(summary);
  examples(command, ['vinectl network list', 'vinectl --json network list']);
  command.action(async (_options: object, self: Command) => {
    const context = contextOf(io, self);
    const client = await context.client();
    const { text, body } = await client.get<NetworkView>('/v1/network');
    context.print(context.json ? text : showNetwork(body, context.look));
  });
}

function addShow(network: Command, io: Io): void {
  const summary = 'print the signed gndt.json that this router runs with, to be edited and signed anew';
  const command = network
    .command('show')
    .summary(summary)
    .description(summary)
    .option('-o, --output <file>', 'write it there, and its signature beside it');
  examples(command, ['vinectl network show -o gndt.json']);
  command.action(async ({ output }: { output?: string }, self: Command) => {
    const context = contextOf(io, self);
    const client = await context.client();
    const { text, body } = await client.get<{ description: string }>('/v1/network/description');
    const { splitDocument, signatureLine } = await import('../../membership/document.js');
    const parts = splitDocument(Buffer.from(body.description, 'base64'));
    if (parts === undefined)
      throw new CliError(REFUSED, 'the router sent something else than a signed description');
    if (output === undefined) {
      context.print(context.json ? text : Buffer.from(parts.content).toString('utf8'));
      return;
    }
    const { signaturePath, write } = await import('../network-files.js');
    write(output, parts.content);
    write(signaturePath(output), signatureLine(parts.signature));
    context.print(
      context.json
        ? `${JSON.stringify({ file: output })}\n`
        : `${output} and ${signaturePath(output)} are written\n`,
    );
  });
}

interface PublishOptions {
  readonly wait: boolean;
  readonly timeout: number;
}

interface PublishFileOptions extends PublishOptions {
  readonly etcd?: true;
  readonly config: string;
}

function addPublish(network: Command, io: Io): void {
  const summary = 'hand a signed description to this router, which passes it on to all';
  const command = network
    .command('publish')
    .summary(summary)
    .description(
      `${summary}. Shows who has it, until it stands on every router that is reached. Ctrl-C ends the watching, not the ` +
        'spreading. Where more than a quarter of the peers are lost for a minute it undoes itself. Refused while the version ' +
        'before it is on trial here: whom the new one cuts off would undo that one. With --etcd it is put into the etcd that ' +
        'router.json names instead, unless that has a version as high; the routers that follow it take it from there.',
    )
    .argument('[FILE]', 'the description; its signature is in FILE.sig', 'gndt.json')
    .option('--no-wait', 'only hand it to this router')
    .option('--timeout <seconds>', 'how long to watch', positiveInteger, DEFAULT_TIMEOUT_SECONDS)
    .option('--etcd', 'put it into the etcd that router.json names')
    .option('--config <dir>', 'where router.json is, with --etcd', '/etc/vine');
  examples(command, [
    'vinectl network publish gndt.json',
    'vinectl network publish gndt.json --no-wait',
    'vinectl network publish gndt.json --etcd',
  ]);
  command.action(async (file: string, options: PublishFileOptions, self: Command) => {
    const context = contextOf(io, self);
    const { readGndtFile, readSignatureOf, signaturePath } = await import('../network-files.js');
    const { joinDocument } = await import('../../membership/document.js');
    const { bytes } = readGndtFile(file);
    const signature = readSignatureOf(file);
    if (signature === undefined)
      throw new CliError(
        REFUSED,
        `there is no ${signaturePath(file)}: sign the file first ("vinectl network sign ${file}")`,
      );
    const description = joinDocument({ signature, content: bytes });
    if (options.etcd) await putIntoEtcd(context, description, options.config);
    else await publish(context, { description }, options);
  });
}

async function putIntoEtcd(context: Context, description: Uint8Array, directory: string): Promise<void> {
  const { putDescription } = await import('../network-etcd.js');
  const put = await putDescription(directory, description, context.io);
  const { version, endpoint, key, changed, before } = put;
  const replaced = before === null ? '' : ` in the place of version ${before}`;
  const text = changed
    ? `version ${version} is in ${endpoint}${replaced}`
    : `${endpoint} has version ${version} already`;
  context.print(context.json ? `${JSON.stringify(put)}\n` : `${text}, under ${clean(key)}\n`);
}

interface RotateOptions extends PublishOptions {
  readonly key: string;
  readonly newKey: string;
  readonly days: number;
  readonly gndt: string;
}

function addRotate(network: Command, io: Io): void {
  const summary = "replace the network's key: the new one is signed by the old one";
  const command = network
    .command('rotate')
    .summary(summary)
    .description(
      `${summary}, and the description is signed anew with it. Both keys count for some days; pin the new one in every ` +
        'router.json meanwhile or later: routers that are started afterwards need it.',
    )
    .requiredOption('--new-key <file>', 'the new key ("vinectl network init DIR" makes one)')
    .option('--key <file>', 'the present key', 'network.key')
    .option('--gndt <file>', 'the description', 'gndt.json')
    .option('--days <days>', 'how long both count', positiveInteger, 30)
    .option('--no-wait', 'only hand it to this router')
    .option('--timeout <seconds>', 'how long to watch', positiveInteger, DEFAULT_TIMEOUT_SECONDS);
  examples(command, ['vinectl network rotate --key network.key --new-key new/network.key --gndt gndt.json']);
  command.action(async (options: RotateOptions, self: Command) => {
    const context = contextOf(io, self);
    const { readGndtFile, readSeed, readSignatureOf, signGndt } = await import('../network-files.js');
    const { publicKeyOf } = await import('../../membership/signature.js');
    const { signSuccession, successionDocument } = await import('../../membership/succession.js');
    const { joinDocument } = await import('../../membership/document.js');
    const newKey = publicKeyOf(readSeed(options.newKey));
    const untilSeconds = Math.floor(io.nowMs() / 1_000) + options.days * 86_400;
    const statement = signSuccession(readSeed(options.key), newKey, untilSeconds);
    const client = await context.client();
    const { body: view } = await client.get<NetworkView>('/v1/network');
    // Before the new key is known anywhere: the description that it signs would be refused.
    if (view.trial !== null)
      throw new CliError(
        REFUSED,
        `version ${view.version} is on trial here for ${view.trial.remainingSeconds} s yet: rotate when it is over ("vinectl network list" shows it)`,
      );
    const chain = await chainBefore(view, client);
    const succession = successionDocument([...chain, statement]);
    await post(client, { succession });
    signGndt(options.gndt, options.newKey, undefined);
    const signature = readSignatureOf(options.gndt);
    const { bytes: content } = readGndtFile(options.gndt);
    if (signature !== undefined)
      await publish(context, { description: joinDocument({ signature, content }) }, options);
  });
}

/** The statements of before, which the routers must see with the new one. */
async function chainBefore(
  { successions }: NetworkView,
  { socket }: ControlClient,
): Promise<readonly import('../../membership/succession.js').Succession[]> {
  if (successions === null) return [];
  const { readSuccessions } = await import('../../membership/succession.js');
  const chain = readSuccessions(Buffer.from(successions, 'base64'));
  if (typeof chain === 'string')
    throw new CliError(REFUSED, `the router on ${socket} has a broken chain of keys: ${chain}`);
  return chain;
}

async function post(
  client: ControlClient,
  { description, succession }: { description?: Uint8Array; succession?: Uint8Array },
): Promise<PublishView> {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const { body } = await client.post<PublishView>('/v1/network', {
    ...(description && { description: base64(description) }),
    ...(succession && { succession: base64(succession) }),
  });
  return body;
}

async function publish(
  context: Context,
  documents: { description: Uint8Array },
  { wait, timeout }: PublishOptions,
): Promise<void> {
  const client = await context.client();
  const { version, warnings } = await post(client, documents);
  for (const warning of warnings) context.io.stderr.write(`vinectl: warning: ${clean(warning)}\n`);
  if (version === null) return;
  if (!wait) {
    context.print(context.json ? `${JSON.stringify({ version })}\n` : `version ${version} is on its way\n`);
    return;
  }
  const progress = await watch(context, client, version, timeout);
  if (context.json) context.print(`${JSON.stringify(progress)}\n`);
  else context.print(`${progressLine(progress)}\n`);
  if (progress.outcome !== 'stands' && progress.outcome !== 'left')
    throw new CliError(
      REFUSED,
      `version ${version} does not stand everywhere: "vinectl network list" shows who has what`,
    );
}

/** Until it stands everywhere, is undone here, the time is over, or somebody presses Ctrl-C. */
async function watch(
  context: Context,
  client: ControlClient,
  version: number,
  timeoutSeconds: number,
): Promise<Progress> {
  const { io } = context;
  const stop = new AbortController();
  const release = io.onInterrupt(() => stop.abort());
  const deadlineMs = io.nowMs() + timeoutSeconds * 1_000;
  let shown = '';
  try {
    for (;;) {
      const { body } = await client.get<NetworkView>('/v1/network');
      const progress = progressOf(body, version);
      if (progress.outcome !== 'under way') return progress;
      if (stop.signal.aborted) return { ...progress, outcome: 'left' };
      if (io.nowMs() >= deadlineMs) return { ...progress, outcome: 'late' };
      const line = progressLine(progress);
      if (!context.json && line !== shown) io.stderr.write(`${line}\n`);
      shown = line;
      await io.sleep(POLL_MS, stop.signal);
    }
  } finally {
    release();
  }
}
