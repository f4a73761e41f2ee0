/**
 * What advertisements of one family leave and come by on one interface. Both families send by a socket of `raw-socket`
 * that writes the IP header itself: so the source is the address that is meant, and the TTL 255.
 *
 * IPv4 is received by another such socket, whose packets have their header. An IPv6 socket hands packets out without, and
 * `raw-socket` asks for nothing beside them: the hop limit could not be checked. So IPv6 is read from the wire, by libpcap.
 *
 * Sending has a socket of its own: `raw-socket` writes only when it finds nothing to read.
 */

import { ETHERNET_HEADER_BYTES } from '../../../arp/ethernet.js';
import type { PcapAddon } from '../../../arp/pcap.js';
import type { Ip } from '../../../net/ip.js';
import { VRRP } from '../../../net/ip-protocol.js';
import { advertisementGroup } from '../../../pair/advertisement.js';
import { loadRawSocket, type RawSocket, type RawSocketModule } from './raw-socket.js';

/** IPPROTO_RAW: is given packets with their header, and receives none. */
const WITH_HEADER = 255;
/** Longer than any IPv4 advertisement: one that is cut would pass for one of a wrong length. */
const PACKET_BYTES = 4096;
/** An advertisement fits in a frame of an ordinary LAN. */
const FRAME_BYTES = 1522;
const RING_BYTES = 256 * 1024;
/** Sent every 50 ms, an advertisement that waits behind these is worth nothing. */
const MOST_WAITING = 4;

/** Linux's numbers: level, option. */
const Option = {
  bindToDevice: [1, 25],
  multicastLoop: { 4: [0, 34], 6: [41, 19] },
  addMembership: { 4: [0, 35], 6: [41, 20] },
} as const;

export interface ChannelOptions {
  readonly interface: string;
  readonly index: number;
  /** Of what is sent; its family is the channel's. */
  readonly source: Ip;
  readonly pcap: PcapAddon;
  /** A whole IP packet, and what may follow it in its frame. It is read into again when this returns. Must not throw. */
  readonly onPacket: (packet: Uint8Array) => void;
  /** A socket has failed. */
  readonly onError: (error: Error) => void;
}

export interface Channel {
  /** Of the interface that it was opened on. */
  readonly index: number;
  /** A socket of it has failed: another channel is needed. */
  readonly isBroken: boolean;
  /** Calls `done` later, with an error when the packet was not sent; never when a socket failed before its turn. */
  send(packet: Uint8Array, done: (error: Error | undefined) => void): void;
  /** Nothing is received any more; settles when what was to be sent has been. */
  close(): Promise<void>;
}

/** Throws what the system says; nothing is left open then. */
export function openChannel(options: ChannelOptions): Channel {
  return new SocketPair(loadRawSocket(), options);
}

class SocketPair implements Channel {
  readonly index: number;
  readonly #group: string;
  readonly #sender: RawSocket;
  readonly #stopReceiving: () => void;
  #waiting = 0;
  #isBroken = false;
  #closing: Promise<void> | undefined;
  #onAllSent: (() => void) | undefined;

  constructor(raw: RawSocketModule, given: ChannelOptions) {
    this.index = given.index;
    this.#group = advertisementGroup(given.source.family).key;
    const onError = (error: Error): void => {
      this.#isBroken = true;
      this.#onAllSent?.();
      given.onError(error);
    };
    const options = { ...given, onError };
    this.#sender = openSender(raw, options);
    try {
      this.#stopReceiving = options.source.family === 4 ? receiveV4(raw, options) : receiveV6(options);
    } catch (error) {
      this.#sender.close();
      throw error;
    }
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  send(packet: Uint8Array, done: (error: Error | undefined) => void): void {
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      setImmediate(() => done(new Error(refusal)));
      return;
    }
    this.#waiting++;
    const bytes = Buffer.from(packet);
    this.#sender.send(bytes, 0, bytes.length, this.#group, (error) => {
      this.#waiting--;
      // In a turn of its own: see raw-socket.ts.
      setImmediate(() => done(error ?? undefined));
      if (this.#waiting === 0) this.#onAllSent?.();
    });
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#stopReceiving();
      this.#onAllSent = () =>
        setImmediate(() => {
          this.#sender.close();
          resolve();
        });
      if (this.#waiting === 0 || this.#isBroken) this.#onAllSent();
    });
    return this.#closing;
  }

  #refusal(): string | undefined {
    if (this.#isBroken || this.#closing !== undefined) return 'its socket is closed';
    return this.#waiting < MOST_WAITING ? undefined : 'those before it are not sent yet';
  }
}

/** It is the one that joins the group: the kernel takes the group's frames for all sockets of the machine then. */
function openSender(raw: RawSocketModule, options: ChannelOptions): RawSocket {
  const { family } = options.source;
  const socket = openBound(raw, WITH_HEADER, options);
  try {
    set(socket, Option.multicastLoop[family], Buffer.alloc(4));
    set(socket, Option.addMembership[family], membership(options));
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** struct ip_mreqn (with no address: the index says it), struct ipv6_mreq. */
function membership({ source: { family }, index }: ChannelOptions): Buffer {
  const number = Buffer.from(Int32Array.of(index).buffer);
  const group = advertisementGroup(family).toBytes();
  return Buffer.concat(family === 4 ? [group, Buffer.alloc(4), number] : [group, number]);
}

/** Bound to the interface: it sends and receives nowhere else. */
function openBound(raw: RawSocketModule, protocol: number, options: ChannelOptions): RawSocket {
  const { IPv4, IPv6 } = raw.AddressFamily;
  const socket = raw.createSocket({
    protocol,
    addressFamily: options.source.family === 4 ? IPv4 : IPv6,
    bufferSize: PACKET_BYTES,
  });
  socket.on('error', options.onError);
  try {
    set(socket, Option.bindToDevice, Buffer.from(`${options.interface}\0`));
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

function set(socket: RawSocket, [level, option]: readonly [number, number], value: Buffer): void {
  socket.setOption(level, option, value, value.length);
}

function receiveV4(raw: RawSocketModule, options: ChannelOptions): () => void {
  const socket = openBound(raw, VRRP, options);
  socket.on('message', options.onPacket);
  return () => socket.close();
}

/** Without what this router sends, which goes by on the wire too. */
function receiveV6({ interface: name, source, pcap, onPacket }: ChannelOptions): () => void {
  const handle = pcap.openCapture(
    {
      interface: name,
      filter: `ip6 proto ${VRRP} and dst host ${advertisementGroup(6)} and not src host ${source}`,
      frameBytes: FRAME_BYTES,
      ringBytes: RING_BYTES,
    },
    (frames) => {
      for (const frame of frames) onPacket(frame.subarray(ETHERNET_HEADER_BYTES));
    },
  );
  return () => handle.close();
}
