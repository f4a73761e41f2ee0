/** What is wrong with the host names by which other routers are reached. */
import { error, type Finding, ok, warning } from '../../config/finding.js';
import type { PeerView } from '../../control/api.js';
import type { NameView } from '../../control/name-view.js';

const REMEDY =
  'try "getent ahosts" with the name on this machine; is the name right in gndt.json, is /etc/resolv.conf?';

/** One finding for each name that is not well; one for all when all are. */
export function checkNames(peers: readonly Pick<PeerView, 'id' | 'state' | 'names'>[]): Finding[] {
  const findings = peers.flatMap((peer) => peer.names.flatMap((name) => checkName(peer, name)));
  if (findings.length > 0) return findings;
  const names = peers.reduce((sum, peer) => sum + peer.names.length, 0);
  return names === 0
    ? []
    : [ok('names', 'resolver', names === 1 ? 'the name resolves' : `all ${names} names resolve`)];
}

function checkName({ id, state }: Pick<PeerView, 'id' | 'state'>, view: NameView): Finding[] {
  const { name, addresses, resolvedAt, kept, problem, failingSince, skipped } = view;
  const subject = `${id} ${name}`;
  // While it is up nothing is missed.
  const found = state === 'up' ? warning : error;
  if (problem !== '') {
    const since = failingSince === null ? '' : `, since ${failingSince}`;
    const instead =
      addresses.length === 0
        ? 'it never was, so nothing can be called there'
        : `in use is the answer of ${resolvedAt ?? 'before'}: ${addresses.join(', ')}`;
    return [found('names', subject, `does not resolve${since}: ${problem}; ${instead}`, REMEDY)];
  }
  if (skipped.length > 0) {
    const remedy = 'correct what the name says, in the DNS or /etc/hosts';
    return [warning('names', subject, `of its addresses some cannot be used: ${skipped.join('; ')}`, remedy)];
  }
  if (kept || resolvedAt === null)
    return [found('names', subject, 'has not been resolved since the start', REMEDY)];
  return [];
}
