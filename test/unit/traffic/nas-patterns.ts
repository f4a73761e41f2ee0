/**
 * What the NAS Parallel Benchmarks 3.4 (MPI) send in class A, by rank, derived from their sources: process grids, partners and
 * lengths as in CG/cg.f90 (setup_submatrix_info, conj_grad), LU/proc_grid.f90 and exchange_1.f90, MG/mg.f90 (comm3), FT/ft.f90
 * (transpose2), BT/setup_mpi.f90 (make_set), EP/ep.f90. Each message's payload; how often is left out where it is the same
 * for all.
 */
import type { TrafficMatrix } from '../../../src/traffic/matrix.js';

const DOUBLE = 8;
/** What IP and TCP add to each packet, and how much of a message fits into one. */
const HEADER = 52;
const SEGMENT = 1_448;

export interface Message {
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
  readonly times: number;
}

export const addressOf = (rank: number): string => `10.1.0.${rank + 1}`;

/**
 * @param aggregated packets are counted where segmentation offload has not happened yet, on a host's bridge: a message is one
 */
export function matrixOf(messages: Iterable<Message>, seconds: number, aggregated = false): TrafficMatrix {
  const pairs = [...messages].map(({ from, to, bytes, times }) => {
    const segments = Math.ceil(bytes / SEGMENT);
    return {
      vnet: 1,
      source: addressOf(from),
      destination: addressOf(to),
      sourceSite: 'vr-a',
      destinationSite: 'vr-a',
      packets: times * (aggregated ? 1 : segments),
      bytes: times * (bytes + segments * HEADER),
    };
  });
  return { seconds, pairs, rest: [], unattributed: { packets: 0, bytes: 0 }, missing: [] };
}

/** 2 rows of 4 processes: sums within a row, in two stages, two dot products likewise, and one exchange with the transposed. */
export function* cg8(): Generator<Message> {
  const [rows, columns, order, inner] = [2, 4, 14_000, 15 * 25];
  const half = (order / rows / 2) * DOUBLE;
  for (let me = 0; me < rows * columns; me++) {
    const row = Math.floor(me / columns);
    const transposed = 2 * ((Math.floor(me / 2) % rows) * rows + Math.floor(me / 2 / rows)) + (me % 2);
    if (transposed !== me) yield { from: me, to: transposed, bytes: half, times: inner };
    for (const distance of [2, 1]) {
      const partner = row * columns + ((me % columns) ^ distance);
      yield { from: me, to: partner, bytes: half, times: inner };
      yield { from: me, to: partner, bytes: DOUBLE, times: 2 * inner };
    }
  }
}

/** 64³ points on 4 × 2 processes: for each of 62 planes, twice a step, five values of each point of an edge. */
export function* lu8(): Generator<Message> {
  const [along, across, points, steps] = [4, 2, 64, 250];
  const edge = (length: number): number => 5 * length * DOUBLE;
  for (let x = 0; x < along; x++)
    for (let y = 0; y < across; y++) {
      const me = x + y * along;
      // Each way: the lower triangle's sweep forward, the upper one's backward.
      const sent = { times: 62 * steps };
      if (x + 1 < along) yield* both(me, me + 1, edge(points / across), sent.times);
      if (y + 1 < across) yield* both(me, me + along, edge(points / along), sent.times);
    }
}

function* both(a: number, b: number, bytes: number, times: number): Generator<Message> {
  yield { from: a, to: b, bytes, times };
  yield { from: b, to: a, bytes, times };
}

/** 256³ points on 2 × 2 × 2 processes, periodic: at each level both faces of each axis go to the one neighbour there. */
export function* mg8(): Generator<Message> {
  for (let level = 2; level <= 128; level *= 2)
    for (let me = 0; me < 8; me++) {
      const [inner, whole] = [level, level + 2];
      const faces = [inner * inner, inner * whole, whole * whole];
      for (const [axis, face] of faces.entries())
        yield { from: me, to: me ^ (1 << axis), bytes: face * DOUBLE, times: 2 * 4 * 5 };
    }
}

/** 256 × 256 × 128 complex numbers, transposed all to all once an iteration. */
export function* ft8(): Generator<Message> {
  const bytes = ((256 * 256 * 128) / 8 / 8) * 2 * DOUBLE;
  for (let me = 0; me < 8; me++)
    for (let other = 0; other < 8; other++) if (other !== me) yield { from: me, to: other, bytes, times: 7 };
}

/** 64³ points on 2 × 2 processes, multi-partition: on each axis the successor, the predecessor, and diagonally. */
export function* bt4(): Generator<Message> {
  const bytes = 5 * 2 * (32 * 32) * DOUBLE;
  for (let me = 0; me < 4; me++)
    for (let other = 0; other < 4; other++)
      if (other !== me) yield { from: me, to: other, bytes, times: 6 * 200 };
}

/** Nothing until the end: three sums over all, by halves, of one and of ten values. */
export function* ep8(): Generator<Message> {
  for (let me = 0; me < 8; me++)
    for (const distance of [4, 2, 1]) yield { from: me, to: me ^ distance, bytes: 10 * DOUBLE, times: 4 };
}
