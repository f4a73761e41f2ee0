/** What the packet workers hand up, and whose affair it is. */
import type { Punt } from '../dataplane/punt/punt.js';
import type { PlaneListener } from '../dataplane/worker/worker-group.js';
import { isJoinRequest } from '../membership/join-exchange.js';
import type { Mobility } from '../mobility/mobility.js';
import type { Mac } from '../net/mac.js';
import type { Tunnel } from '../tunnel/tunnel.js';
import { datagramAddress, streamEnd, toIp } from './address-words.js';
import type { LanSide } from './lan/lan-side.js';
import { lostPorts, type Sockets } from './machine/sockets.js';
import type { JoinDesk } from './network/join-desk.js';
import type { Tables } from './tables.js';

export interface PlaneListeners {
  readonly sockets: Sockets;
  readonly tables: Pick<Tables, 'gndt'>;
  readonly tunnel: Tunnel;
  readonly joinDesk: JoinDesk;
  readonly lanSide: LanSide;
  readonly mobility: Mobility;
}

/** @param onFailure is told which worker has ended, and names the ports that are gone if that is why */
export function planeListener(listeners: PlaneListeners, onFailure: (error: Error) => void): PlaneListener {
  return {
    punt: (punt) => takePunt(punt, listeners),
    failed: (worker, error) => {
      const reason = `${worker}: ${error.message}${lostPorts(listeners.sockets)}`;
      onFailure(new Error(reason, { cause: error }));
    },
  };
}

function takePunt(punt: Punt, listeners: PlaneListeners): void {
  const { tables, tunnel, joinDesk, lanSide, mobility } = listeners;
  switch (punt.type) {
    case 'handshake':
      if (isJoinRequest(punt.bytes)) joinDesk.received(punt.bytes, datagramAddress(punt.source));
      else tunnel.handshakeReceived(punt.bytes, datagramAddress(punt.source));
      break;
    case 'stream': {
      const far = { ...datagramAddress(punt.source), stream: punt.stream };
      tunnel.streamChanged(punt.event, far, streamEnd(punt.errno));
      break;
    }
    case 'control':
      tunnel.controlReceived(punt.peer, punt.payload, datagramAddress(punt.source));
      break;
    case 'sessionConfirmed':
      tunnel.sessionConfirmed(punt.peer, punt.session);
      break;
    case 'clientWanted':
      tunnel.clientWanted(punt.peer);
      break;
    case 'want':
      lanSide.want(punt.vnet, toIp(punt.address));
      mobility.wanted(punt.vnet, toIp(punt.address));
      break;
    case 'redirect': {
      const router = tables.gndt.idAt(punt.peer);
      if (router !== undefined)
        mobility.redirectHint(tables.gndt.siteOf(router), punt.vnet, toIp(punt.address));
      break;
    }
    case 'sourceElsewhere':
      mobility.heardHere(punt.lan, punt.vnet, punt.mac as Mac, toIp(punt.address));
      break;
    case 'macElsewhere':
      mobility.heardHere(punt.lan, punt.vnet, punt.mac as Mac);
      break;
    case 'unheardOf':
      mobility.unheardOf(punt.vnet, toIp(punt.address), punt.mac as Mac);
      break;
  }
}
