/** `vinectl join` in order: check all, then ask, then write. Before the first question nothing is sent, before the yes nothing written. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { derivePublicKey } from '../../config/keys.js';
import { createBinding, MOST_ENDPOINTS } from '../../membership/binding.js';
import { decodeMembership, joinMembership, type Membership } from '../../membership/membership.js';
import { decodeToken, MOST_TOKEN_CHARACTERS, type TokenContent } from '../../membership/token.js';
import { messageOf } from '../../net/system-error.js';
import { readEndpoint, readListen, readName } from '../../tables/files/read.js';
import type { RouterEndpoint } from '../../tables/model.js';
import { CliError, REFUSED } from '../exit.js';
import { ask } from './ask.js';
import { checkFiles, writeJoined } from './join-files.js';
import { checkNothingThere, orRefuse, ownKey, readLan } from './router-files.js';

export interface JoinRequest {
  readonly token: string;
  readonly directory: string;
  readonly stateDir: string;
  readonly socket?: string | undefined;
  readonly name?: string | undefined;
  readonly endpoints: readonly string[];
  readonly listen: readonly string[];
  /** `eth1`, or `eth1=blue`. */
  readonly lans: readonly string[];
  readonly nowMs: number;
  readonly tell: (line: string) => void;
}

export interface Joined {
  readonly router: string;
  readonly site: string;
  readonly networks: readonly string[];
  readonly admittedBy: string;
  readonly bootstraps: readonly string[];
  readonly files: readonly string[];
}

/** Clocks that differ by more than that are worth a word when a token has expired. */
const CLOCK_TOLERANCE_S = 30;

export async function join(request: JoinRequest): Promise<Joined> {
  const token = checkedToken(request);
  const directory = resolve(request.directory);
  const stateDir = resolve(request.stateDir);
  const { grant } = token;
  const router = orRefuse(readName(request.name ?? grant.site), '--name');
  const endpoints = request.endpoints.map((text) => orRefuse(readEndpoint(text), '--endpoint'));
  for (const text of request.listen) orRefuse(readListen(text), '--listen');
  if (endpoints.length > MOST_ENDPOINTS)
    throw new CliError(REFUSED, `--endpoint: at most ${MOST_ENDPOINTS} fit into a membership`);
  if (request.lans.length === 0)
    throw new CliError(
      REFUSED,
      'the LAN is missing: --lan INTERFACE names the one whose machines this router serves',
    );
  const vnets = grant.vnets.map(({ name: vnet }) => vnet);
  const lans = request.lans.map((text) => readLan(text, vnets));
  checkNothingThere(directory, stateDir);
  const privateKey = ownKey(directory);
  const membership = membershipOf(token, { router, privateKey, endpoints });
  const joining = {
    directory,
    stateDir,
    socket: request.socket === undefined ? undefined : resolve(request.socket),
    listen: request.listen,
    lans,
    token,
    membership,
  };
  checkFiles(joining);
  const rank = await admitted(request, token, privateKey, membership);
  privateKey.fill(0);
  const files = writeJoined({ ...joining, rank });
  return {
    router,
    site: grant.site,
    networks: grant.networks.map(({ vnet, prefix }) => `${grant.vnets[vnet]?.name}=${prefix}`),
    admittedBy: token.bootstraps[rank]?.router ?? '',
    bootstraps: token.bootstraps.map((one) => one.router),
    files,
  };
}

/** From the command line, a file, or (`-`) standard input. */
export async function readToken(
  given: string | undefined,
  file: string | undefined,
  stdin: AsyncIterable<Uint8Array | string>,
): Promise<string> {
  if ((given === undefined) === (file === undefined))
    throw new CliError(
      REFUSED,
      'expected a token: either TOKEN or --token-file FILE ("-" reads it from standard input)',
    );
  if (given !== undefined && given !== '-') return given;
  if (file !== undefined && file !== '-') {
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      throw new CliError(REFUSED, `cannot read ${file}: ${messageOf(error)}`);
    }
  }
  let text = '';
  for await (const part of stdin) {
    text += typeof part === 'string' ? part : Buffer.from(part).toString('latin1');
    if (text.length > 2 * MOST_TOKEN_CHARACTERS) break;
  }
  return text;
}

function checkedToken({ token: line, nowMs }: JoinRequest): TokenContent {
  const token = decodeToken(line);
  if (typeof token === 'string') throw new CliError(REFUSED, token);
  const { expiresS } = token.grant;
  if (nowMs >= expiresS * 1000)
    throw new CliError(
      REFUSED,
      `the token expired at ${isoTime(expiresS)}; this machine's clock says ${isoTime(nowMs / 1000)}: ask for another, or set the clock right`,
    );
  return token;
}

function membershipOf(
  token: TokenContent,
  {
    router,
    privateKey,
    endpoints,
  }: {
    readonly router: string;
    readonly privateKey: Uint8Array;
    readonly endpoints: readonly RouterEndpoint[];
  },
): Membership {
  const terms = { router, publicKey: derivePublicKey(privateKey), endpoints };
  const binding = createBinding(token.grant, terms, token.oneTimeSeed);
  if (typeof binding === 'string') throw new CliError(REFUSED, binding);
  const membership = decodeMembership(joinMembership(token.grantBytes, binding));
  if (typeof membership === 'string') throw new CliError(REFUSED, membership);
  return membership;
}

/** @returns which of the bootstrap routers has said yes */
async function admitted(
  { tell }: JoinRequest,
  { bootstraps }: TokenContent,
  privateKey: Uint8Array,
  membership: Membership,
): Promise<number> {
  const noes: string[] = [];
  for (const [rank, router] of bootstraps.entries()) {
    const outcome = await ask(router, { privateKey, membership: membership.bytes, tell });
    if ('unanswered' in outcome) {
      tell(`${router.router} does not answer`);
      noes.push(`${router.router} does not answer (${outcome.unanswered})`);
    } else if (outcome.isAdmitted) return rank;
    else {
      tell(`${router.router} refuses`);
      noes.push(`${router.router} refuses: ${outcome.reason}${clockWord(outcome.unixS)}`);
    }
  }
  const isRefused = noes.some((line) => line.includes(' refuses: '));
  const advice = isRefused
    ? ''
    : '\nis one of them running, and does its port let this machine in? The token is as good as before: join again';
  throw new CliError(REFUSED, `not admitted:\n  ${noes.join('\n  ')}${advice}`);
}

function clockWord(theirsS: number): string {
  const off = Math.round(Date.now() / 1000 - theirsS);
  if (Math.abs(off) <= CLOCK_TOLERANCE_S) return '';
  return ` (the clocks differ: this machine's is ${Math.abs(off)} s ${off > 0 ? 'ahead' : 'behind'})`;
}

function isoTime(unixS: number): string {
  return new Date(unixS * 1000).toISOString();
}
