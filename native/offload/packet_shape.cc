#include "offload/packet_shape.h"

#include "base/byte_order.h"

namespace vine {
namespace {

constexpr uint8_t kHopByHop = 0;
constexpr uint8_t kRouting = 43;
constexpr uint8_t kDestinationOptions = 60;
constexpr uint16_t kFragmentBits = 0x3fff;  // more fragments, and the offset (RFC 791 §3.1)

bool readIpv4(const uint8_t* packet, size_t length, PacketShape* shape) {
  const size_t headerLength = size_t{packet[0] & 0x0fu} * 4;
  if (headerLength < kIpv4MinBytes || headerLength > length) return false;
  shape->statedLength = loadBe16(packet + 2);
  shape->protocol = packet[9];
  shape->layer4 = headerLength;
  shape->complete = (loadBe16(packet + 6) & kFragmentBits) == 0;
  return true;
}

/** Walks the extension headers (RFC 8200 §4) that may precede TCP or UDP; at any other one layer 4 is not reached. */
bool readIpv6(const uint8_t* packet, size_t length, PacketShape* shape) {
  if (length < kIpv6Bytes) return false;
  shape->statedLength = kIpv6Bytes + loadBe16(packet + 4);
  uint8_t next = packet[6];
  size_t at = kIpv6Bytes;
  bool complete = true;
  while (next == kHopByHop || next == kRouting || next == kDestinationOptions) {
    if (length - at < 8) {
      complete = false;
      break;
    }
    // With segments left, the pseudo-header has the final destination instead of the header's (RFC 8200 §8.1).
    if (next == kRouting && packet[at + 3] != 0) complete = false;
    next = packet[at];
    const size_t step = (size_t{packet[at + 1]} + 1) * 8;
    if (step > length - at) {
      complete = false;
      break;
    }
    at += step;
  }
  shape->protocol = next;
  shape->layer4 = at;
  shape->complete = complete;
  return true;
}

}  // namespace

bool readShape(const uint8_t* packet, size_t length, PacketShape* shape) {
  if (length < kIpv4MinBytes) return false;
  shape->version = packet[0] >> 4;
  if (shape->version == 4) return readIpv4(packet, length, shape);
  if (shape->version == 6) return readIpv6(packet, length, shape);
  return false;
}

size_t tcpHeadersLength(const uint8_t* packet, size_t length, const PacketShape& shape) {
  constexpr size_t kTcpMinBytes = 20;
  if (length - shape.layer4 < kTcpMinBytes) return 0;
  const size_t headerLength = static_cast<size_t>(packet[shape.layer4 + 12] >> 4) * 4;
  if (headerLength < kTcpMinBytes || headerLength > length - shape.layer4) return 0;
  return shape.layer4 + headerLength;
}

}  // namespace vine
