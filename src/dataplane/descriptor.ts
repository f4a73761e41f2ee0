/** What a descriptor of the packet engine says of a packet, and what the worker says in it (engine.ts). */

/** 32-bit words per descriptor. */
export const DESCRIPTOR_WORDS = 40;

/** Word offsets inside a descriptor. Lengths and offsets are bytes; MACs are split as `macHigh`, `macLow` (src/net). */
export const D = {
  /** Offset of the packet in `Engine.packets`: IP header for LAN frames, first payload byte for tunnel messages. */
  offset: 0,
  /** Length from there; a LAN super-packet's whole length. Ethernet padding is trimmed only when it is not GSO. */
  length: 1,
  /** One of `Kind`. */
  kind: 2,
  /** Where from: LAN or TUN index for `Kind.frame`, peer index for messages (−1 for handshake messages). */
  from: 3,
  srcMacHigh: 4,
  srcMacLow: 5,
  dstMacHigh: 6,
  dstMacLow: 7,
  /** EtherType of a frame. */
  etherType: 8,
  /** One of `Action`; `receive` sets `Action.drop`. */
  action: 9,
  /** Peer index for `Action.tunnel`, LAN or TUN index for `Action.lan`. */
  to: 10,
  outMacHigh: 11,
  outMacLow: 12,
  /** Overlay header to write on `Action.tunnel`. */
  vnet: 13,
  hops: 14,
  /** Largest IP packet that the next hop takes; TCP payload above it is split, GSO or not. Action.tunnel only. */
  mtu: 15,
  /** virtio-net header: VIRTIO_NET_HDR_GSO_* (0 = none) and segment size. Passed on unchanged by `Action.lan`. */
  gsoType: 16,
  gsoSize: 17,
  /** virtio-net header flags (bit 0 NEEDS_CSUM, bit 1 DATA_VALID). */
  flags: 18,
  /** With NEEDS_CSUM: where summing starts, from the IP header; and where the sum goes, from there. */
  checksumStart: 19,
  checksumOffset: 20,
  /** For `Kind.handshake`, and messages that are no overlay packets: the sender's address. Family 4 or 6, port, address words (IPv4 in word 3). */
  sourceFamily: 21,
  sourcePort: 22,
  sourceWord0: 23,
  sourceWord1: 24,
  sourceWord2: 25,
  sourceWord3: 26,
  /** For authenticated messages: local index of the session. */
  session: 27,
  /**
   * Bit 0: first authenticated message on this session (the responder may now use it). Bit 1: the peer has roamed.
   * Bit 2, for `Kind.handshake`: its mac2 proves that the sender receives at its source address.
   */
  sessionFlags: 28,
  /** For `Kind.handshake`: the socket that it came by. */
  socket: 29,
  /** With a source: 1 + the TCP connection that it came by, 1 + the peer that relayed it; 0 = not so. */
  sourceStream: 30,
  sourceRelay: 31,
  /** What the worker tells of a packet that it forwards (`FlowNote`); 0: nothing. With it, the words behind it. */
  flow: 32,
  /** Written by an engine with a flow memory, not by the worker: what a decision over the packet is good for (`Generations`). */
  flowGeneration: 33,
  /** The packet's vnet. */
  flowVnet: 34,
  /** As in an entry of the flow memory (`E`). */
  flowCounter: 35,
  flowVnetCounter: 36,
  flowHeard: 37,
  flowSent: 38,
} as const;

/** Bits of `D.flow`. */
export const FlowNote = {
  /** It is forwarded: its entry, if it has one, counts it. Else nothing else here has a meaning. */
  forwarded: 1,
  /** The descriptor, as it was received, and the packet's addresses are its key. */
  keyed: 2,
  /** Packets with the same key may be treated alike while the version lasts, but for what `EngineFlows` says. */
  keep: 4,
  /** Key of a message: it has come with an overlay header, or is a WireGuard client's. */
  overlay: 8,
  bare: 16,
  spendsTtl: 32,
} as const;

export const Kind = {
  /**
   * An IP frame from a LAN, to a MAC of this VR (or any MAC, if the socket is promiscuous); or a packet that the machine
   * itself sends through a TUN device (MAC words 0).
   */
  frame: 0,
  /** An authenticated, replay-checked transport message; the payload is decrypted, padding included. */
  message: 1,
  /** A WireGuard message of type 1, 2 or 3, as it came. */
  handshake: 2,
  /**
   * Something has become of a TCP connection: its number in `session`, a `StreamEvent` in `sessionFlags`, an errno in
   * `length` (0: orderly end; EPROTO: what came was no message), its far end as source.
   */
  stream: 3,
} as const;

export const StreamEvent = { connected: 1, accepted: 2, closed: 3 } as const;

export const Action = {
  drop: 0,
  /** Seal in the current session of peer `to` behind an overlay header, and send. Splits and completes checksums. */
  tunnel: 1,
  /**
   * Write to LAN `to` as an Ethernet frame to `outMac`, from that LAN's own or virtual MAC; or, when `to` is a TUN device, hand it
   * to the machine itself. GSO fields go along.
   */
  lan: 2,
  /** As `tunnel`, without an overlay header: `to` is an ordinary WireGuard client. */
  bare: 3,
  /** Answer the handshake message in this slot with a cookie reply (`setHandshakeGuard`). */
  cookie: 4,
  /** Seal the bytes as they are in the current session of peer `to`, without an overlay header, and send. */
  message: 5,
} as const;

export const VIRTIO_NEEDS_CSUM = 1;
