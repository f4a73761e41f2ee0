/**
 * The packet engine: what the native addon does for a worker, described like a device.
 *
 * An engine belongs to one worker thread. It owns a block of packet memory, cut into slots, and an array of
 * descriptors. `receive` fills slots and describes each packet in them, from the first descriptor on (a LAN's slot
 * holds one packet; a tunnel's may hold a train of datagrams); the worker reads the packet, may change its headers
 * in place, and writes an action into the descriptor; `send` carries the actions out. Slots and descriptors are the
 * worker's from the return of `receive` to the call of `send`, then the engine's until the next return of `receive`.
 * The last `SCRATCH_SLOTS` slots are never filled by `receive`: the worker puts packets of its own there (held ones,
 * ICMP errors) with the descriptors from `capacity` on, and sends them with `send(first, count)`.
 *
 * Nothing here has tables or policy. Sessions live in the addon, one registry for the whole process (`SessionTable`).
 */
import type { EngineFlows } from './flows/engine-flows.js';

export * from './descriptor.js';

/** Slots at the end that are the worker's own. */
export const SCRATCH_SLOTS = 16;

/** What the engine counts, as indexes into its counters; each is a 64-bit unsigned count. */
export const EngineCounter = {
  lanFramesReceived: 0,
  lanBytesReceived: 1,
  lanFramesSent: 2,
  lanBytesSent: 3,
  /** The interface was down, or its queue full. */
  lanSendErrors: 4,
  lanFramesMalformed: 5,
  tunnelDatagramsReceived: 6,
  tunnelBytesReceived: 7,
  tunnelDatagramsSent: 8,
  tunnelBytesSent: 9,
  tunnelSendErrors: 10,
  /** Too short, unknown type, reserved bytes not zero. */
  messagesMalformed: 11,
  messagesUnknownSession: 12,
  messagesNotAuthentic: 13,
  messagesReplayed: 14,
  /** Session too old or counter exhausted (reject-after, WireGuard §6). */
  messagesExpired: 15,
  keepalivesReceived: 16,
  /** Nothing to seal with: no current session for the peer. */
  noSession: 17,
  /** A packet that could not be split: headers do not fit its GSO type. */
  splitErrors: 18,
  /** Several datagrams of one peer handed to the kernel, or taken from it, as one (UDP_SEGMENT, UDP_GRO). */
  tunnelTrainsSent: 19,
  tunnelTrainsReceived: 20,
  /** Trains that the kernel would not cut (path MTU, no checksum offload); their datagrams were sent one by one. */
  tunnelTrainsRefused: 21,
  /** Packets that left for a LAN inside a super-packet made here. */
  lanPacketsCoalesced: 22,
  /** Super-packets made here that the kernel refused; their packets were sent one by one. */
  lanBundlesRefused: 23,
  /** What the kernel threw away because a socket's queue was full; looked at every half second. */
  lanQueueDrops: 24,
  tunnelQueueDrops: 25,
  /** Initiations and responses from someone who does not know our public key. */
  handshakesBadMac1: 26,
  cookieRepliesSent: 27,
  /** Packets that were forwarded by what the flow memory says, and what was handed to the worker instead. */
  flowHits: 28,
  flowMisses: 29,
  /** Of those: an entry was there, but the tables have changed since. */
  flowStale: 30,
  /** Entries that had to make room for others. */
  flowsReplaced: 31,
  count: 32,
} as const;

/** What a port that several engines share has besides: each receives by a socket of its own, and sends by any. */
export interface SharedPort {
  /** By engine, the first one's (`fd`) first: `shareLan`, `shareUdp`. Left out: there is only the one. */
  readonly receivers?: readonly number[];
  /** In the options of one engine: by what it receives, −1: not from this port. Left out: by `fd`. */
  readonly receiveFd?: number;
}

export interface LanSocket extends SharedPort {
  readonly fd: number;
  readonly index: number;
  readonly macHigh: number;
  readonly macLow: number;
  readonly mtuBytes: number;
  /** PACKET_VNET_HDR is on: super-packets arrive and leave whole. */
  readonly vnetHeader: boolean;
  /**
   * Number of the virtual MACs that frames leave from while its word in `lanRoles` is 0, each family from its own, and that
   * it takes frames to besides its own; 0 or undefined: there are none, and frames leave from its own.
   */
  readonly vrid?: number;
}

/** A TUN device: the machine's own packets. It goes when the socket is closed or the process ends, however it does. */
export interface TunSocket extends SharedPort {
  readonly fd: number;
  /** Numbered together with the LANs: no LAN has it. */
  readonly index: number;
}

export interface UdpSocket extends SharedPort {
  readonly fd: number;
  /** The port really bound (listen port 0 = any). */
  readonly port: number;
  readonly family: 4 | 6;
  /** UDP_SEGMENT: trains of datagrams leave in one system call. */
  readonly segmentation: boolean;
  /** UDP_GRO is on: trains of datagrams arrive in one. */
  readonly coalescing: boolean;
}

export interface EngineOptions {
  /** `lan` receives from the LAN sockets, `tunnel` from the UDP sockets. Both can send to both. */
  readonly role: 'lan' | 'tunnel';
  readonly lans: readonly LanSocket[];
  /** Read by role `lan`, along with the LANs; counted as LAN frames. */
  readonly tuns: readonly TunSocket[];
  readonly udp: readonly UdpSocket[];
  /**
   * Int32Array by LAN index, as long as the largest of `lans`; read whenever a frame is written. 0: it leaves from the virtual
   * MAC of its family, where the LAN has any; else from the interface's own.
   */
  readonly lanRoles: SharedArrayBuffer;
  /** An eventfd from `createWakeup`: readable means "return from receive at once". */
  readonly wakeupFd: number;
  /** Its number among several of its role, 1 … 9, for the thread's name; left out: it is the only one. */
  readonly number?: number;
  /** With role `tunnel`: it serves the process's TCP connections. One engine at most. */
  readonly streams?: boolean;
  /** Receive slots (SCRATCH_SLOTS are added). */
  readonly slots: number;
  /** Bytes per slot, ≥ 66,000 where super-packets can come, ≥ 16 KB + 64 with `streams`. */
  readonly slotBytes: number;
  /** `EngineCounter.count` × 8 bytes; single writer is this engine. */
  readonly counters: SharedArrayBuffer;
  /** Left out: every packet is handed up. */
  readonly flows?: EngineFlows;
}

export interface Engine {
  readonly packets: Uint8Array;
  /** (capacity + SCRATCH_SLOTS) × DESCRIPTOR_WORDS */
  readonly descriptors: Int32Array;
  readonly slots: number;
  readonly slotBytes: number;
  /** Most packets that one `receive` describes, at least `slots`; the worker's own descriptors follow. */
  readonly capacity: number;
  /** Offset in `packets` where the worker should put an IP packet in scratch slot `i` (room for headers is before it). */
  scratchOffset(i: number): number;
  /**
   * Waits up to `timeoutMs` for packets. Returns how many descriptors are filled; 0 on time-out or wake-up, and with a
   * flow memory on its stop word.
   * Throws when a socket is broken beyond use (interface deleted).
   */
  receive(timeoutMs: number): number;
  /**
   * The message that `receive` described in descriptor `i` holds, from byte `skip` on, a transport message of another
   * session, which peer `from` has passed on: opens it and describes it in the same descriptor, with `sourceRelay`.
   * False, and counted, when it is not a new and genuine one, or nothing is in it; the descriptor is then undefined.
   */
  openRelayed(i: number, skip: number): boolean;
  /**
   * Carries out the actions of descriptors `first … first + count − 1`, in order within a flow, and notes in the flow memory
   * what `D.flow` says. Never throws for a peer's or a LAN's fault: counts.
   */
  send(first: number, count: number): void;
  /** Frees the memory; no call may follow. Sockets are closed by who opened them. */
  close(): void;
}

/** Keys of one established WireGuard session. */
export interface SessionKeys {
  readonly localIndex: number;
  readonly remoteIndex: number;
  /** 32 bytes each. Copied, and wiped in the addon when the session is removed. */
  readonly sendKey: Uint8Array;
  readonly receiveKey: Uint8Array;
  readonly cipher: 'chacha20-poly1305' | 'aes-256-gcm';
}

/** Per-peer counts, written by the addon into a Float64Array of `PeerStat.count`. */
export const PeerStat = {
  bytesSent: 0,
  bytesReceived: 1,
  packetsSent: 2,
  packetsReceived: 3,
  /** CLOCK_MONOTONIC milliseconds (the zero of src/net/system-clock.ts); 0 = never. */
  lastSentMs: 4,
  /** Last authenticated message, keep-alives included. */
  lastReceivedMs: 5,
  /** Messages sealed in the current session. */
  currentCounter: 6,
  count: 7,
} as const;

export interface TcpListener {
  readonly fd: number;
  /** The port really bound (listen port 0 = any). */
  readonly port: number;
  readonly family: 4 | 6;
}

/** How messages go to a peer: by a UDP socket, by a TCP connection, or by way of another peer. */
export type PeerPath =
  | { readonly fd: number; readonly address: Uint8Array; readonly port: number }
  | { readonly stream: number }
  | { readonly relay: number };

/** What a relay message carries before the WireGuard message (docs/wire-notes.md); written by the addon when it seals. */
export const RELAY_HEADER_BYTES = 12;

/** Peers are small integers 0 … MAX_PEERS − 1, given out by the caller. */
export const MAX_PEERS = 4_096;

export interface WakeupWatch {
  /** No call follows. Harmless when done already. */
  close(): void;
}

/** The addon. Its sockets and sessions belong to the process; every function may be called from any thread. */
export interface NativeAddon {
  /**
   * @param vrid of the virtual MACs that it is served with; 0 when left out: none
   */
  openLan(interfaceName: string, index: number, vrid?: number): LanSocket;
  /**
   * `on`: the LAN socket also takes unicast IP frames to other MACs (`D.dstMacHigh`, `D.dstMacLow`) that the wire
   * brings. Works at once, also while an engine receives. Throws for what is no LAN socket.
   * @param vrid that it was opened with
   */
  setRescue(lanFd: number, on: boolean, vrid?: number): void;
  /**
   * Another socket for the LAN, open for its part of the frames: those of one flow (addresses, protocol, ports) all come by
   * one of the sockets, a packet's fragments together. Throws ENETDOWN while the interface is down.
   * @param vrid that it was opened with
   */
  shareLan(lanFd: number, vrid?: number): number;
  /** Makes a TUN device, down and without addresses. Throws when there is one of that name, or it may not. */
  openTun(interfaceName: string, index: number): TunSocket;
  /** Binds a UDP socket with large buffers. `address` is 4 or 16 bytes. Throws with the reason (EADDRINUSE …). */
  openUdp(address: Uint8Array, port: number): UdpSocket;
  /**
   * Another socket for the port, open for its part of the datagrams: those from one address and port all come by one of the
   * sockets. What comes by it counts as having come by `udpFd`, by which everything is sent.
   */
  shareUdp(udpFd: number): number;
  closeSocket(fd: number): void;

  /**
   * TCP connections carry the same messages, each behind its length (2 bytes, big-endian), 16 KB at most. They have
   * numbers; the engine with `streams` tells what becomes of them, and receives. What a slow one does not take waits, up
   * to 256 KB; what comes then is dropped. At most 1,024; more are turned away. A length that no message can have ends
   * the connection.
   */
  listenTcp(address: Uint8Array, port: number): TcpListener;
  /** Begins to connect; the number of the connection. Throws with the reason (ENETUNREACH, EMFILE …). */
  connectTcp(address: Uint8Array, port: number): number;
  /** No event follows. Harmless when it is gone. */
  closeStream(stream: number): void;
  /** The far end is a peer: until then it gets room for messages of 2,000 bytes. */
  trustStream(stream: number): void;
  /** Sends bytes as they are. False: it is gone, not there yet, or full. */
  sendByStream(stream: number, bytes: Uint8Array): boolean;

  createWakeup(): number;
  wake(fd: number): void;
  /**
   * Calls `onWoken` in the event loop of the calling thread, which goes on as long as this is open, once for all that
   * `wake(fd)` was called before. The descriptor may be closed first. Throws EBADF for one that is none of the addon's.
   */
  watchWakeup(fd: number, onWoken: () => void): WakeupWatch;

  createEngine(options: EngineOptions): Engine;

  setPeerEndpoint(peer: number, udpFd: number, address: Uint8Array, port: number): void;
  /** The same for any kind of path. */
  setPeerPath(peer: number, path: PeerPath): void;
  /** 8 bytes by which relays know the peer. */
  setRelayTag(peer: number, tag: Uint8Array): void;
  /**
   * The endpoint in use, or undefined when never set. It follows authenticated messages (roaming) from one UDP address
   * to another, or from one TCP connection to another, never to another kind of path. A relayed peer has `relay` and an empty address.
   */
  peerEndpoint(
    peer: number,
  ): { address: Uint8Array; port: number; stream?: number; relay?: number } | undefined;
  /** Fills `out` (PeerStat.count long). */
  peerStats(peer: number, out: Float64Array): void;
  /** Removes all sessions and the endpoint. */
  removePeer(peer: number): void;

  /** Makes a session usable for receiving. Its local index must be free. */
  installSession(peer: number, keys: SessionKeys): void;
  /** Makes it the one used for sending to its peer. */
  setCurrentSession(peer: number, localIndex: number): void;
  /** Forgets it and wipes its keys; harmless if it is gone. */
  removeSession(localIndex: number): void;

  /** Whether ChaCha20-Poly1305 runs on OpenSSL's raw primitives (else on its EVP, at half the speed). */
  rawChaCha(): boolean;
  /**
   * Sealing and opening of full packets by one thread, Gbit/s; 0: the cipher does not work here, or gives wrong results. Measured at
   * the first call, for about 5 ms.
   */
  cipherSpeeds(): { readonly chachaGbps: number; readonly aesGbps: number };
  /**
   * What initiations and responses are checked with from now on, and cookies made with; 32 bytes each, copied. A wrong
   * mac1 is counted and dropped, a right mac2 marked in the descriptor. Until the first call every message comes up.
   */
  setHandshakeGuard(keys: {
    readonly mac1Key: Uint8Array;
    readonly cookieKey: Uint8Array;
    readonly cookieSecret: Uint8Array;
  }): void;

  /** Seals `payload` (may be empty: keep-alive) as a transport message and sends it, by `path` if given. False: no session, or the socket said no. */
  sealAndSend(peer: number, payload: Uint8Array, path?: PeerPath): boolean;
  /**
   * One datagram to a service manager's socket (sd_notify(3)); a path that begins with "@" is an abstract name. Never
   * waits. Throws with the reason (ECONNREFUSED, EAGAIN …).
   */
  notifySystemd(path: string, text: Uint8Array): void;

  /** Gives back to the kernel what malloc keeps of memory that was freed, in all threads. */
  trimMemory(): void;
  /**
   * Node's own code and data that were used so far are no longer mapped; what is used again is, from the page cache, some
   * microseconds for each 64 KB.
   */
  unmapPrograms(): void;

  /**
   * A thread of this process, by the kernel's number, goes before all ordinary ones (SCHED_RR, sched(7)), until it has run
   * for `limitMs` (1 … 10,000) without waiting for anything: the kernel ends it then, in the middle of whatever it does.
   * What it starts is ordinary. The limit is the latest one given, for all threads; twenty may have precedence at a time.
   * Throws with the reason (EPERM: neither CAP_SYS_NICE nor LimitRTPRIO=; ESRCH; …).
   */
  takeRealTime(thread: number, limitMs: number): void;
  /** Ordinary again, with the nice value it had; harmless when it is. */
  leaveRealTime(thread: number): void;
  /** Whether it still has it. */
  hasRealTime(thread: number): boolean;

  /** Sends bytes as they are (handshake messages). False: the socket said no. */
  sendDatagram(udpFd: number, address: Uint8Array, port: number, bytes: Uint8Array): boolean;
}
