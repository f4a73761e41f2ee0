/** The tunnel's ports onto the addon: sessions go to the engine's registry, datagrams to the socket of their family. */
import { randomBytes } from 'node:crypto';
import { type NativeAddon, type PeerPath, PeerStat, type UdpSocket } from '../dataplane/engine.js';
import { systemClock } from '../net/system-clock.js';
import { wrapForRelay } from '../protocol/relay-message.js';
import type { DatagramAddress, PeerCounts, ResolverPort, TunnelPorts } from '../tunnel/ports.js';

/** @param tagOf how relays know the peer with that number */
export function tunnelPorts(
  native: NativeAddon,
  sockets: readonly UdpSocket[],
  tagOf: (peer: number) => Uint8Array,
  resolver?: ResolverPort,
): TunnelPorts {
  const socketFor = (address: Uint8Array): UdpSocket | undefined =>
    sockets.find(({ family }) => family === (address.length === 4 ? 4 : 6));
  /** Undefined: no socket of that family. */
  const nativePath = (to: DatagramAddress): PeerPath | undefined => {
    if (to.relay !== undefined) return { relay: to.relay };
    if (to.stream !== undefined) return { stream: to.stream };
    const fd = socketFor(to.address)?.fd;
    return fd === undefined ? undefined : { fd, address: to.address, port: to.port };
  };
  const stats = new Float64Array(PeerStat.count);
  return {
    clock: systemClock,
    ...(resolver === undefined ? {} : { resolver }),
    canSend: (wanted) => sockets.some(({ family }) => family === wanted),
    random: (length) => randomBytes(length),
    installSession: (peer, keys) => native.installSession(peer, keys),
    setCurrentSession: (peer, localIndex) => native.setCurrentSession(peer, localIndex),
    removeSession: (localIndex) => native.removeSession(localIndex),
    setPeerEndpoint: (peer, to) => {
      const path = nativePath(to);
      if (path !== undefined) native.setPeerPath(peer, path);
    },
    peerEndpoint: (peer) => native.peerEndpoint(peer),
    connectStream: (address, port) => {
      try {
        return native.connectTcp(address, port);
      } catch {
        return undefined; // No route, or too many connections: tried again later.
      }
    },
    closeStream: (stream) => native.closeStream(stream),
    trustStream: (stream) => native.trustStream(stream),
    removePeer: (peer) => native.removePeer(peer),
    peerStats: (peer) => {
      native.peerStats(peer, stats);
      return named(stats);
    },
    setHandshakeGuard: (guard) => native.setHandshakeGuard(guard),
    sealAndSend: (peer, payload, to) => {
      const path = to === undefined ? undefined : nativePath(to);
      return (to === undefined || path !== undefined) && native.sealAndSend(peer, payload, path);
    },
    sendDatagram: (to, bytes, peer) => {
      if (to.relay !== undefined) {
        return peer !== undefined && native.sealAndSend(to.relay, wrapForRelay(tagOf(peer), bytes));
      }
      if (to.stream !== undefined) return native.sendByStream(to.stream, bytes);
      const fd = socketFor(to.address)?.fd;
      return fd !== undefined && native.sendDatagram(fd, to.address, to.port, bytes);
    },
  };
}

function named(stats: Float64Array): PeerCounts {
  return {
    bytesSent: stats[PeerStat.bytesSent] ?? 0,
    bytesReceived: stats[PeerStat.bytesReceived] ?? 0,
    packetsSent: stats[PeerStat.packetsSent] ?? 0,
    packetsReceived: stats[PeerStat.packetsReceived] ?? 0,
    lastSentMs: stats[PeerStat.lastSentMs] ?? 0,
    lastReceivedMs: stats[PeerStat.lastReceivedMs] ?? 0,
    currentCounter: stats[PeerStat.currentCounter] ?? 0,
  };
}
