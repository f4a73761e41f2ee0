/** The real addon, with kernel sockets: loopback UDP, and veth pairs whose far end is watched with libpcap. */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { NativeAddon } from '../../src/dataplane/engine.js';
import { type Mac, macHigh, macLow, mac as parse } from '../../src/net/mac.js';
import { Inbox } from '../support/inbox.js';
import type { LanLink, RawSocket, Received, Station, World } from './world.js';

const NEAR_MAC = parse('02:00:00:00:00:0a');
const FAR_MAC = parse('02:00:00:00:00:0b');

/** The part of package `cap` that is used here; it has no types of its own. */
interface Capture {
  open(device: string, filter: string, kernelBufferBytes: number, packet: Buffer): string;
  send(frame: Buffer, length: number): void;
  close(): void;
  on(event: 'packet', listener: (bytes: number, truncated: boolean) => void): void;
}

/**
 * All captures ever opened. The destructor of package `cap`, run by the garbage collector, crashes the process
 * (node::AsyncWrap::EmitDestroy from within a weak callback), so no capture may ever be collected.
 */
const captures: Capture[] = [];

export function nativeWorld(addon: NativeAddon, withoutLan: string | undefined): World {
  let links = 0;
  const openLink = () => {
    links += 1;
    return openVethLink(addon, `near${links}`, `far${links}`);
  };
  return { addon, openRaw, openLink, withoutLan };
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

function ip(...words: readonly string[]): void {
  execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function openVethLink(addon: NativeAddon, near: string, far: string): LanLink {
  const [nearText, farText] = ['02:00:00:00:00:0a', '02:00:00:00:00:0b'];
  ip('link', 'add', near, 'address', nearText, 'type', 'veth', 'peer', 'name', far, 'address', farText);
  for (const end of [near, far]) ip('link', 'set', end, 'up');
  const nearLan = addon.openLan(near, 3);
  const farLan = addon.openLan(far, 4);
  const station = openStation(far, NEAR_MAC);
  const close = () => {
    station.close();
    for (const { fd } of [nearLan, farLan]) addon.closeSocket(fd);
    ip('link', 'delete', near);
  };
  return { near: nearLan, far: farLan, nearMac: NEAR_MAC, farMac: FAR_MAC, station, close };
}

function openStation(device: string, from: Mac): Station {
  const { Cap } = createRequire(import.meta.url)('cap') as { Cap: new () => Capture };
  const capture = new Cap();
  captures.push(capture);
  const buffer = Buffer.alloc(70_000);
  const inbox = new Inbox<Uint8Array>();
  capture.on('packet', (bytes) => {
    const frame = new Uint8Array(buffer.subarray(0, bytes));
    const source = Buffer.from(frame.subarray(6, 12));
    if (source.readUInt16BE(0) !== macHigh(from) || source.readUInt32BE(2) !== macLow(from)) return;
    inbox.put(frame);
  });
  capture.open(device, 'ip or ip6', 1 << 20, buffer);
  return {
    send: (frame) => capture.send(Buffer.from(frame), frame.length),
    next: () => inbox.next(),
    close: () => capture.close(),
  };
}
