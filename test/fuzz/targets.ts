/** All fuzz targets in TypeScript. Those of the addon are in test/fuzz/native. */
import type { Target } from './target.js';
import { advertisements } from './targets/advertisements.js';
import { config } from './targets/config.js';
import { control } from './targets/control.js';
import { batches, couriers, migrations } from './targets/courier.js';
import { dhcp } from './targets/dhcp.js';
import { diskMessages, diskRecords, nbdClients, nbdServers } from './targets/disks.js';
import { documents } from './targets/documents.js';
import { etcd } from './targets/etcd.js';
import { flows } from './targets/flows.js';
import { joins, memberships, tokens } from './targets/joining.js';
import { members } from './targets/members.js';
import { messages } from './targets/messages.js';
import { clients, overlay, relay } from './targets/payloads.js';
import { routers } from './targets/routers.js';
import { sensors } from './targets/sensors.js';
import { volumeClients, volumeJournals } from './targets/volume-clients.js';
import { volumeMessages, volumePieces } from './targets/volumes.js';

export const TARGETS: readonly Target[] = [
  messages,
  control,
  overlay,
  relay,
  clients,
  routers,
  members,
  dhcp,
  documents,
  etcd,
  advertisements,
  config,
  memberships,
  tokens,
  joins,
  migrations,
  couriers,
  batches,
  nbdClients,
  nbdServers,
  diskRecords,
  diskMessages,
  volumeMessages,
  volumePieces,
  volumeClients,
  volumeJournals,
  flows,
  sensors,
];
