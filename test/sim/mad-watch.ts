/** What honest routers' directories say of nodes that are where they are, whatever is said elsewhere. */
import assert from 'node:assert/strict';
import { formatMac } from '../../src/net/mac.js';
import type { DirectoryChange } from '../../src/tables/directory.js';
import type { NodeRecord } from '../../src/tables/model.js';
import type { SimHost } from '../support/sim-lan-host.js';
import type { SimSite } from '../support/sim-lan-site.js';
import type { MadWorld } from './mad-world.js';

/** Is that what is true of a node at that site? */
export function isTrueOf(record: NodeRecord | undefined, node: SimHost, at: SimSite): boolean {
  if (record?.router !== at.id || record.state !== 'here' || record.frozen === true) return false;
  return record.mac === node.mac;
}

export function inWords(record: NodeRecord | undefined): string {
  if (record === undefined) return 'nothing';
  const { router, state, seq, frozen, mac } = record;
  return `${router} (${formatMac(mac)}), ${state}${frozen === true ? ', frozen' : ''}, seq ${seq}`;
}

/** Notes every change, at any honest router, by which a node would not be where it is any more. */
export class Watch {
  readonly wrong: string[] = [];
  readonly #all: MadWorld;
  readonly #nodes = new Map<string, { readonly node: SimHost; readonly at: SimSite }>();

  constructor(all: MadWorld, nodes: readonly SimHost[]) {
    this.#all = all;
    for (const node of nodes) {
      const at = all.world.siteOf(node);
      assert(at);
      for (const ip of node.ips) this.#nodes.set(ip.key, { node, at });
    }
    for (const site of all.honest) site.watch = (by, change) => this.#changed(by, change);
  }

  /** Nothing was wrong at any time, and nothing is wrong now. */
  check(): void {
    assert.deepEqual(this.wrong, []);
    for (const { node, at } of this.#nodes.values()) {
      for (const site of this.#all.honest) {
        for (const ip of node.ips) {
          const record = site.directory.get(1, ip);
          assert(isTrueOf(record, node, at), `${site.id} has ${ip.key} at ${inWords(record)}`);
        }
      }
    }
  }

  #changed(site: SimSite, { after }: DirectoryChange): void {
    const watched = this.#nodes.get(after.ip.key);
    if (watched === undefined || isTrueOf(after, watched.node, watched.at)) return;
    const atMs = Math.round(this.#all.world.clock.nowMs());
    this.wrong.push(`${atMs} ms: ${site.id} has ${after.ip.key} at ${inWords(after)}`);
  }
}
