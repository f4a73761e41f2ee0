/** What the packet workers report, and whose affair it is. */
import type { WorkerMessage } from '../dataplane/worker-message.js';
import type { Mobility } from '../mobility/mobility.js';
import type { Mac } from '../net/mac.js';
import type { Gndt } from '../tables/gndt.js';
import type { Tunnel } from '../tunnel/tunnel.js';
import { datagramAddress, streamEnd, toIp } from './address-words.js';
import type { LanSide } from './lan/lan-side.js';

export interface WorkerListeners {
  readonly gndt: Gndt;
  readonly tunnel: Tunnel;
  readonly lanSide: LanSide;
  readonly mobility: Mobility;
}

export function takeWorkerMessage(message: WorkerMessage, listeners: WorkerListeners): void {
  const { gndt, tunnel, lanSide, mobility } = listeners;
  switch (message.type) {
    case 'handshake':
      tunnel.handshakeReceived(message.bytes, datagramAddress(message.source));
      break;
    case 'stream': {
      const far = { ...datagramAddress(message.source), stream: message.stream };
      tunnel.streamChanged(message.event, far, streamEnd(message.errno));
      break;
    }
    case 'control':
      tunnel.controlReceived(message.peer, message.payload, datagramAddress(message.source));
      break;
    case 'sessionConfirmed':
      tunnel.sessionConfirmed(message.peer, message.session);
      break;
    case 'clientWanted':
      tunnel.clientWanted(message.peer);
      break;
    case 'want':
      lanSide.want(message.vnet, toIp(message.address));
      break;
    case 'redirect': {
      const router = gndt.routerAt(message.peer);
      if (router !== undefined) mobility.redirectHint(router, message.vnet, toIp(message.address));
      break;
    }
    case 'sourceElsewhere':
      lanSide.probe(message.lan, toIp(message.address), message.mac as Mac);
      break;
    default: // 'running' and 'stopped' are the plane's own.
  }
}
