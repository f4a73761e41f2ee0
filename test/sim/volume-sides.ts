/** What the two couriers of a moving volume say to each other in a history, and what is planted in them. */
import type { Arrival } from '../../src/courier/volume/chunk/opening.js';
import type { ChunkVersion, DestinationSays, SourceSays } from '../../src/courier/volume/chunk/says.js';
import type { SimStorage } from './volume-storage.js';

export type ToB =
  | { readonly is: 'open'; readonly arrival: Arrival }
  | { readonly is: 'says'; readonly says: SourceSays }
  | {
      readonly is: 'chunk';
      readonly of: ChunkVersion;
      readonly isPulled: boolean;
      readonly sectors: readonly number[];
    }
  | { readonly is: 'read'; readonly number: number };
export type ToA =
  /** The connection is closed behind what was said. */
  | { readonly is: 'closed' }
  | { readonly is: 'says'; readonly says: DestinationSays }
  | { readonly is: 'read'; readonly number: number; readonly chunk: number; readonly sector: number };

/** What is planted to see that it is found. */
export type Fault =
  | 'none'
  /** RemainingSet \ {c}, as the paper has it: an update during a push is lost. */
  | 'paper'
  | 'push-unflushed'
  | 'ack-unflushed'
  | 'give-not-kept'
  | 'late-write'
  | 'put-over-newer'
  | 'old-pushes';

export interface SideOptions {
  /** Control has come, and nothing was done with it yet. */
  readonly served: () => void;
  /** What was read here for the other side. */
  readonly found: (chunk: number, sector: number, value: number) => void;
  readonly storage: SimStorage;
  readonly fault: Fault;
  readonly threshold: number;
  readonly completeFirst: number;
}
