// struct virtio_net_hdr (Virtual I/O Device 1.1, §5.1.6). Declared here because <linux/virtio_net.h> is not C++.
// AF_PACKET uses the legacy 10-byte form in the machine's byte order.
#pragma once
#include <cstdint>

namespace vine {

struct VirtioHeader {
  uint8_t flags;
  uint8_t gsoType;
  uint16_t headerLength;
  uint16_t gsoSize;
  uint16_t checksumStart;
  uint16_t checksumOffset;
};
static_assert(sizeof(VirtioHeader) == 10, "the kernel's layout");

constexpr uint8_t kVirtioNeedsChecksum = 1;
constexpr uint8_t kVirtioDataValid = 2;

constexpr uint8_t kGsoNone = 0;
constexpr uint8_t kGsoTcp4 = 1;
constexpr uint8_t kGsoTcp6 = 4;
constexpr uint8_t kGsoUdpL4 = 5;
/** Set beside TCPv4/TCPv6: the first segment carries CWR. Splitting handles CWR always. */
constexpr uint8_t kGsoEcn = 0x80;

}  // namespace vine
