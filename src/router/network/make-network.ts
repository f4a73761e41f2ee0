import type { CounterBoard } from '../view/counter-board.js';
import type { Warnings } from '../view/warnings.js';
import { NetworkDesk, type NetworkDeskOptions } from './network-desk.js';

export interface NetworkParts extends Omit<NetworkDeskOptions, 'pinned'> {
  readonly board: CounterBoard;
  readonly warnings: Warnings;
}

/** Nothing without a pinned key: gndt.json is then what this machine's file says. */
export function makeNetwork(parts: NetworkParts): NetworkDesk | undefined {
  const pinned = parts.config.router.network?.publicKey;
  if (pinned === undefined) return undefined;
  const network = new NetworkDesk({ ...parts, pinned });
  parts.board.add(network);
  parts.warnings.follow(network);
  return network;
}
