// Cutting TCP and UDP super-packets into packets that fit, and completing checksums that a sender left to its NIC.
#pragma once
#include <cstddef>
#include <cstdint>

#include "offload/packet_shape.h"

namespace vine {

/** The virtio-net fields of one packet; `checksumStart` counts from the IP header. */
struct Offload {
  uint8_t gsoType;
  uint8_t flags;
  size_t gsoSize;
  size_t checksumStart;
  size_t checksumOffset;
};

/** How one packet leaves: as it is (`count` = 1), or as `count` segments. Refers to the packet's bytes. */
class SplitPlan {
 public:
  /**
   * Decides how to send `packet` where IP packets up to `mtu` bytes pass. TCP is cut to fit, whether or not it is
   * GSO; UDP only where its GSO type says (a datagram is not ours to divide); all else stays whole, however large.
   * False when the headers do not fit what the offload fields claim.
   */
  bool make(const uint8_t* packet, size_t length, const Offload& offload, size_t mtu);

  uint32_t count() const { return count_; }
  size_t lengthOf(uint32_t segment) const;
  /** Writes segment `segment`, a whole IP packet with right lengths and checksums, to `out` (`lengthOf` bytes). */
  void write(uint32_t segment, uint8_t* out) const;

 private:
  enum class Cut : uint8_t { none, tcp, udp };

  bool planWhole();
  bool planTcp(size_t largestPayload, size_t mtu);
  bool planUdp();
  bool setSegments(Cut cut, size_t headers, size_t payloadEach);
  bool tcpChecksumHolds() const;
  void completeChecksum(uint8_t* out) const;
  void fixIp(uint32_t segment, uint8_t* out, size_t length) const;
  void fixTcp(uint32_t segment, uint8_t* out, size_t length) const;
  void fixUdp(uint8_t* out, size_t length) const;

  const uint8_t* packet_ = nullptr;
  size_t length_ = 0;
  Offload offload_{};
  PacketShape shape_{};
  Cut cut_ = Cut::none;
  size_t headers_ = 0;
  size_t payloadEach_ = 0;
  uint32_t count_ = 0;
};

}  // namespace vine
