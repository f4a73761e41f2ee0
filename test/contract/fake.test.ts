/** The fake addon keeps the same contract as the real one, so that what is tested with it holds with the real one. */
import { mac } from '../../src/net/mac.js';
import { createFakeAddon } from '../support/fake-engine.js';
import { type Datagram, FakeNetwork, NO_OFFLOAD } from '../support/fake-network.js';
import { Inbox } from '../support/inbox.js';
import { contractSuite } from './suite.js';
import { type LanLink, LOOPBACK, type RawSocket, type World } from './world.js';

const NEAR_MAC = mac('02:00:00:00:00:0a');
const FAR_MAC = mac('02:00:00:00:00:0b');

function fakeWorld(): World {
  const network = new FakeNetwork();
  const addon = createFakeAddon({ network });
  const openLink = (): LanLink => {
    network.addLink({ name: 'near', mac: NEAR_MAC }, { name: 'far', mac: FAR_MAC });
    const inbox = new Inbox<Uint8Array>();
    network.watch('far', (frame) => inbox.put(frame));
    const near = addon.openLan('near', 3);
    const far = addon.openLan('far', 4);
    const station = {
      send: (frame: Uint8Array) => network.transmit('far', frame.slice(), NO_OFFLOAD),
      next: () => inbox.next(),
      close: () => {},
    };
    const close = () => {
      for (const { fd } of [near, far]) addon.closeSocket(fd);
    };
    return { near, far, nearMac: NEAR_MAC, farMac: FAR_MAC, station, close };
  };
  return { addon, openRaw: async (family) => openRaw(network, family), openLink, withoutLan: undefined };
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

contractSuite('fake', fakeWorld());
