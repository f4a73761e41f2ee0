/**
 * What a disk's sender knows of pages. What another sender has on its way is sent again: nobody who writes to a disk waits for another
 * stream.
 */
import { type Digester, keyOf } from '../store/digest.js';
import type { PageStore } from '../store/page-store.js';
import type { Peer } from '../store/peers.js';
import type { PageBook } from '../wire/batch-maker.js';

export interface PageBookOptions {
  readonly store: PageStore;
  /** The other store. */
  readonly peer: Peer;
  readonly digester: Digester;
  /** Others have sent the page, and do not know yet that it has arrived. */
  isOnItsWay(key: string): boolean;
  /** The page itself goes. */
  goes(digest: Buffer): void;
}

export function pageBook({ store, peer, digester, isOnItsWay, goes }: PageBookOptions): PageBook {
  return {
    digest: (page) => {
      const digest = digester.of(page);
      store.put(digest, page);
      return digest;
    },
    whereIs: (digest) => (store.peerHas(peer, digest) && !isOnItsWay(keyOf(digest)) ? 'there' : 'nowhere'),
    goes: (digest) => {
      store.setPeerHas(peer, true, digest);
      goes(digest);
    },
  };
}
