// Where the headers of an IP packet lie.
#pragma once
#include <cstddef>
#include <cstdint>

namespace vine {

constexpr uint8_t kProtocolTcp = 6;
constexpr uint8_t kProtocolUdp = 17;
constexpr size_t kIpv4MinBytes = 20;
constexpr size_t kIpv6Bytes = 40;
constexpr size_t kUdpBytes = 8;

struct PacketShape {
  uint8_t version;
  /** Layer 4 protocol behind options and extension headers; meaningless when not `complete`. */
  uint8_t protocol;
  /** Not a fragment, no extension header that hides layer 4 or changes its pseudo-header. */
  bool complete;
  size_t layer4;
  /** Length that the IP header states. Stale in super-packets. */
  size_t statedLength;
};

/** False when the bytes are not an IP packet with a whole IP header. */
bool readShape(const uint8_t* packet, size_t length, PacketShape* shape);

/** Bytes from the IP header to the end of the TCP header; 0 when they do not fit. */
size_t tcpHeadersLength(const uint8_t* packet, size_t length, const PacketShape& shape);

}  // namespace vine
