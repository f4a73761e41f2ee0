#include "offload/travel_size.h"

#include <algorithm>

#include "base/byte_order.h"
#include "base/virtio.h"
#include "offload/packet_shape.h"

namespace vine {
namespace {

constexpr uint16_t kDontFragment = 0x4000;

/** Each part has the headers. */
TravelSize parts(size_t length, size_t headers, size_t each) {
  if (each == 0 || headers > length) return {1, length};
  const uint64_t payload = length - headers;
  const uint64_t count = std::max<uint64_t>(1, (payload + each - 1) / each);
  return {count, count * headers + payload};
}

/** Of one that may be larger than what passes. */
TravelSize fragments(const uint8_t* packet, size_t length, size_t mtu) {
  const size_t header = size_t{packet[0] & 0x0fu} * 4;
  const bool isCut = length > mtu && packet[0] >> 4 == 4 && !(loadBe16(packet + 6) & kDontFragment);
  if (!isCut || header < kIpv4MinBytes || header + 8 > mtu) return {1, length};
  return parts(length, header, (mtu - header) / 8 * 8);
}

/** UDP's segments are as the sender wants them, and each may be too large. */
TravelSize datagrams(const uint8_t* packet, size_t length, size_t headers, size_t each, size_t mtu) {
  if (each == 0 || headers > length || length - headers <= each) return fragments(packet, length, mtu);
  const uint64_t whole = (length - headers) / each;
  const size_t left = (length - headers) % each;
  const TravelSize one = fragments(packet, headers + each, mtu);
  const TravelSize last = left == 0 ? TravelSize{0, 0} : fragments(packet, headers + left, mtu);
  return {whole * one.packets + last.packets, whole * one.bytes + last.bytes};
}

}  // namespace

TravelSize travelSize(const uint8_t* packet, size_t length, uint8_t gsoType, size_t gsoSize, size_t mtu) {
  const uint8_t type = gsoType & static_cast<uint8_t>(~kGsoEcn);
  PacketShape shape;
  if ((type == kGsoNone && length <= mtu) || !readShape(packet, length, &shape)) return {1, length};
  if (shape.complete && shape.protocol == kProtocolTcp && (type == kGsoNone || type == kGsoTcp4 || type == kGsoTcp6)) {
    const size_t headers = tcpHeadersLength(packet, length, shape);
    if (headers == 0 || mtu <= headers) return {1, length};
    const size_t room = mtu - headers;
    return parts(length, headers, type == kGsoNone ? room : std::min(gsoSize, room));
  }
  if (shape.complete && shape.protocol == kProtocolUdp && type == kGsoUdpL4)
    return datagrams(packet, length, shape.layer4 + kUdpBytes, gsoSize, mtu);
  return type == kGsoNone ? fragments(packet, length, mtu) : TravelSize{1, length};
}

}  // namespace vine
