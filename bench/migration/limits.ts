/** The time budget of a move (docs/mobility.md): milliseconds after the first announcement on the wire. */
export const DESTINATION_MEDIAN_MS = 2;
export const DESTINATION_P99_MS = 5;
/** These three come on top of the one-way delay. */
export const SOURCE_MS = 5;
export const ALL_MS = 10;
export const BURST_MS = 50;
/** Probes lost, as milliseconds' worth, beyond the hypervisor's pause and the one-way delay. */
export const LOST_MEDIAN_MS = 5;
export const LOST_P99_MS = 20;
/** Until a node that has moved in silence answers again, from when it is plugged in. */
export const SILENT_MS = 1_500;
