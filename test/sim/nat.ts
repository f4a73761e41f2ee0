/**
 * NAT boxes of the simulated network. Both kinds let a datagram in only from where one was sent to before; `easy` gives
 * a router the same port towards everyone, `hard` another port towards each destination, so that what a third router
 * saw is of no use.
 */
import type { DatagramAddress } from '../../src/tunnel/ports.js';

export type NatKind = 'easy' | 'hard';

const FIRST_PORT = 40_000;

interface Mapping {
  readonly inside: DatagramAddress;
  readonly publicPort: number;
  readonly contacted: Set<string>;
}

export class Nat {
  private readonly mappings = new Map<string, Mapping>();
  private readonly byPort = new Map<number, Mapping>();
  private nextPort = FIRST_PORT;

  constructor(
    readonly kind: NatKind,
    readonly publicAddress: Uint8Array,
  ) {}

  /** The source as the world sees it. */
  outward(from: DatagramAddress, to: DatagramAddress): DatagramAddress {
    const key = this.kind === 'easy' ? textOf(from) : `${textOf(from)} > ${textOf(to)}`;
    let mapping = this.mappings.get(key);
    if (mapping === undefined) {
      mapping = { inside: from, publicPort: this.nextPort++, contacted: new Set() };
      this.mappings.set(key, mapping);
      this.byPort.set(mapping.publicPort, mapping);
    }
    mapping.contacted.add(textOf(to));
    return { address: this.publicAddress, port: mapping.publicPort };
  }

  /** Who inside gets it; undefined: nobody. */
  inward(from: DatagramAddress, port: number): DatagramAddress | undefined {
    const mapping = this.byPort.get(port);
    return mapping?.contacted.has(textOf(from)) === true ? mapping.inside : undefined;
  }

  /** As after a restart of the box. */
  forget(): void {
    this.mappings.clear();
    this.byPort.clear();
  }
}

function textOf({ address, port }: DatagramAddress): string {
  return `${Buffer.from(address).toString('hex')}:${port}`;
}
