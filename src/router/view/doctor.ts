/** What the router finds wrong with itself, its machine, its files and its peers: `GET /v1/doctor`. */

import { readFileSync } from 'node:fs';
import { error, type Finding, ok, warning } from '../../config/finding.js';
import { heldAddresses } from '../../config/interfaces.js';
import { kernelForwards, type pingWhole, readLinks } from '../../config/machine.js';
import {
  checkCapabilities,
  checkForwarding,
  checkGateways,
  checkLans,
  checkStateDir,
  type GatewayUser,
  type NeededCapability,
} from '../../config/machine-checks.js';
import type { CountersView, MissingView, PeerView } from '../../control/api.js';
import type { Clock } from '../../net/clock.js';
import { formatMac } from '../../net/mac.js';
import { outerBytes } from '../../protocol/overhead.js';
import { formatConfigError } from '../../tables/files/error.js';
import type { Gateways, OtherUser } from '../lan/gateways.js';
import { hasCapability } from '../machine/capabilities.js';
import type { Guards } from '../machine/guards.js';
import type { Memberships } from '../network/memberships.js';
import type { NetworkDesk } from '../network/network-desk.js';
import type { FilesState, Reloader } from '../reload/reloader.js';
import type { LiveView } from './live-view.js';
import { checkNames } from './name-doctor.js';
import { checkNetwork } from './network-doctor.js';
import { checkPair } from './pair-doctor.js';
import { checkPorts, type PortParts } from './platform-doctor.js';
import type { Warnings } from './warnings.js';

export interface DoctorParts {
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly view: Pick<LiveView, 'peers' | 'counters' | 'missing' | 'role'>;
  readonly warnings: Warnings;
  readonly reloader: Pick<Reloader, 'config' | 'filesState'>;
  readonly guards: Pick<Guards, 'standing'>;
  readonly gateways: Pick<Gateways, 'otherUsers'>;
  readonly ports: PortParts;
  /** Undefined: no network key is pinned. */
  readonly network: Pick<NetworkDesk, 'view' | 'conditions'> | undefined;
  readonly memberships: Pick<Memberships, 'view'>;
  readonly pingWhole: typeof pingWhole;
}

/** Beyond what half an asymmetric round trip can explain. */
const CLOCK_LIMIT_MS = 1_000;
/** A move is over by then, and a machine that starts anew answers again. */
const MISSING_LIMIT_MS = 60_000;
const MOST_EXAMPLES = 5;
/** Pings under way at a time. */
const PINGS_AT_ONCE = 8;

export async function examine(parts: DoctorParts): Promise<Finding[]> {
  const { clock, view, reloader, guards } = parts;
  const { lans, stateDir } = reloader.config.router;
  const peers = view.peers();
  const role = view.role();
  const largest = Math.max(0, ...peers.filter(isUp).map(({ innerMtuBytes }) => innerMtuBytes));
  const forwarding = lans.map((lan) => lan.interface).filter(kernelForwards);
  return [
    checkCapabilities(missingCapabilities()),
    ...checkLans(lans, await readLinks(), largest),
    ...checkGateways(lans, heldAddresses(), parts.gateways.otherUsers().map(userView)),
    ...(await checkPorts(parts.ports)),
    checkForwarding(forwarding, guards.standing),
    checkStateDir(stateDir),
    checkFiles(reloader.filesState()),
    ...otherWarnings(parts).map((text) => warning('warning', 'vined', text, '')),
    ...networkFindings(parts),
    ...peers.map(checkPeer),
    ...checkNames(peers),
    ...peers.filter(isUp).flatMap((peer) => [checkSameFiles(peer, role.partner?.router), checkClock(peer)]),
    ...checkPair(role),
    ...peers.flatMap(checkConduct),
    ...checkStrangers(view.counters()),
    checkMissing(view.missing(), clock.wallMs()),
    ...(await checkPaths(peers.filter(isUp), parts.pingWhole)),
  ];
}

/** Without those that a finding says with what to do. */
function otherWarnings({ warnings, network }: DoctorParts): string[] {
  const found = new Set(network?.conditions());
  return warnings.all().filter((text) => !found.has(text));
}

function networkFindings({ view, reloader, network, memberships }: DoctorParts): Finding[] {
  if (network === undefined) return [];
  return checkNetwork({
    self: reloader.config.router.id,
    view: network.view(),
    memberships: memberships.view(),
    counters: view.counters(),
  });
}

function userView({ lan, ip, mac }: OtherUser): GatewayUser {
  return { interface: lan.interface, ip: ip.key, mac: formatMac(mac) };
}

const NEEDED: readonly NeededCapability[] = ['CAP_NET_ADMIN', 'CAP_NET_RAW'];

function missingCapabilities(): NeededCapability[] {
  const status = readFileSync('/proc/self/status', 'utf8');
  return NEEDED.filter((capability) => !hasCapability(status, capability));
}

function isUp({ state }: PeerView): boolean {
  return state === 'up';
}

function checkFiles(files: FilesState): Finding {
  const check = 'files';
  if ('errors' in files) {
    const text = files.errors.map(formatConfigError).join('; ');
    return error(
      check,
      'configuration',
      `the files have errors: ${text}`,
      'correct them; until then neither a reload nor a restart works',
    );
  }
  if (files.changes === 0) return ok(check, 'configuration', 'the router runs with what the files say');
  const things = files.changes === 1 ? 'one thing' : `${files.changes} things`;
  return warning(
    check,
    'configuration',
    `the files differ from what the router runs with in ${things}`,
    'vinectl reload --dry-run, then vinectl reload',
  );
}

export function checkPeer({ id, state, reason, endpoint, names }: PeerView): Finding {
  if (state === 'up') return ok('peer', id, `up, at ${endpoint ?? 'an unknown endpoint'}`);
  if (state === 'refused')
    return error(
      'peer',
      id,
      `it or this router refuses: ${reason}`,
      'run the same version on both, and the same gndt.json',
    );
  if (endpoint === null && names.length > 0)
    return error('peer', id, `not reachable: ${reason}`, 'see what is said of its names');
  if (endpoint === null)
    return warning('peer', id, reason, 'wait for it to call, or give it endpoints in gndt.json');
  return error(
    'peer',
    id,
    `not reachable: ${reason}`,
    `is vined running there, does a firewall let ${endpoint} through, are the endpoint and both public keys right in both gndt.json?`,
  );
}

/** @param partner the other router of this one's site: after a takeover what it has read counts */
export function checkSameFiles({ id, sameGndt }: PeerView, partner?: string): Finding {
  if (sameGndt !== false) return ok('gndt', id, 'it has read the same gndt.json');
  const [found, whose] = id === partner ? [error, "the site's other router: its"] : [warning, 'its'];
  return found(
    'gndt',
    id,
    `${whose} gndt.json is not the same as this router’s`,
    'copy one file to all routers and run vinectl reload on each',
  );
}

export function checkClock({ id, clockOffsetMs, rttMs }: PeerView): Finding {
  if (clockOffsetMs === null) return ok('clock', id, 'its clock is not known yet');
  const seconds = (Math.abs(clockOffsetMs) / 1000).toFixed(1);
  if (Math.abs(clockOffsetMs) <= CLOCK_LIMIT_MS + (rttMs ?? 0) / 2)
    return ok('clock', id, `its clock agrees with this one's to ${seconds} s`);
  const how = clockOffsetMs > 0 ? 'ahead of' : 'behind';
  return warning(
    'clock',
    id,
    `its clock is ${seconds} s ${how} this one's`,
    'let NTP keep the clocks of both (timedatectl set-ntp true)',
  );
}

/** A refusal now and then is ordinary: an answer that came too late, tables that were not the same yet. */
export function checkConduct({ id, misbehaving, refusals }: PeerView): Finding[] {
  if (!misbehaving) return [];
  return [
    error(
      'conduct',
      id,
      `it is misbehaving: it goes on sending what this router refuses (${refusals} times so far)`,
      'see peer_refusals in the log; compare version and gndt.json of both; if its key may be stolen, take it out of gndt.json on all routers',
    ),
  ];
}

/** Handshakes that say that somebody's gndt.json has another key than a router has. */
export function checkStrangers(counters: CountersView): Finding[] {
  const findings: Finding[] = [];
  const unknown = counters.handshake_drop_unknown_key ?? 0;
  if (unknown > 0)
    findings.push(
      warning(
        'keys',
        'callers',
        `${unknown} calls came from a router whose public key is in no entry of this gndt.json`,
        'compare "vinectl pubkey" of each router with its publicKey in gndt.json',
      ),
    );
  // The packet engine drops most of them before the tunnel sees them.
  const wrong = (counters.handshake_drop_bad_mac1 ?? 0) + (counters.handshakes_bad_mac1 ?? 0);
  if (wrong > 0)
    findings.push(
      warning(
        'keys',
        'callers',
        `${wrong} calls were made with another public key for this router than it has`,
        "another router's gndt.json has a wrong publicKey for this one, or it is no router that calls",
      ),
    );
  return findings.length > 0 ? findings : [ok('keys', 'callers', 'nobody calls with a wrong key')];
}

/** One finding, however many there are. */
export function checkMissing(missing: Iterable<MissingView>, nowMs: number): Finding {
  const long = [...missing].filter(({ missingSince }) => nowMs - Date.parse(missingSince) > MISSING_LIMIT_MS);
  if (long.length === 0) return ok('missing', 'nodes', 'no node has been missing for more than a minute');
  const examples = long.slice(0, MOST_EXAMPLES).map(({ vnet, ips }) => `${vnet} ${ips.join(', ')}`);
  const more = long.length > MOST_EXAMPLES ? '; …' : '';
  const machines = long.length === 1 ? 'one machine is' : `${long.length} machines are`;
  return warning(
    'missing',
    'nodes',
    `${machines} wanted and ${long.length === 1 ? 'has' : 'have'} not answered for more than a minute, here or elsewhere: ${examples.join('; ')}${more}`,
    'see vinectl missing; is the machine off? does mobility.allow of its network in gndt.json name the router of the site where it may be?',
  );
}

async function checkPaths(peers: readonly PeerView[], ping: typeof pingWhole): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (let start = 0; start < peers.length; start += PINGS_AT_ONCE) {
    const some = peers.slice(start, start + PINGS_AT_ONCE);
    findings.push(...(await Promise.all(some.map((peer) => checkPath(peer, ping)))));
  }
  return findings;
}

/** Does the path carry the largest datagram that goes to that peer in one piece? */
async function checkPath(
  { id, endpoint, innerMtuBytes }: PeerView,
  ping: typeof pingWhole,
): Promise<Finding> {
  const check = 'path-mtu';
  const address = addressOf(endpoint);
  if (address === undefined) return ok(check, id, 'not checked: its address is not known');
  const wanted = outerBytes(innerMtuBytes, address.includes(':') ? 6 : 4);
  const whole = await ping(address, wanted);
  if (whole.answered) return ok(check, id, `the path carries ${wanted} bytes`);
  const small = await ping(address, 100);
  if (whole.mtuBytes === undefined && !small.answered)
    return ok(check, id, `not checked: ${address} does not answer pings`);
  const carried = whole.mtuBytes === undefined ? `fewer than ${wanted}` : `${whole.mtuBytes}`;
  return warning(
    check,
    id,
    `the path to ${address} carries ${carried} bytes, the tunnel's packets have up to ${wanted}: large ones are fragmented or lost`,
    'raise the MTU on the WAN interface or the path',
  );
}

function addressOf(endpoint: string | null): string | undefined {
  return endpoint === null ? undefined : /^[a-z]+:\/\/\[?([^\]]+?)\]?:\d+$/.exec(endpoint)?.[1];
}
