/** The addon's model: its functions over sockets and sessions that exist only in memory; engines are `FakeEngine`. */
import { type NativeAddon, type PeerPath, PeerStat } from '../../src/dataplane/engine.js';
import { FakeEngine, type Registry, transmit } from './fake-engine.js';
import { FakeGuard } from './fake-guard.js';
import { FakeNetwork } from './fake-network.js';
import { type FakeEndpoint, FakeSessions } from './fake-sessions.js';
import { FakeWakeups } from './fake-wakeups.js';

export interface FakeAddonOptions {
  readonly network?: FakeNetwork;
  /** CLOCK_MONOTONIC in the real one. */
  readonly nowMs?: () => number;
}

export function createFakeAddon(options: FakeAddonOptions = {}): NativeAddon {
  const network = options.network ?? new FakeNetwork();
  const nowMs = options.nowMs ?? (() => Number(process.hrtime.bigint() / 1_000_000n));
  const sessions = new FakeSessions(nowMs);
  const registry: Registry = { network, sessions, guard: new FakeGuard() };
  return { ...socketFunctions(registry), ...peerFunctions(registry) };
}

type SocketFunction =
  | 'openLan'
  | 'shareLan'
  | 'shareUdp'
  | 'setRescue'
  | 'openTun'
  | 'openUdp'
  | 'closeSocket'
  | 'createWakeup'
  | 'wake'
  | 'watchWakeup'
  | 'createEngine'
  | 'listenTcp'
  | 'connectTcp'
  | 'closeStream'
  | 'trustStream'
  | 'sendByStream'
  | 'sendDatagram';

function socketFunctions(registry: Registry): Pick<NativeAddon, SocketFunction> {
  const { network, sessions } = registry;
  const wakeups = new FakeWakeups(() => network.newFd());
  return {
    openLan: (interfaceName, index, vrid) => network.openLan(interfaceName, index, vrid),
    shareLan: (fd) => network.shareLan(fd),
    shareUdp: (fd) => network.shareUdp(fd),
    setRescue: (fd, on) => network.setRescue(fd, on),
    openTun: (interfaceName, index) => network.openTun(interfaceName, index),
    openUdp: (address, port) => network.openUdp(address, port),
    closeSocket: (fd) => {
      network.close(fd);
      sessions.forgetSocket(fd);
      wakeups.close(fd);
    },
    createWakeup: () => wakeups.create(),
    wake: (fd) => wakeups.wake(fd),
    watchWakeup: (fd, onWoken) => wakeups.watch(fd, onWoken),
    createEngine: (options) => new FakeEngine(options, registry),
    listenTcp: (address, port) => network.streams.listen(address, port),
    connectTcp: (address, port) => network.streams.connect(address, port),
    closeStream: (stream) => network.streams.close(stream),
    trustStream: (stream) => network.streams.trust(stream),
    sendByStream: (stream, bytes) => network.streams.send(stream, bytes),
    sendDatagram: (udpFd, address, port, bytes) => network.sendUdp(udpFd, { address, port }, bytes),
  };
}

function endpointOf(path: PeerPath, network: FakeNetwork): FakeEndpoint {
  if ('relay' in path) {
    if (path.relay < 0 || path.relay >= 4096) throw new RangeError('relay');
    return { fd: -1, address: new Uint8Array(4), port: 0, relay: path.relay };
  }
  if ('stream' in path) {
    const far = network.streams.farOf(path.stream);
    return { fd: -1, address: far?.address ?? new Uint8Array(4), port: far?.port ?? 0, stream: path.stream };
  }
  if (path.address.length !== 4 && path.address.length !== 16)
    throw new RangeError('address must be 4 or 16 bytes');
  return { ...path, address: path.address.slice() };
}

function peerFunctions({ network, sessions, guard }: Registry): Omit<NativeAddon, SocketFunction> {
  return {
    setPeerEndpoint: (peer, fd, address, port) => {
      sessions.peer(peer).endpoint = endpointOf({ fd, address, port }, network);
    },
    setPeerPath: (peer, path) => {
      sessions.peer(peer).endpoint = endpointOf(path, network);
    },
    setRelayTag: (peer, tag) => {
      if (tag.length !== 8) throw new RangeError('a relay tag has 8 bytes');
      sessions.peer(peer).relayTag = tag.slice();
    },
    peerEndpoint: (peer) => {
      const endpoint = sessions.peer(peer).endpoint;
      if (endpoint === undefined) return undefined;
      const { port, relay, stream } = endpoint;
      if (relay !== undefined) return { address: new Uint8Array(0), port, relay };
      const address = endpoint.address.slice();
      return stream === undefined ? { address, port } : { address, port, stream };
    },
    peerStats: (index, out) => {
      const { current, endpoint: _endpoint, relayTag: _tag, ...stats } = sessions.peer(index);
      for (const [name, value] of Object.entries(stats)) out[PeerStat[name as keyof typeof stats]] = value;
      out[PeerStat.currentCounter] = Number(current?.sent ?? 0n);
    },
    rawChaCha: () => false,
    cipherSpeeds: () => ({ chachaGbps: 0, aesGbps: 0 }),
    setHandshakeGuard: (keys) => guard.set(keys),
    removePeer: (peer) => sessions.removePeer(peer),
    installSession: (peer, keys) => sessions.install(peer, keys),
    setCurrentSession: (peer, localIndex) => sessions.setCurrent(peer, localIndex),
    removeSession: (localIndex) => sessions.remove(localIndex),
    sealAndSend: (peer, payload, path) => {
      const sealed = sessions.seal(peer, payload, path === undefined ? undefined : endpointOf(path, network));
      if (sealed === undefined || !transmit(network, sealed.to, sealed.message)) return false;
      sessions.noteSent(peer, sealed.message.length);
      return true;
    },
    notifySystemd: () => {
      throw new Error('this network has no service manager');
    },
    trimMemory: () => {},
    unmapPrograms: () => {},
    takeRealTime: () => {
      throw new Error('this network has no scheduler');
    },
    leaveRealTime: () => {},
    hasRealTime: () => false,
  };
}
