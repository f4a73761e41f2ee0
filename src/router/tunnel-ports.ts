/** The tunnel's ports onto the addon: sessions go to the engine's registry, datagrams to the socket of their family. */
import { randomBytes } from 'node:crypto';
import { type NativeAddon, PeerStat, type UdpSocket } from '../dataplane/engine.js';
import { systemClock } from '../net/system-clock.js';
import type { TunnelPorts } from '../tunnel/ports.js';

export function tunnelPorts(native: NativeAddon, sockets: readonly UdpSocket[]): TunnelPorts {
  const socketFor = (address: Uint8Array): UdpSocket | undefined =>
    sockets.find(({ family }) => family === (address.length === 4 ? 4 : 6));
  const stats = new Float64Array(PeerStat.count);
  return {
    clock: systemClock,
    random: (length) => randomBytes(length),
    installSession: (peer, keys) => native.installSession(peer, keys),
    setCurrentSession: (peer, localIndex) => native.setCurrentSession(peer, localIndex),
    removeSession: (localIndex) => native.removeSession(localIndex),
    setPeerEndpoint: (peer, address, port) => {
      const socket = socketFor(address);
      if (socket !== undefined) native.setPeerEndpoint(peer, socket.fd, address, port);
    },
    peerEndpoint: (peer) => native.peerEndpoint(peer),
    removePeer: (peer) => native.removePeer(peer),
    peerStats: (peer) => {
      native.peerStats(peer, stats);
      return {
        bytesSent: stats[PeerStat.bytesSent] ?? 0,
        bytesReceived: stats[PeerStat.bytesReceived] ?? 0,
        packetsSent: stats[PeerStat.packetsSent] ?? 0,
        packetsReceived: stats[PeerStat.packetsReceived] ?? 0,
        lastSentMs: stats[PeerStat.lastSentMs] ?? 0,
        lastReceivedMs: stats[PeerStat.lastReceivedMs] ?? 0,
        currentCounter: stats[PeerStat.currentCounter] ?? 0,
      };
    },
    setHandshakeGuard: (guard) => native.setHandshakeGuard(guard),
    sealAndSend: (peer, payload) => native.sealAndSend(peer, payload),
    sendDatagram: (address, port, bytes) => {
      const socket = socketFor(address);
      return socket !== undefined && native.sendDatagram(socket.fd, address, port, bytes);
    },
  };
}
