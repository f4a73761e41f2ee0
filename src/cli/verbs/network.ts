/** `vinectl network`: one signed description for all routers. */
import type { Command } from 'commander';
import { contextOf } from '../context.js';
import { CliError, REFUSED } from '../exit.js';
import type { Io } from '../io.js';
import { examples } from './help.js';
import { addInit } from './network-init.js';
import { addLiveNetworkVerbs } from './network-live.js';
import { addMemberVerbs } from './network-members.js';

const DEFAULT_GNDT = 'gndt.json';
const DEFAULT_KEY = 'network.key';

export function addNetworkVerbs(program: Command, io: Io): void {
  const network = program
    .command('network')
    .summary('one signed description for all routers: its key, signing, spreading')
    .description(
      'The description of the network (gndt.json) is signed with one key, on a machine that needs no router, and the ' +
        'routers pass it on among themselves.',
    );
  addInit(network, io);
  addSign(network, io);
  addVerify(network, io);
  addMemberVerbs(network, io);
  addLiveNetworkVerbs(network, io);
}

interface SignOptions {
  readonly key: string;
  readonly remove?: string;
}

function addSign(network: Command, io: Io): void {
  const summary = 'raise the version of a gndt.json by one and sign it';
  const command = network
    .command('sign')
    .summary(summary)
    .description(
      `${summary}. Only its "version" (and with --remove its "removes") is changed, every other byte stays; the signature ` +
        'goes into a file beside it, FILE.sig. Refuses a file that "vinectl check" would refuse.',
    )
    .argument('[FILE]', 'the description', DEFAULT_GNDT)
    .option('--key <file>', "the network's key", DEFAULT_KEY)
    .option(
      '--remove <routers>',
      'routers that this version takes away on purpose, with commas between; "none" for none',
    );
  examples(command, [
    'vinectl network sign gndt.json --key network.key',
    'vinectl network sign gndt.json --key network.key --remove vr-c,vr-d',
  ]);
  command.action(async (file: string, { key, remove }: SignOptions, self: Command) => {
    const context = contextOf(io, self);
    const { signGndt, signaturePath } = await import('../network-files.js');
    const removes =
      remove === undefined ? undefined : remove === 'none' ? [] : remove.split(',').map((id) => id.trim());
    const signed = signGndt(file, key, removes);
    context.print(
      context.json
        ? `${JSON.stringify({ file, ...signed })}\n`
        : `${file} is version ${signed.version} now, signed in ${signaturePath(file)}; spread it with "vinectl network publish ${file}" on any router\n`,
    );
  });
}

function addVerify(network: Command, io: Io): void {
  const summary = 'is the signature beside a gndt.json good?';
  const command = network
    .command('verify')
    .summary(summary)
    .description(summary)
    .argument('[FILE]', 'the description', DEFAULT_GNDT)
    .option('--public-key <key>', 'the public key, or a file with it', 'network.pub');
  examples(command, ['vinectl network verify gndt.json --public-key network.pub']);
  command.action(async (file: string, { publicKey: given }: { publicKey: string }, self: Command) => {
    const context = contextOf(io, self);
    const { readGndtFile, readPublicKey, readSignatureOf, signaturePath } = await import(
      '../network-files.js'
    );
    const { verify } = await import('../../membership/signature.js');
    const publicKey = readPublicKey(given);
    const gndt = readGndtFile(file);
    const signature = readSignatureOf(file);
    if (signature === undefined)
      throw new CliError(REFUSED, `there is no ${signaturePath(file)}: the file is not signed`);
    const { version } = gndt.file;
    if (!verify('description', gndt.bytes, signature, publicKey))
      throw new CliError(
        REFUSED,
        `the signature in ${signaturePath(file)} does not hold for ${file}: it was changed after it was signed, or another key has signed it`,
      );
    if (version === undefined)
      throw new CliError(REFUSED, `${file} has no "version": sign it with "vinectl network sign"`);
    context.print(
      context.json
        ? `${JSON.stringify({ file, version, valid: true })}\n`
        : `${file}: version ${version}, signature good\n`,
    );
  });
}
