/** What the configuration says of disks, as their room wants it. */
import { connect } from 'node:net';
import { socketOptions } from './address.js';
import type { CourierConfig } from './config.js';
import type { DestinationPlace, DisksOptions, SourcePlace } from './disk/disks.js';
import type { VolumeConfig } from './volume/volumes.js';

export function diskPlaces(config: CourierConfig): Pick<DisksOptions, 'sources' | 'destinations'> {
  const ownerOf = (owner: string): string => (config.store.shared ? '' : owner);
  const sources = config.disks.map(({ peer, destination, owner, stallSeconds }): SourcePlace => {
    const address = config.peers.get(peer);
    if (address === undefined) throw new Error(`${peer} is not in peers`);
    return {
      ...{ peer, destination, owner: ownerOf(owner), stallSeconds },
      connect: () => connect({ ...socketOptions(address), allowHalfOpen: false }),
    };
  });
  const destinations = [...config.receiveDisks].map(([name, place]) => {
    const { owner, export: exportName } = place;
    const open = (): ReturnType<typeof connect> => connect(socketOptions(place.connect));
    return [name, { owner: ownerOf(owner), exportName, connect: open } satisfies DestinationPlace] as const;
  });
  return { sources, destinations: new Map(destinations) };
}

export function volumePlaces({ volumes, store }: CourierConfig): readonly VolumeConfig[] {
  return volumes.map(({ name, size, base, directory, owner, receive, stallSeconds }) => ({
    ...{ name, sizeBytes: size, base: base?.file, directory, receive, stallSeconds },
    owner: store.shared ? '' : owner,
  }));
}
