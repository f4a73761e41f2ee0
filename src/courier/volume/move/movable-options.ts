/** What a volume that can move is given, and what it is told. */
import type { Socket } from 'node:net';
import type { SparseStorage } from '../gate.js';
import type { MoveWorld } from './world.js';

export interface MovableOptions {
  readonly name: string;
  readonly owner: string;
  /** It may come from elsewhere. */
  readonly receives: boolean;
  readonly stallSeconds: number;
  readonly storage: SparseStorage;
  readonly world: MoveWorld;
  /** With a courier; undefined: there is none of that name. */
  connect(peer: string): Socket | undefined;
  turn(peer: string, begin: (done: () => void) => void): void;
}

export interface MoveOrder {
  readonly peer: string;
  /** Of the volume there. */
  readonly name: string;
  readonly threshold: number;
  readonly completeFirst: number | null;
}
