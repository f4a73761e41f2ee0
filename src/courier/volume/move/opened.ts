/** What another courier hears whose volume does not come here, or is not needed. */
import type { PeerLink } from '../../job/peer-link.js';
import type { SparseStorage } from '../gate.js';
import { encodeOpened, type VolumeOpen } from './message.js';

/** The link has nothing more to say. */
export function ends(link: PeerLink, opened: Parameters<typeof encodeOpened>[0]): void {
  link.handOver({ frame: () => undefined, closed: () => undefined });
  link.send(encodeOpened(opened));
  link.end();
}

export function whyNotTheSame(
  storage: SparseStorage,
  { sizeBytes, chunkBytes, base }: VolumeOpen,
): string | undefined {
  if (storage.size !== sizeBytes) return `it has ${storage.size} bytes here, and not ${sizeBytes}`;
  if (storage.chunkBytes !== chunkBytes)
    return `its chunks have ${storage.chunkBytes} bytes here, and not ${chunkBytes}`;
  const [here, there] = [storage.baseDigest ?? 'none', base ?? 'none'];
  return here === there ? undefined : `its base is another one: here ${here}, there ${there}`;
}
