/** What is counted of volumes. */
export const VOLUME_COUNTERS = {
  volume_bytes_read: 'event',
  volume_bytes_written: 'event',
  /** By requests to write zeroes, and trims. */
  volume_bytes_zeroed: 'event',
  volume_flushes: 'event',
  /** Requests that ended with an error: no space, a damaged chunk, the other site is gone. */
  volume_requests_failed: 'drop',
  /** Requests that were refused: out of range, unknown. */
  volume_requests_refused: 'drop',
  /** Clients that do not speak NBD, or were too many. */
  volume_clients_refused: 'drop',
} as const;
