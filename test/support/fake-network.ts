/** UDP sockets and Ethernet links that exist only in memory. Addresses are told apart by family and port alone. */
import type { LanSocket, TunSocket, UdpSocket } from '../../src/dataplane/engine.js';
import { isGroupMac, type Mac, macHigh, macLow, readMac } from '../../src/net/mac.js';
import { macsOf } from '../../src/tables/gateway.js';
import { FakeStreams } from './fake-streams.js';

export interface Address {
  readonly address: Uint8Array;
  readonly port: number;
}

export interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: Address;
}

/** The virtio-net fields of a frame; starts count from the IP header. */
export interface FrameOffload {
  readonly gsoType: number;
  readonly gsoSize: number;
  readonly flags: number;
  readonly checksumStart: number;
  readonly checksumOffset: number;
}

export const NO_OFFLOAD: FrameOffload = {
  gsoType: 0,
  gsoSize: 0,
  flags: 0,
  checksumStart: 0,
  checksumOffset: 0,
};

export interface FakeUdpSocket extends UdpSocket {
  readonly address: Uint8Array;
  deliver: (datagram: Datagram) => void;
  readonly queue: Datagram[];
  /** Descriptors of those that share the port, this one's first. */
  readonly sharers: number[];
}

export interface LanFrame {
  readonly bytes: Uint8Array;
  readonly offload: FrameOffload;
}

export interface FakeLanSocket extends LanSocket {
  readonly interfaceName: string;
  readonly queue: LanFrame[];
  readonly sharers: number[];
}

export interface FakeTunSocket extends TunSocket {
  readonly tunName: string;
  /** What the machine itself has sent. */
  readonly queue: Uint8Array[];
  deliver: (packet: Uint8Array) => void;
  removed: boolean;
}

interface Port {
  readonly mac: Mac;
  readonly otherEnd: string;
}

const FIRST_EPHEMERAL_PORT = 40_000;
const LAN_MTU_BYTES = 1500;

export class FakeNetwork {
  readonly streams = new FakeStreams(() => this.newFd());
  readonly #sockets = new Map<number, FakeUdpSocket | FakeLanSocket | FakeTunSocket>();
  readonly #ports = new Map<string, Port>();
  readonly #watchers = new Map<string, (frame: Uint8Array) => void>();
  /** LAN sockets that take frames to other MACs too. */
  readonly #rescuing = new Set<number>();
  #lastFd = 100;
  #lastPort = FIRST_EPHEMERAL_PORT;

  newFd(): number {
    this.#lastFd += 1;
    return this.#lastFd;
  }

  openUdp(address: Uint8Array, port: number): FakeUdpSocket {
    const family = address.length === 4 ? 4 : 6;
    if (port !== 0 && this.#boundTo(family, port) !== undefined) {
      throw Object.assign(new Error(`cannot bind UDP port ${port} (EADDRINUSE)`), { code: 'EADDRINUSE' });
    }
    this.#lastPort += 1;
    const bound = port === 0 ? this.#lastPort : port;
    const fd = this.newFd();
    const sharers = [fd];
    const deliver = (datagram: Datagram): void => {
      const { address: from, port: number } = datagram.from;
      this.udp(part(sharers, `${from.join()} ${number}`))?.queue.push(datagram);
    };
    const socket: FakeUdpSocket = {
      fd,
      port: bound,
      family,
      segmentation: false,
      coalescing: false,
      address: address.slice(),
      queue: [],
      deliver,
      sharers,
    } satisfies FakeUdpSocket;
    this.#sockets.set(socket.fd, socket);
    return socket;
  }

  shareUdp(fd: number): number {
    const port = this.udp(fd);
    if (port === undefined) throw Object.assign(new Error('no UDP port (EBADF)'), { code: 'EBADF' });
    const shared = { ...port, fd: this.newFd(), queue: [] };
    this.#sockets.set(shared.fd, shared);
    port.sharers.push(shared.fd);
    return shared.fd;
  }

  shareLan(fd: number): number {
    const lan = this.lan(fd);
    if (lan === undefined) throw Object.assign(new Error('no LAN socket (EBADF)'), { code: 'EBADF' });
    const shared = { ...lan, fd: this.newFd(), queue: [] };
    this.#sockets.set(shared.fd, shared);
    lan.sharers.push(shared.fd);
    return shared.fd;
  }

  /** False: no such socket, or one of the other family. A datagram to nobody is gone, as in life. */
  sendUdp(fd: number, to: Address, bytes: Uint8Array): boolean {
    const socket = this.udp(fd);
    if (socket === undefined || socket.address.length !== to.address.length) return false;
    const from = { address: socket.address, port: socket.port };
    this.#boundTo(socket.family, to.port)?.deliver({ bytes: bytes.slice(), from });
    return true;
  }

  /** Joins two new interfaces. */
  addLink(a: { name: string; mac: Mac }, b: { name: string; mac: Mac }): void {
    this.#ports.set(a.name, { mac: a.mac, otherEnd: b.name });
    this.#ports.set(b.name, { mac: b.mac, otherEnd: a.name });
  }

  openLan(interfaceName: string, index: number, vrid = 0): FakeLanSocket {
    const port = this.#ports.get(interfaceName);
    if (port === undefined) throw new Error(`no such interface: ${interfaceName}: No such device (ENODEV)`);
    const fd = this.newFd();
    const socket: FakeLanSocket = {
      fd,
      index,
      macHigh: macHigh(port.mac),
      macLow: macLow(port.mac),
      mtuBytes: LAN_MTU_BYTES,
      vnetHeader: true,
      vrid,
      interfaceName,
      queue: [],
      sharers: [fd],
    };
    this.#sockets.set(socket.fd, socket);
    return socket;
  }

  setRescue(fd: number, on: boolean): void {
    if (this.lan(fd) === undefined)
      throw Object.assign(new Error('no LAN socket (EBADF)'), { code: 'EBADF' });
    if (on) this.#rescuing.add(fd);
    else this.#rescuing.delete(fd);
  }

  openTun(tunName: string, index: number): FakeTunSocket {
    if (this.#ports.has(tunName) || this.#tunNamed(tunName) !== undefined)
      throw Object.assign(new Error(`cannot make the TUN device ${tunName} (EBUSY)`), { code: 'EBUSY' });
    const socket = { fd: this.newFd(), index, tunName, queue: [], deliver: () => {}, removed: false };
    this.#sockets.set(socket.fd, socket);
    return socket;
  }

  /** What the machine behind a TUN device does with packets that reach it. */
  machine(tunName: string, deliver: (packet: Uint8Array) => void): void {
    const tun = this.#tunNamed(tunName);
    if (tun !== undefined) tun.deliver = deliver;
  }

  /** A packet that the machine itself sends. */
  fromMachine(tunName: string, packet: Uint8Array): void {
    this.#tunNamed(tunName)?.queue.push(packet);
  }

  removeTun(tunName: string): void {
    const tun = this.#tunNamed(tunName);
    if (tun !== undefined) tun.removed = true;
  }

  tun(fd: number): FakeTunSocket | undefined {
    const socket = this.#sockets.get(fd);
    return socket !== undefined && 'tunName' in socket ? socket : undefined;
  }

  #tunNamed(tunName: string): FakeTunSocket | undefined {
    for (const socket of this.#sockets.values()) {
      if ('tunName' in socket && socket.tunName === tunName && !socket.removed) return socket;
    }
    return undefined;
  }

  /** Calls `listener` with every frame that reaches the interface. */
  watch(interfaceName: string, listener: (frame: Uint8Array) => void): void {
    this.#watchers.set(interfaceName, listener);
  }

  /** A frame leaves an interface: the other end's sockets get it if it is IP, untagged, and to their MAC. */
  transmit(interfaceName: string, bytes: Uint8Array, offload: FrameOffload): void {
    const end = this.#ports.get(interfaceName)?.otherEnd;
    const to = end === undefined ? undefined : this.#ports.get(end);
    if (end === undefined || to === undefined) return;
    this.#watchers.get(end)?.(bytes);
    const etherType = ((bytes[12] ?? 0) << 8) | (bytes[13] ?? 0);
    if (etherType !== 0x0800 && etherType !== 0x86dd) return;
    const destination = readMac(bytes, 0);
    for (const socket of this.#sockets.values()) {
      if (!('interfaceName' in socket) || socket.interfaceName !== end) continue;
      if (part(socket.sharers, flowOf(bytes)) !== socket.fd) continue;
      const own = macsOf({ mac: to.mac, ...(socket.vrid ? { vrid: socket.vrid } : {}) });
      const isTaken = this.#rescuing.has(socket.fd) ? !isGroupMac(destination) : own.includes(destination);
      if (isTaken) socket.queue.push({ bytes, offload });
    }
  }

  udp(fd: number): FakeUdpSocket | undefined {
    const socket = this.#sockets.get(fd);
    return socket !== undefined && 'port' in socket ? socket : undefined;
  }

  lan(fd: number): FakeLanSocket | undefined {
    const socket = this.#sockets.get(fd);
    return socket !== undefined && 'interfaceName' in socket ? socket : undefined;
  }

  close(fd: number): void {
    this.#sockets.delete(fd);
    this.streams.closeListener(fd);
  }

  #boundTo(family: number, port: number): FakeUdpSocket | undefined {
    for (const socket of this.#sockets.values()) {
      if ('port' in socket && socket.family === family && socket.port === port) return socket;
    }
    return undefined;
  }
}

/** Which of those that share takes what has that key. */
function part(sharers: readonly number[], key: string): number {
  let hash = 0;
  for (let i = 0; i < key.length; i++) hash = (hash * 31 + key.charCodeAt(i)) >>> 0;
  return sharers[hash % sharers.length] ?? -1;
}

/** Addresses and protocol of an IP frame without options, and its ports unless it is a fragment. */
function flowOf(frame: Uint8Array): string {
  const v6 = frame[12] === 0x86;
  const [from, to, protocol] = v6 ? [22, 54, 20] : [26, 34, 23];
  const isFragment = !v6 && (((frame[20] ?? 0) & 0x3f) !== 0 || frame[21] !== 0);
  return `${frame[protocol]} ${frame.subarray(from, to + (isFragment ? 0 : 4)).join()}`;
}
