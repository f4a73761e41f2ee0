/**
 * The engine's model: it behaves as src/dataplane/engine.ts says, in one thread, over sockets that exist only in
 * memory. `receive` never waits: what has been sent is there at once, or never comes.
 */
import {
  Action,
  D,
  DESCRIPTOR_WORDS,
  type Engine,
  EngineCounter,
  type EngineOptions,
  Kind,
  SCRATCH_SLOTS,
} from '../../src/dataplane/engine.js';
import { macFromHalves, macHigh, macLow, readMac, writeMac } from '../../src/net/mac.js';
import { virtualMac } from '../../src/tables/gateway.js';
import { FakeFlows } from './fake-flows.js';
import type { FakeGuard } from './fake-guard.js';
import type { Datagram, FakeNetwork, FrameOffload, LanFrame } from './fake-network.js';
import { fragmentPacket, packetOfFrame, splitPacket, tcpHeaders } from './fake-segment.js';
import type { FakeEndpoint, FakeSessions } from './fake-sessions.js';
import { LONGEST_STREAM_MESSAGE } from './fake-streams.js';
import { familyOf } from './ip-packet.js';

const HEADROOM = 64;
const SMALLEST_MTU = 576;
const HANDSHAKE_BYTES: Readonly<Record<number, number>> = { 1: 148, 2: 92, 3: 64 };
const TRANSPORT_MIN_BYTES = 32;
const OVERLAY = 0x10;

type CounterName = Exclude<keyof typeof EngineCounter, 'count'>;
type Word = keyof typeof D;

/** What the engines and the addon's functions share. */
export interface Registry {
  readonly network: FakeNetwork;
  readonly sessions: FakeSessions;
  readonly guard: FakeGuard;
}

export class FakeEngine implements Engine {
  packets: Uint8Array;
  descriptors: Int32Array;
  readonly slots: number;
  readonly slotBytes: number;
  readonly capacity: number;
  readonly #options: EngineOptions;
  readonly #registry: Registry;
  readonly #counters: BigUint64Array;
  readonly #lanRoles: Int32Array;
  readonly #flows: FakeFlows | undefined;
  #closed = false;

  constructor(options: EngineOptions, registry: Registry) {
    const leastBytes = options.streams === true ? HEADROOM + LONGEST_STREAM_MESSAGE : 256;
    if (options.slots < 1 || options.slotBytes < leastBytes) throw new RangeError('slots and slotBytes');
    if (!(options.counters instanceof SharedArrayBuffer)) throw new TypeError('counters');
    if (options.counters.byteLength < EngineCounter.count * 8) throw new RangeError('counters');
    if (!(options.lanRoles instanceof SharedArrayBuffer)) throw new TypeError('lanRoles');
    this.#lanRoles = new Int32Array(options.lanRoles);
    if (options.lans.some(({ index }) => index >= this.#lanRoles.length)) throw new RangeError('lanRoles');
    this.#options = options;
    this.#registry = registry;
    this.slots = options.slots;
    this.slotBytes = options.slotBytes;
    this.capacity = options.slots;
    this.packets = new Uint8Array((options.slots + SCRATCH_SLOTS) * options.slotBytes);
    this.descriptors = new Int32Array((options.slots + SCRATCH_SLOTS) * DESCRIPTOR_WORDS);
    this.#counters = new BigUint64Array(options.counters);
    this.#flows = options.flows === undefined ? undefined : new FakeFlows(options.flows);
  }

  scratchOffset(i: number): number {
    if (i < 0 || i >= SCRATCH_SLOTS) throw new RangeError('i');
    return (this.slots + i) * this.slotBytes + HEADROOM;
  }

  receive(_timeoutMs: number): number {
    this.#mustBeOpen();
    if (this.#flows === undefined) return this.#receiveAll();
    for (;;) {
      this.#flows.turn();
      const filled = this.#receiveAll();
      const unknown = this.#forwardKnown(filled, this.#flows);
      if (unknown > 0 || filled === 0) return unknown;
    }
  }

  #receiveAll(): number {
    return this.#options.role === 'lan' ? this.#receiveFrames() : this.#receiveDatagrams();
  }

  #forwardKnown(filled: number, flows: FakeFlows): number {
    const left = flows.forward(filled, this.packets, this.descriptors);
    this.#carryOut(0, filled);
    for (const [at, i] of left.entries())
      this.descriptors.copyWithin(at * DESCRIPTOR_WORDS, i * DESCRIPTOR_WORDS, (i + 1) * DESCRIPTOR_WORDS);
    for (const [name, count] of Object.entries(flows.counts))
      this.#counters[EngineCounter[name as CounterName]] = BigInt(count);
    return left.length;
  }

  send(first: number, count: number): void {
    this.#mustBeOpen();
    if (first < 0 || count < 0 || first + count > this.slots + SCRATCH_SLOTS)
      throw new RangeError('first, count');
    this.#carryOut(first, count);
    for (let i = first; i < first + count; i++)
      this.#flows?.note(
        this.packets,
        this.descriptors.subarray(i * DESCRIPTOR_WORDS, (i + 1) * DESCRIPTOR_WORDS),
      );
  }

  #carryOut(first: number, count: number): void {
    for (let i = first; i < first + count; i++) {
      if (this.#word(i, 'action') === Action.tunnel) this.#sendToPeer(i, true);
      if (this.#word(i, 'action') === Action.bare) this.#sendToPeer(i, false);
      if (this.#word(i, 'action') === Action.cookie) this.#sendCookie(i);
      if (this.#word(i, 'action') === Action.lan) this.#sendToLan(i);
      if (this.#word(i, 'action') === Action.message) this.#sendWhole(i);
    }
  }

  openRelayed(i: number, skip: number): boolean {
    this.#mustBeOpen();
    if (i < 0 || i >= this.slots || skip < 0) throw new RangeError('i, skip');
    const [message, relay] = [this.#packet(i), this.#word(i, 'from')];
    if (this.#options.role === 'lan' || message === undefined || message.length < skip || relay < 0)
      return false;
    const isTransport = message.subarray(skip, skip + 4).every((byte, at) => byte === (at === 0 ? 4 : 0));
    if (message.length - skip < TRANSPORT_MIN_BYTES || !isTransport) {
      this.#count('messagesMalformed');
      return false;
    }
    const from = { address: new Uint8Array(4), port: 0 };
    return this.#describeMessage(i, { fd: -1, ...from, relay }, { bytes: message.slice(skip), from });
  }

  close(): void {
    this.#mustBeOpen();
    this.#closed = true;
    this.packets = new Uint8Array(0);
    this.descriptors = new Int32Array(0);
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new Error('the engine is closed');
  }

  #count(name: CounterName, amount = 1): void {
    this.#counters[EngineCounter[name]] = (this.#counters[EngineCounter[name]] ?? 0n) + BigInt(amount);
  }

  #word(descriptor: number, word: Word): number {
    return this.descriptors[descriptor * DESCRIPTOR_WORDS + D[word]] ?? 0;
  }

  #describe(
    descriptor: number,
    offset: number,
    bytes: Uint8Array,
    words: Partial<Record<Word, number>>,
  ): void {
    this.packets.set(bytes, offset);
    const base = descriptor * DESCRIPTOR_WORDS;
    this.descriptors.fill(0, base, base + DESCRIPTOR_WORDS);
    const all = { offset, length: bytes.length, ...words };
    for (const [name, value] of Object.entries(all)) this.descriptors[base + D[name as Word]] = value;
  }

  #receiveFrames(): number {
    let filled = 0;
    for (const lan of this.#options.lans) {
      const queue = this.#registry.network.lan(lan.receiveFd ?? lan.fd)?.queue ?? [];
      while (filled < this.slots) {
        const frame = queue.shift();
        if (frame === undefined) break;
        if (this.#describeFrame(filled, lan.index, frame)) filled++;
        else this.#count('lanFramesMalformed');
      }
    }
    for (const { fd, receiveFd = fd, index } of this.#options.tuns) {
      const tun = this.#registry.network.tun(receiveFd);
      if (tun?.removed === true)
        throw Object.assign(new Error('a socket of the engine is gone'), { code: 'EBADFD' });
      while (filled < this.slots) {
        const packet = tun?.queue.shift();
        if (packet === undefined) break;
        this.#count('lanFramesReceived');
        this.#count('lanBytesReceived', packet.length);
        const etherType = familyOf(packet) === 4 ? 0x0800 : 0x86dd;
        const words = { kind: Kind.frame, from: index, etherType };
        this.#describe(filled, filled * this.slotBytes + HEADROOM, packet, words);
        filled++;
      }
    }
    return filled;
  }

  #describeFrame(descriptor: number, from: number, { bytes, offload }: LanFrame): boolean {
    this.#count('lanFramesReceived');
    this.#count('lanBytesReceived', bytes.length);
    const packet = packetOfFrame(bytes, offload.gsoType);
    if (packet === undefined) return false;
    const [destination, source] = [readMac(bytes, 0), readMac(bytes, 6)];
    this.#describe(descriptor, descriptor * this.slotBytes + HEADROOM, packet, {
      kind: Kind.frame,
      from,
      dstMacHigh: macHigh(destination),
      dstMacLow: macLow(destination),
      srcMacHigh: macHigh(source),
      srcMacLow: macLow(source),
      etherType: familyOf(packet) === 4 ? 0x0800 : 0x86dd,
      ...offload,
    });
    return true;
  }

  #receiveDatagrams(): number {
    let filled = 0;
    for (const { fd, receiveFd = fd } of this.#options.udp) {
      const queue = this.#registry.network.udp(receiveFd)?.queue ?? [];
      while (filled < this.slots) {
        const datagram = queue.shift();
        if (datagram === undefined) break;
        if (this.#describeDatagram(filled, { fd, ...datagram.from }, datagram)) filled++;
      }
    }
    return this.#options.streams === true ? this.#receiveFromStreams(filled) : filled;
  }

  #receiveFromStreams(before: number): number {
    const { streams } = this.#registry.network;
    let filled = before;
    while (filled < this.slots) {
      const event = streams.events.shift();
      const message = event === undefined ? streams.next() : undefined;
      if (event !== undefined) {
        const { far: from, stream, errno: length } = event;
        const words = { kind: Kind.stream, from: -1, session: stream, sessionFlags: event.event };
        const source = sourceWords({ bytes: new Uint8Array(0), from }, { stream });
        this.#describe(filled++, 0, new Uint8Array(0), { ...words, ...source, length });
      } else if (message !== undefined) {
        const source = { fd: -1, ...message.from, stream: message.stream };
        if (this.#describeDatagram(filled, source, message)) filled++;
      } else if (streams.events.length === 0) break;
    }
    return filled;
  }

  #describeDatagram(descriptor: number, source: FakeEndpoint, datagram: Datagram): boolean {
    const { bytes } = datagram;
    this.#count('tunnelDatagramsReceived');
    this.#count('tunnelBytesReceived', bytes.length);
    const [type = 0, ...reserved] = bytes.subarray(0, 4);
    if (reserved.length === 3 && reserved.every((byte) => byte === 0)) {
      if (type === 4 && bytes.length >= TRANSPORT_MIN_BYTES)
        return this.#describeMessage(descriptor, source, datagram);
      if (bytes.length === HANDSHAKE_BYTES[type]) {
        const verdict = this.#registry.guard.check(bytes, datagram.from);
        if (verdict === 'badMac1') {
          this.#count('handshakesBadMac1');
          return false;
        }
        const sessionFlags = verdict === 'proven' ? 4 : 0;
        const flags = { kind: Kind.handshake, from: -1, socket: source.fd, sessionFlags };
        const words = { ...flags, ...sourceWords(datagram, source) };
        this.#describe(descriptor, descriptor * this.slotBytes + HEADROOM, bytes, words);
        return true;
      }
    }
    this.#count('messagesMalformed');
    return false;
  }

  #describeMessage(descriptor: number, source: FakeEndpoint, datagram: Datagram): boolean {
    const opened = this.#registry.sessions.open(datagram.bytes);
    if (typeof opened === 'string') {
      this.#count(opened);
      return false;
    }
    const { session, payload } = opened;
    const peer = this.#registry.sessions.peer(session.peer);
    const known = peer.endpoint;
    const mayRoam = known === undefined || (known.relay ?? source.relay) === undefined;
    const sameKind = (known?.stream === undefined) === (source.stream === undefined);
    const same = known?.port === source.port && known.fd === source.fd && known.stream === source.stream;
    const roamed = mayRoam && (known === undefined || sameKind) && !same;
    const sessionFlags = (session.authenticatedOnce ? 0 : 1) | (roamed ? 2 : 0);
    session.authenticatedOnce = true;
    if (roamed) peer.endpoint = source;
    if (payload.length === 0) this.#count('keepalivesReceived');
    if (payload.length === 0 && sessionFlags === 0) return false;
    const isPacket = payload[0] === OVERLAY;
    this.#describe(descriptor, descriptor * this.slotBytes + HEADROOM, payload, {
      kind: Kind.message,
      from: session.peer,
      session: session.keys.localIndex,
      sessionFlags,
      ...(sessionFlags !== 0 || !isPacket ? sourceWords(datagram, source) : {}),
    });
    return true;
  }

  #packet(descriptor: number): Uint8Array | undefined {
    const [offset, length] = [this.#word(descriptor, 'offset'), this.#word(descriptor, 'length')];
    if (offset < 0 || length < 0 || offset + length > this.packets.length) return undefined;
    return this.packets.subarray(offset, offset + length);
  }

  #offload(i: number): FrameOffload {
    const [gsoType, flags] = [this.#word(i, 'gsoType') & 0xff, this.#word(i, 'flags') & 0xff];
    const [gsoSize, checksumStart] = [this.#word(i, 'gsoSize'), this.#word(i, 'checksumStart')];
    return { gsoType, gsoSize, flags, checksumStart, checksumOffset: this.#word(i, 'checksumOffset') };
  }

  #sendToPeer(i: number, overlay: boolean): void {
    const packet = this.#packet(i);
    const [vnet, hops, mtu] = [this.#word(i, 'vnet'), this.#word(i, 'hops'), this.#word(i, 'mtu')];
    const valid = vnet >= 0 && vnet <= 0xffff && hops >= 0 && hops <= 0xff && mtu >= SMALLEST_MTU;
    const segments = packet !== undefined && valid ? splitPacket(packet, this.#offload(i), mtu) : undefined;
    if (segments === undefined) {
      this.#count('splitErrors');
      return;
    }
    const to = this.#word(i, 'to');
    for (const segment of segments.flatMap((whole) => fragmentPacket(whole, mtu))) {
      const header = overlay ? [0x10, hops, vnet >>> 8, vnet & 0xff] : [];
      const plain = header.length + segment.length;
      const most = mtu + header.length;
      const payload = new Uint8Array(Math.max(plain, Math.min(Math.ceil(plain / 16) * 16, most)));
      payload.set(header);
      payload.set(segment, header.length);
      if (!this.#seal(to, payload)) return;
    }
  }

  #sendWhole(i: number): void {
    const payload = this.#packet(i);
    if (payload === undefined) this.#count('splitErrors');
    else this.#seal(this.#word(i, 'to'), payload.slice());
  }

  #seal(to: number, payload: Uint8Array): boolean {
    const sealed = this.#registry.sessions.seal(to, payload);
    if (sealed === undefined) {
      this.#count('noSession');
      return false;
    }
    if (!transmit(this.#registry.network, sealed.to, sealed.message)) {
      this.#count('tunnelSendErrors');
      return true;
    }
    this.#count('tunnelDatagramsSent');
    this.#count('tunnelBytesSent', sealed.message.length);
    this.#registry.sessions.noteSent(to, sealed.message.length);
    return true;
  }

  #sendCookie(i: number): void {
    const message = this.#packet(i);
    const words = [0, 1, 2, 3].map((n) => this.#word(i, `sourceWord${n}` as Word));
    const all = Buffer.alloc(16);
    for (const [n, word] of words.entries()) all.writeInt32BE(word, 4 * n);
    const address = new Uint8Array(this.#word(i, 'sourceFamily') === 4 ? all.subarray(12) : all);
    const to = { address, port: this.#word(i, 'sourcePort') };
    const reply = message === undefined ? undefined : this.#registry.guard.reply(message, to);
    const sent = reply !== undefined && this.#registry.network.sendUdp(this.#word(i, 'socket'), to, reply);
    this.#count(sent ? 'cookieRepliesSent' : 'tunnelSendErrors');
  }

  #sendToLan(i: number): void {
    const packet = this.#packet(i);
    const lan = this.#options.lans.find(({ index }) => index === this.#word(i, 'to'));
    const family = packet === undefined ? 0 : familyOf(packet);
    const tun = this.#options.tuns.find(({ index }) => index === this.#word(i, 'to'));
    if (tun !== undefined && packet !== undefined && packet.length >= 20 && (family === 4 || family === 6)) {
      this.#registry.network.tun(tun.fd)?.deliver(packet.slice());
      this.#count('lanFramesSent');
      this.#count('lanBytesSent', packet.length);
      return;
    }
    if (packet === undefined || lan === undefined || packet.length < 20 || (family !== 4 && family !== 6)) {
      this.#count('lanSendErrors');
      return;
    }
    const offload = this.#offload(i);
    const fits = offload.gsoType === 0 ? packet.length : Math.min(tcpHeaders(packet), lan.mtuBytes);
    const socket = this.#registry.network.lan(lan.fd);
    if (fits > lan.mtuBytes || socket === undefined) {
      this.#count('lanSendErrors');
      return;
    }
    const frame = new Uint8Array(14 + packet.length);
    writeMac(macFromHalves(this.#word(i, 'outMacHigh'), this.#word(i, 'outMacLow')), frame, 0);
    const own = macFromHalves(lan.macHigh, lan.macLow);
    const isVirtual = lan.vrid && this.#lanRoles[lan.index] === 0;
    writeMac(isVirtual ? virtualMac(lan.vrid, family) : own, frame, 6);
    frame.set(family === 4 ? [0x08, 0x00] : [0x86, 0xdd], 12);
    frame.set(packet, 14);
    this.#registry.network.transmit(socket.interfaceName, frame, offload);
    this.#count('lanFramesSent');
    this.#count('lanBytesSent', frame.length);
  }
}

function sourceWords(
  { from }: Datagram,
  { stream = -1, relay = -1 }: { readonly stream?: number; readonly relay?: number },
): Partial<Record<Word, number>> {
  const bytes = Buffer.alloc(16);
  bytes.set(from.address, 16 - from.address.length);
  const [sourceWord0, sourceWord1] = [bytes.readInt32BE(0), bytes.readInt32BE(4)];
  const [sourceWord2, sourceWord3] = [bytes.readInt32BE(8), bytes.readInt32BE(12)];
  const sourceFamily = from.address.length === 4 ? 4 : 6;
  return {
    sourceStream: stream + 1,
    sourceRelay: relay + 1,
    sourceFamily,
    sourcePort: from.port,
    sourceWord0,
    sourceWord1,
    sourceWord2,
    sourceWord3,
  };
}

export function transmit(network: FakeNetwork, to: FakeEndpoint, message: Uint8Array): boolean {
  if (to.stream !== undefined) return network.streams.send(to.stream, message);
  return network.sendUdp(to.fd, to, message);
}
