/** The fake addon keeps the same contract as the real one, so that what is tested with it holds with the real one. */
import type { NativeAddon } from '../../src/dataplane/engine.js';
import { mac } from '../../src/net/mac.js';
import { createFakeAddon } from '../support/fake-addon.js';
import { type Datagram, FakeNetwork, NO_OFFLOAD } from '../support/fake-network.js';
import { Inbox } from '../support/inbox.js';
import { udpPacket, udpPayload } from '../support/ip-packet.js';
import { contractSuite } from './suite.js';
import { type LanLink, LOOPBACK, type RawSocket, type RawStream, type TunLink, type World } from './world.js';

const NEAR_MAC = mac('02:00:00:00:00:0a');
const FAR_MAC = mac('02:00:00:00:00:0b');

function fakeWorld(): World {
  const network = new FakeNetwork();
  const addon = createFakeAddon({ network });
  let links = 0;
  const openLink = (vrid?: number): LanLink => {
    links += 1;
    const [nearName, farName] = [`near${links}`, `far${links}`];
    network.addLink({ name: nearName, mac: NEAR_MAC }, { name: farName, mac: FAR_MAC });
    const inbox = new Inbox<Uint8Array>();
    network.watch(farName, (frame) => inbox.put(frame));
    const near = addon.openLan(nearName, 3, vrid);
    const far = addon.openLan(farName, 4);
    const station = {
      send: (frame: Uint8Array) => network.transmit(farName, frame.slice(), NO_OFFLOAD),
      next: () => inbox.next(),
      close: () => {},
    };
    const close = () => {
      for (const { fd } of [near, far]) addon.closeSocket(fd);
    };
    return { near, far, nearMac: NEAR_MAC, farMac: FAR_MAC, station, close };
  };
  let tuns = 0;
  const openTun = async () => {
    tuns += 1;
    return openTunLink(addon, network, `tun-test${tuns}`);
  };
  const raw = async (family: 4 | 6) => openRaw(network, family);
  const rawStream = async (family: 4 | 6, port: number) => connectRaw(network, family, port);
  return {
    addon,
    openRaw: raw,
    connectRaw: rawStream,
    openLink,
    openTun,
    coalesces: false,
    withoutLan: undefined,
  };
}

function openTunLink(addon: NativeAddon, network: FakeNetwork, name: string): TunLink {
  const tun = addon.openTun(name, 7);
  const inbox = new Inbox<Uint8Array>();
  network.machine(name, (packet) => inbox.put(udpPayload(packet)));
  return {
    name,
    tun,
    say: async (family, payload) => network.fromMachine(name, answer(udpPacket({ family, payload }))),
    hear: () => inbox.next(),
    remove: () => network.removeTun(name),
    close: () => addon.closeSocket(tun.fd),
  };
}

/** The same packet the other way round: addresses and ports changed over, which no checksum notices. */
function answer(packet: Uint8Array): Uint8Array {
  const [at, length] = packet[0] === 0x45 ? [12, 4] : [8, 16];
  const ports = at + 2 * length;
  const turned = packet.slice();
  turned.set(packet.subarray(at, at + length), at + length);
  turned.set(packet.subarray(at + length, ports), at);
  turned.set(packet.subarray(ports, ports + 2), ports + 2);
  turned.set(packet.subarray(ports + 2, ports + 4), ports);
  return turned;
}

function openRaw(network: FakeNetwork, family: 4 | 6): RawSocket {
  const socket = network.openUdp(LOOPBACK[family], 0);
  const inbox = new Inbox<Datagram>();
  socket.deliver = (datagram) => inbox.put(datagram);
  return {
    port: socket.port,
    send: async (bytes, port) => {
      network.sendUdp(socket.fd, { address: LOOPBACK[family], port }, bytes);
    },
    next: async () => {
      const { bytes, from } = await inbox.next();
      return { bytes, port: from.port };
    },
    close: () => network.close(socket.fd),
  };
}

function connectRaw(network: FakeNetwork, family: 4 | 6, port: number): RawStream {
  const stream = network.streams.connectRaw(LOOPBACK[family], port);
  const closed = new Promise<void>((resolve) => {
    stream.onData(() => {
      if (stream.isClosed) resolve();
    });
  });
  return {
    send: async (bytes) => stream.send(bytes),
    read: async (length) => {
      const bytes = stream.read();
      if (bytes.length !== length) throw new Error(`${bytes.length} bytes instead of ${length}`);
      return bytes;
    },
    closed,
    close: () => stream.close(),
  };
}

contractSuite('fake', fakeWorld());
