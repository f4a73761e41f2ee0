/** What moving volumes of a courier share, and what they count. */
import type { Clock } from '../../../net/clock.js';
import type { DeclaredCounters } from '../../../net/counters.js';
import type { PageStore } from '../../store/page-store.js';

export const MOVE_COUNTERS = {
  volume_moves_begun: 'event',
  /** All has come, and the other side was released. */
  volume_moves_complete: 'event',
  volume_moves_abandoned: 'event',
  volume_moves_refused: 'drop',
  /** The connection was lost, and the move went on. */
  volume_moves_resumed: 'event',
  volume_chunks_pushed: 'event',
  volume_chunks_pulled: 'event',
  /** Writes where the volume has gone from: two guests of one volume. */
  volume_late_writes: 'drop',
  volume_late_reads: 'drop',
  /** They waited for control, and it was not given. */
  volume_writes_without_control: 'drop',
  volume_move_pages_sent: 'event',
  volume_move_pages_referenced: 'event',
  volume_move_pages_asked_for: 'event',
  volume_move_batches_not_the_stream: 'drop',
  volume_move_wan_bytes_sent: 'event',
  volume_move_wan_bytes_received: 'event',
} as const;

export interface MoveWorld {
  readonly store: PageStore;
  readonly clock: Clock;
  readonly counters: DeclaredCounters<typeof MOVE_COUNTERS>;
  readonly token: string;
  /** Another stream has sent the page, and does not know yet that it has arrived. */
  isOnItsWay(key: string, except: object): boolean;
  log(line: string): void;
}

/** Of a connection that is closed. */
export function countWan(
  { counters }: MoveWorld,
  link: { readonly sentBytes: number; readonly receivedBytes: number },
): void {
  counters.count('volume_move_wan_bytes_sent', link.sentBytes);
  counters.count('volume_move_wan_bytes_received', link.receivedBytes);
}
