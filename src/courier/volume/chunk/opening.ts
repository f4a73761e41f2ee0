/** What becomes of a connection on which another courier says that a volume comes. Pure. */
import type { KeptDestination } from './destination.js';
import type { SourcePhase } from './source.js';

/** What the one that comes says. */
export interface Arrival {
  /** Random, of this move. */
  readonly session: string;
  /** Random, of the volume since its first move: versions of chunks mean the same wherever it is. */
  readonly volume: string;
  readonly phase: SourcePhase;
}

/** What is known of the volume here. */
export interface Here {
  /** Of the last volume that was here; undefined: none was. */
  readonly volume: string | undefined;
  readonly coming: (KeptDestination & { readonly session: string }) | undefined;
  /** It goes from here, or has gone. */
  readonly going: { readonly phase: SourcePhase } | undefined;
  /** Sessions in which all came. */
  readonly finished: readonly string[];
  /** No chunk differs from the base. */
  readonly isEmpty: boolean;
  /** The configuration allows it. */
  readonly mayReceive: boolean;
}

export type Decision =
  /** The session goes on. */
  | { readonly is: 'continue' }
  /** A new one; `keepsChunks`: what is here is an older state of the same volume. */
  | { readonly is: 'begin'; readonly keepsChunks: boolean }
  /** Nothing of it is here, or needed. */
  | { readonly is: 'say'; readonly say: 'forgotten' | 'finished' }
  | { readonly is: 'refuse'; readonly why: string };

export function decide({ session, volume, phase }: Arrival, here: Here): Decision {
  const { coming, going, finished } = here;
  if (coming?.session === session) return { is: 'continue' };
  if (finished.includes(session)) return { is: 'say', say: 'finished' };
  if (phase === 'abandoned') return { is: 'say', say: 'forgotten' };
  if (phase !== 'pushing') return refuse('control was given to this volume, which knows nothing of the move');
  if (!here.mayReceive) return refuse('its configuration does not say that it receives one');
  const isSame = here.volume === volume;
  if (coming !== undefined) return supersedes(coming, isSame);
  if (going !== undefined && going.phase !== 'released') return refuse('it is on its way from here itself');
  // What has left may come back, and is found again.
  if (going?.phase === 'released') return { is: 'begin', keepsChunks: isSame };
  return here.isEmpty ? { is: 'begin', keepsChunks: false } : refuse('it is not empty');
}

/** Another move is known here. Only the volume's own side can have begun a new one, and then nothing of the old one was given. */
function supersedes({ phase }: KeptDestination, isSame: boolean): Decision {
  if (phase === 'forgetting') return refuse('another move is being forgotten here: try again');
  if (phase === 'receiving')
    return isSame ? { is: 'begin', keepsChunks: true } : refuse('another volume is on its way here');
  if (phase === 'pulling') return refuse('it has not come completely from where it was');
  return refuse('it is in use here');
}

function refuse(why: string): Decision {
  return { is: 'refuse', why };
}
