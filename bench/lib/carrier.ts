/** What can carry the traffic between the two sites: the kernel, other projects' programs, and vined. */
import type { Folder, Programs } from './peer-path.js';
import type { Topology } from './topology.js';

interface Common {
  readonly name: string;
  readonly kind: 'kernel' | 'peer' | 'ours';
  /** For the table: what it encrypts with, and over what. */
  readonly detail: string;
  /** True when the routers' kernels forward between LAN and tunnel device. */
  readonly kernelForwards: boolean;
}

export interface Carrier extends Common {
  /** What must be there; undefined of what this checkout and the kernel bring along. */
  readonly needs?: Needs & { readonly from: Programs };
  /** Sets it up; settles when it is worth trying to ping. Answers the pids of the two routers' programs. */
  up(topology: Topology): Promise<readonly number[]>;
  /** Routers that know a third one, which can give them host routes (`startChurn`). */
  readonly churns?: boolean;
}

export interface Needs {
  /** The first is the peer itself. */
  readonly programs: readonly [string, ...string[]];
  /** Debian packages that have them; the first is the peer's own. */
  readonly packages: readonly [string, ...string[]];
}

/** Another project's program, wherever it is. */
export interface Peer extends Common {
  readonly kind: 'peer';
  readonly needs: Needs;
  /** @param program answers the file to start */
  up(topology: Topology, program: (name: string) => string): Promise<readonly number[]>;
}

export function peerFrom(peer: Peer, from: Programs): Carrier {
  return {
    ...peer,
    name: from.origin === undefined ? peer.name : `${peer.name}@${from.origin}`,
    needs: { ...peer.needs, from },
    up: (topology) => peer.up(topology, (name) => from.find(name) ?? name),
  };
}

/** The installed ones, then what each folder has; throws when a folder has none. */
export function allPeers(
  peers: readonly Peer[],
  installed: Programs,
  folders: readonly Folder[],
): readonly Carrier[] {
  const unpacked = folders.flatMap((folder) => {
    const there = peers.filter(({ needs }) => folder.has(needs.programs[0]));
    if (there.length === 0) throw new Error(`--peer-path: none of the peers' programs is in ${folder.path}`);
    return there.map((peer) => peerFrom(peer, folder));
  });
  return [...peers.map((peer) => peerFrom(peer, installed)), ...unpacked];
}

/** The programs that it needs and that are nowhere. */
export const missingPrograms = ({ needs }: Carrier): readonly string[] =>
  needs === undefined ? [] : needs.programs.filter((name) => needs.from.find(name) === undefined);
