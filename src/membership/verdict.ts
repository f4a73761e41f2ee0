/** What a router says of a description that it did not keep. */
import { MAX_VERDICT_REASON, type TellVerdict } from '../protocol/network-message.js';
import type { UndoneVersion } from './agreement-ports.js';

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
