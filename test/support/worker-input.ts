/** What a packet worker of a router with one LAN, in vnet 1, and nothing in its tables is given at its start. */
import { createPacketCounters, createVnetCounters } from '../../src/dataplane/counters.js';
import { RelayTable } from '../../src/dataplane/forward/relay-table.js';
import { LanAddressTable } from '../../src/dataplane/lan-addresses.js';
import { LanRoles } from '../../src/dataplane/lan-roles.js';
import { PeerShares } from '../../src/dataplane/punt/peer-shares.js';
import { Tally } from '../../src/dataplane/punt/punt.js';
import { ControlWord, type WorkerInput, WorkerWord } from '../../src/dataplane/worker-input.js';
import { type Mac, macHigh, macLow } from '../../src/net/mac.js';
import { ForwardingTable } from '../../src/tables/forwarding/forwarding-table.js';
import { MacTable } from '../../src/tables/forwarding/mac-table.js';
import { SitePeers } from '../../src/tables/forwarding/site-peers.js';

const MOST_PEERS = 16;

/** @param mac the router's own on its LAN @param vrid of the virtual MACs there, 0 for none */
export function workerInput(
  mac: Mac,
  given: Partial<WorkerInput> = {},
  vrid = 0,
  lanRoles = LanRoles.create(1),
): WorkerInput {
  const shared = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);
  const vnets = shared(65_536);
  new Uint8Array(vnets).fill(1, 1, 2);
  const lan = { fd: 3, index: 0, macHigh: macHigh(mac), macLow: macLow(mac), mtuBytes: 1_500 };
  return {
    engine: {
      role: 'lan',
      lans: [{ ...lan, vnetHeader: true, vrid }],
      lanRoles: lanRoles.memory,
      tuns: [],
      udp: [],
      wakeupFd: -1,
      slots: 0,
      slotBytes: 0,
      counters: shared(8),
    },
    lanVnets: [1],
    tunsFrom: 1,
    lanAddresses: LanAddressTable.create(1).memory,
    gatewayLans: [false],
    vnets,
    table: ForwardingTable.create({ slots: 64 }).memory,
    macs: MacTable.create(16).memory,
    activity: shared(2 * 4 * 16),
    activityMacs: MacTable.create(16).memory,
    selfPeer: 0,
    selfSite: given.selfPeer ?? 0,
    sitePeers: SitePeers.create().memory,
    relays: RelayTable.create(MOST_PEERS).memory,
    clientVnets: shared(MOST_PEERS * 4),
    peerMtu: shared(MOST_PEERS * 4),
    counters: createPacketCounters().buffer as SharedArrayBuffer,
    vnetCounters: createVnetCounters().buffer as SharedArrayBuffer,
    puntsDone: shared(Tally.count * 4),
    puntsPassed: shared(Tally.count * 4),
    puntShares: PeerShares.create().memory,
    control: shared(ControlWord.count * 4),
    words: shared(WorkerWord.count * 4),
    ...given,
  };
}
