// Putting packets of one flow together on their way to a LAN, as a NIC's receive offload does (Linux: GRO), so that
// the kernel carries one super-packet instead of many packets. Undone by whoever cuts it, the result is the same
// packets: payload, flags, options and order; only the identification of IPv4 packets that must not be fragmented
// may differ (RFC 6864 gives it no meaning).
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "offload/packet_shape.h"

namespace vine {

struct LanSocket;

/** What leaves as one frame: a packet as it came, or several of one flow. */
struct Bundle {
  const LanSocket* lan;
  const int32_t* descriptor;
  /** The first packet: its headers stand for all. */
  const uint8_t* packet;
  size_t length;
  /** Of the first packet: bytes of all headers; 0 when it cannot be joined by others. */
  uint32_t headers;
  uint32_t layer4;
  uint8_t version;
  uint8_t protocol;
  /** Payload bytes of each packet (the last may have fewer), and of all. */
  uint32_t each;
  uint32_t payload;
  uint32_t packets;
  /** Pieces `firstPiece`, and on by `Piece::next`, `packets` in all. */
  uint32_t firstPiece;
  uint32_t lastPiece;
  bool open;
  /** The first packet's checksums have been found right. */
  bool verified;
  /** The last packet had PSH. */
  bool push;
};

struct Piece {
  const uint8_t* packet;
  uint32_t length;
  uint32_t next;
};

/** The packets of one batch, in the order in which their bundles began. Packets of one flow never change order. */
class Coalescer {
 public:
  /** `most` packets at most between two calls of `clear`. */
  explicit Coalescer(size_t most);

  bool full() const { return pieces_.size() == most_; }
  /**
   * Adds a packet that has right lengths and lies still until `clear`. `whole`: it must leave as it is, although
   * others of its flow may be bundled.
   */
  void add(const LanSocket* lan, const int32_t* descriptor, const uint8_t* packet, size_t length, bool whole);
  const std::vector<Bundle>& bundles() const { return bundles_; }
  const Piece& piece(uint32_t i) const { return pieces_[i]; }
  void clear();

  /** No more UDP super-packets: the kernel does not know them (before Linux 6.2). */
  void leaveUdpAlone() { udp_ = false; }

 private:
  struct Entry {
    uint64_t generation;
    uint32_t bundle;
  };

  void describe(Bundle* bundle, const PacketShape& shape) const;
  uint32_t* findFlow(const Bundle& bundle);
  bool join(Bundle* bundle, const Bundle& next);
  void append(Bundle* bundle, const Bundle& next);

  const size_t most_;
  bool udp_ = true;
  uint64_t generation_ = 1;
  std::vector<Bundle> bundles_;
  std::vector<Piece> pieces_;
  /** Hash table: the last bundle of each flow; entries of other generations are empty. */
  std::vector<Entry> flows_;
};

/**
 * Writes the headers of a bundle of several packets to `out` (`bundle.headers` bytes): lengths of the whole, and the
 * pseudo-header's sum where the checksum is to be completed.
 */
void writeBundleHeaders(const Bundle& bundle, uint8_t* out);

}  // namespace vine
