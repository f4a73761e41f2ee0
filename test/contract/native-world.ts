/** The real addon, with kernel sockets: loopback UDP, and veth pairs whose far end is watched with libpcap. */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { PcapAddon } from '../../src/arp/pcap.js';
import type { NativeAddon } from '../../src/dataplane/engine.js';
import { type Mac, mac as parse, readMac } from '../../src/net/mac.js';
import { macsOf } from '../../src/tables/gateway.js';
import { waitFor } from '../lab/wait.js';
import { Inbox } from '../support/inbox.js';
import { untilCarries } from './namespace.js';
import { PATIENCE_MS } from './rig.js';
import type { LanLink, RawSocket, RawStream, Received, Station, TunLink, World } from './world.js';

const NEAR_MAC = parse('02:00:00:00:00:0a');
const FAR_MAC = parse('02:00:00:00:00:0b');

export function nativeWorld(addon: NativeAddon & PcapAddon, withoutLan: string | undefined): World {
  let links = 0;
  const openLink = (vrid?: number) => {
    links += 1;
    return openVethLink(addon, `near${links}`, `far${links}`, vrid);
  };
  let tuns = 0;
  const openTun = () => {
    tuns += 1;
    return openTunLink(addon, `tun-test${tuns}`);
  };
  return { addon, openRaw, connectRaw, openLink, openTun, coalesces: true, withoutLan };
}

async function openRaw(family: 4 | 6): Promise<RawSocket> {
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6');
  const host = family === 4 ? '127.0.0.1' : '::1';
  const inbox = new Inbox<Received>();
  socket.on('message', (bytes, from) => inbox.put({ bytes: new Uint8Array(bytes), port: from.port }));
  socket.bind(0, host);
  await once(socket, 'listening');
  return {
    port: socket.address().port,
    send: (bytes, toPort) =>
      new Promise((resolve, reject) => {
        socket.send(bytes, toPort, host, (error) => (error ? reject(error) : resolve()));
      }),
    next: () => inbox.next(),
    close: () => socket.close(),
  };
}

async function connectRaw(family: 4 | 6, port: number): Promise<RawStream> {
  const socket = connect({ host: family === 4 ? '127.0.0.1' : '::1', port, noDelay: true });
  let received: Buffer = Buffer.alloc(0);
  socket.on('data', (bytes: Buffer) => {
    received = Buffer.concat([received, bytes]);
  });
  socket.on('error', () => undefined); // "closed" tells.
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await once(socket, 'connect');
  return {
    send: (bytes) => new Promise((resolve) => void socket.write(bytes, () => resolve())),
    read: async (length) => {
      const deadline = performance.now() + PATIENCE_MS;
      while (received.length < length && performance.now() < deadline)
        await new Promise((resolve) => setTimeout(resolve, 5));
      if (received.length < length) throw new Error(`${received.length} bytes instead of ${length}`);
      const head = received.subarray(0, length);
      received = received.subarray(length);
      return head;
    },
    closed,
    close: () => socket.destroy(),
  };
}

function ip(...words: readonly string[]): void {
  execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Does the kernel take packets for the address, 32 hexadecimal digits, as its own? (RTF_LOCAL, linux/ipv6_route.h) */
function isLocal(address: string): boolean {
  return readFileSync('/proc/self/net/ipv6_route', 'latin1')
    .split('\n')
    .map((line) => line.split(/ +/))
    .some(
      ([to, length, , , , , , , flags]) => to === address && length === '80' && /^[89a-f]/.test(flags ?? ''),
    );
}

function openVethLink(addon: NativeAddon & PcapAddon, near: string, far: string, vrid?: number): LanLink {
  const [nearText, farText] = ['02:00:00:00:00:0a', '02:00:00:00:00:0b'];
  ip('link', 'add', near, 'address', nearText, 'type', 'veth', 'peer', 'name', far, 'address', farText);
  for (const end of [near, far]) ip('link', 'set', end, 'up');
  for (const end of [near, far]) untilCarries(end);
  const nearLan = addon.openLan(near, 3, vrid);
  const farLan = addon.openLan(far, 4);
  const own = macsOf({ mac: NEAR_MAC, ...(vrid === undefined ? {} : { vrid }) });
  const station = openStation(addon, far, own);
  const close = () => {
    station.close();
    for (const { fd } of [nearLan, farLan]) addon.closeSocket(fd);
    ip('link', 'delete', near);
  };
  return { near: nearLan, far: farLan, nearMac: NEAR_MAC, farMac: FAR_MAC, station, close };
}

async function openTunLink(addon: NativeAddon, name: string): Promise<TunLink> {
  const tun = addon.openTun(name, 7);
  writeFileSync(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, '0');
  ip('link', 'set', name, 'addrgenmode', 'none', 'mtu', '1420', 'up');
  ip('addr', 'add', '10.2.0.9/32', 'dev', name);
  ip('addr', 'add', 'fd00:2::9/128', 'dev', name, 'nodad');
  // The kernel adds the address's route in work that it puts off: until then what is for the address is dropped.
  await waitFor('the route of fd00:2::9', () => isLocal('fd000002000000000000000000000009'));
  ip('route', 'add', '10.1.0.0/24', 'dev', name);
  ip('-6', 'route', 'add', 'fd00:1::/64', 'dev', name);
  const inbox = new Inbox<Uint8Array>();
  const sockets = { 4: createSocket('udp4'), 6: createSocket('udp6') };
  for (const [family, address] of [
    [4, '10.2.0.9'],
    [6, 'fd00:2::9'],
  ] as const) {
    const socket = sockets[family];
    socket.on('message', (bytes) => inbox.put(new Uint8Array(bytes)));
    socket.on('error', () => {}); // the device goes away under it
    socket.bind(5201, address);
    await once(socket, 'listening');
  }
  return {
    name,
    tun,
    say: (family, payload) =>
      new Promise((resolve, reject) => {
        const to = family === 4 ? '10.1.0.5' : 'fd00:1::1';
        sockets[family].send(payload, 40000, to, (error) => (error ? reject(error) : resolve()));
      }),
    hear: () => inbox.next(),
    remove: () => ip('link', 'delete', name),
    close: () => {
      for (const socket of Object.values(sockets)) socket.close();
      addon.closeSocket(tun.fd);
    },
  };
}

function openStation(addon: PcapAddon, device: string, from: readonly Mac[]): Station {
  const inbox = new Inbox<Uint8Array>();
  const options = { interface: device, filter: 'ip or ip6', frameBytes: 70_000, ringBytes: 8 << 20 };
  const capture = addon.openCapture(options, (frames) => {
    for (const frame of frames) {
      if (from.includes(readMac(frame, 6))) inbox.put(frame);
    }
  });
  return {
    send: (frame) => {
      if (!capture.send(frame)) throw new Error(`${device} does not take a frame of ${frame.length} bytes`);
    },
    next: () => inbox.next(),
    close: () => capture.close(),
  };
}
