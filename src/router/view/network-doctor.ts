/** What the router finds wrong with the signed description, with who has joined, and with the etcd. */
import { error, type Finding, ok, warning } from '../../config/finding.js';
import type { CountersView } from '../../control/api.js';
import type { MembershipView } from '../../control/membership-view.js';
import type { EtcdView, NetworkRouterView, NetworkView } from '../../control/network-view.js';

export interface NetworkSeen {
  /** This router. */
  readonly self: string;
  readonly view: NetworkView;
  readonly memberships: readonly MembershipView[];
  readonly counters: CountersView;
}

const CHECK = 'description';
const MOST_EXAMPLES = 5;
const SIGN_AGAIN =
  'correct it, sign it again (vinectl network sign), which gives it a new version, and publish it';

export function checkNetwork({ self, view, memberships, counters }: NetworkSeen): Finding[] {
  return [
    checkVersion(view),
    ...checkVerdict(view.routers.find(({ id }) => id === self)),
    ...checkOthers(
      view,
      view.routers.filter(({ id, reachable }) => id !== self && reachable),
    ),
    ...checkSignedTwice(counters),
    ...checkMemberships(memberships),
    ...checkTokens(counters.tokens_used_twice ?? 0),
    ...(view.etcd === null ? [] : checkEtcd(view.etcd)),
  ];
}

function checkVersion({ version, trial }: NetworkView): Finding {
  if (version === null)
    return warning(
      CHECK,
      'network',
      'a network key is pinned, and no signed description has been heard of: gndt.json of this machine counts',
      'vinectl network sign gndt.json, then vinectl network publish gndt.json on any router',
    );
  if (trial === null) return ok(CHECK, 'network', `version ${version} is signed and stands`);
  const { lost, of, remainingSeconds } = trial;
  const text = `version ${version} is on trial, for ${remainingSeconds} s yet`;
  if (lost.length === 0) return ok(CHECK, 'network', `${text}; no peer is lost`);
  return warning(
    CHECK,
    'network',
    `${text}: ${lost.length} of ${of} peers are lost: ${someOf(lost)}`,
    'wait: it is undone by itself if too many stay away; if they are away on purpose, sign with --remove',
  );
}

/** Of this router itself. */
function checkVerdict(own: NetworkRouterView | undefined): Finding[] {
  if (own === undefined || own.verdict === null) return [];
  const { outcome, version, reason } = own.verdict;
  return [error(CHECK, 'network', `version ${version} was ${outcome} here: ${reason}`, SIGN_AGAIN)];
}

function checkOthers({ version }: NetworkView, others: readonly NetworkRouterView[]): Finding[] {
  const findings: Finding[] = [];
  const inState = (state: NetworkRouterView['state']): string[] =>
    others.filter((one) => one.state === state).map(told);
  const [older, newer, differing] = [inState('older'), inState('newer'), inState('differs')];
  if (older.length > 0)
    findings.push(
      warning(
        CHECK,
        'routers',
        `behind version ${version}: ${someOf(older)}`,
        'see "vinectl network list" there: it says why it has not taken it',
      ),
    );
  if (newer.length > 0)
    findings.push(
      warning(
        CHECK,
        'routers',
        `ahead of this router's version ${version ?? 0}: ${someOf(newer)}`,
        'it is fetched within seconds; if not, see whether this router has refused or undone it, or whether its key is older than theirs',
      ),
    );
  if (differing.length > 0)
    findings.push(
      error(
        CHECK,
        'routers',
        `have another description of the same version ${version}: ${someOf(differing)}`,
        'two were signed with one version: publish one with a higher version (vinectl network sign raises it), from one place',
      ),
    );
  return findings;
}

function told({ id, version, verdict }: NetworkRouterView): string {
  const base = `${id} (${version === null ? 'none' : `version ${version}`}`;
  return verdict === null
    ? `${base})`
    : `${base}; ${verdict.version} was ${verdict.outcome}: ${verdict.reason})`;
}

/** Alarms: since the start, for nobody takes them back. */
function checkSignedTwice(counters: CountersView): Finding[] {
  const findings: Finding[] = [];
  const descriptions = counters.descriptions_signed_twice ?? 0;
  if (descriptions > 0)
    findings.push(
      error(
        CHECK,
        'key',
        `the network's key has signed two descriptions of one version (seen ${descriptions} times since the start)`,
        'publish a higher version; if nobody has signed in two places, somebody else has the key: vinectl network rotate',
      ),
    );
  if ((counters.network_keys_signed_twice ?? 0) > 0)
    findings.push(
      error(
        CHECK,
        'key',
        "the network's key has named two successors: the one that was heard first counts here",
        'somebody else has the key: make a new one (vinectl network init) and pin it in every router.json',
      ),
    );
  return findings;
}

function checkMemberships(memberships: readonly MembershipView[]): Finding[] {
  const out = memberships.filter(({ state }) => state === 'left-out');
  if (out.length === 0) return [];
  const names = out.map(({ router, reason }) => `${router}: ${reason}`);
  return [
    warning(
      'memberships',
      'network',
      `joined and left out, since they contradict the description: ${someOf(names, '; ')}`,
      'change the description, or revoke the token (vinectl network revoke) and make another',
    ),
  ];
}

function checkTokens(usedTwice: number): Finding[] {
  if (usedTwice === 0) return [];
  return [
    error(
      'memberships',
      'tokens',
      `a second machine has used a token (${usedTwice} since the start); it is not in`,
      'vinectl events names both (token_used_twice): unless you know them, vinectl network revoke the one that is in, and make another token',
    ),
  ];
}

function checkEtcd({ endpoint, key, reached, since, refusal, lastProblem }: EtcdView): Finding[] {
  const check = 'etcd';
  if (!reached && since !== null)
    return [
      warning(
        check,
        endpoint,
        `does not answer, since ${since}: ${lastProblem?.reason ?? 'no reason known'}; the last description stays`,
        'is etcd running there, does a firewall let this router through, are the certificates good?',
      ),
    ];
  if (refusal !== null)
    return [
      warning(
        check,
        key,
        `does not count here: ${refusal}`,
        'put the present one there: vinectl network publish gndt.json --etcd',
      ),
    ];
  return reached ? [ok(check, endpoint, `answers; ${key} is what this router has`)] : [];
}

function someOf(items: readonly string[], separator = ', '): string {
  const shown = items.slice(0, MOST_EXAMPLES).join(separator);
  return items.length > MOST_EXAMPLES ? `${shown}${separator}…` : shown;
}
