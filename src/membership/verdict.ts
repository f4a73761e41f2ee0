/** What a router says of a description that it did not keep. */
import { MAX_VERDICT_REASON, type TellVerdict } from '../protocol/network-message.js';
import type { RouterId } from '../tables/model.js';
import type { UndoneVersion } from './agreement-ports.js';
import type { Description } from './description.js';
import { TRIAL_MS } from './trial.js';

/** Of the highest version above `floor` that was undone or refused; undefined: there is none. */
export function highestVerdict(
  undone: readonly UndoneVersion[],
  refused: TellVerdict | undefined,
  floor: number,
): TellVerdict | undefined {
  const all = undone.map((one): TellVerdict => ({ outcome: 'undone', ...one })).concat(refused ?? []);
  return all.filter(({ version }) => version > floor).sort((a, b) => b.version - a.version)[0];
}

/** So that it fits in a message, without what would not be printed there. */
export function shortened(reason: string): string {
  const line = reason.replace(/\p{Cc}+/gu, ' ');
  return line.length <= MAX_VERDICT_REASON ? line : `${line.slice(0, MAX_VERDICT_REASON - 1)}…`;
}

export function lostTooMany(lost: readonly RouterId[], of: number): string {
  const named = `${lost.slice(0, 5).join(', ')}${lost.length > 5 ? ' …' : ''}`;
  return shortened(`${lost.length} of ${of} peers were lost for ${TRIAL_MS / 1_000} s: ${named}`);
}

/** Why a description is not taken from an operator; undefined: nothing here says so. */
export function notPublished(
  { version }: Description,
  present: Description | undefined,
  undone: readonly UndoneVersion[],
): string | undefined {
  if (version <= (present?.version ?? 0))
    return `it is version ${version}, and this router has version ${present?.version}: take that one ("vinectl network show"), edit it and sign it, which raises its version`;
  const same = undone.find((one) => one.version === version);
  return (
    same && `version ${version} was undone here: ${same.reason}; sign it again, which gives it a new version`
  );
}

/** Of one that was judged and is not the present one. */
export const KNOWN_OTHERWISE =
  'its version is known here with another content or signature, which stays: sign it again, which gives it a new version';

/** Why one that was here before does not count; undefined: it was not here, as far as is known. */
export function notKept(
  digest: string,
  undone: readonly UndoneVersion[],
  refused: TellVerdict | undefined,
): string | undefined {
  const one = undone.find((before) => before.digest === digest);
  if (one !== undefined) return `version ${one.version} was undone here: ${one.reason}`;
  return refused?.digest === digest
    ? `version ${refused.version} cannot be applied here: ${refused.reason}`
    : undefined;
}
