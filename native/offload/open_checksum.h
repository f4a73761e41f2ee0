// Telling, without a virtio-net header, whether a checksum has been left to the interface.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/byte_order.h"
#include "offload/checksum.h"
#include "offload/packet_shape.h"

namespace vine {

/**
 * Where the checksum field of a TCP or UDP packet lies when it holds the sum of the pseudo-header alone, as Linux leaves
 * it to an interface that completes checksums; 0 when it does not, or there is none. Completing it is right whenever
 * this answers: a packet that has that sum by chance is given the same again, unless it was damaged before (one in
 * 65,536 of those would be laundered). `length` is the packet's own, without padding.
 */
inline size_t openChecksumField(const uint8_t* packet, size_t length, const PacketShape& shape) {
  if (!shape.complete) return 0;
  const bool tcp = shape.protocol == kProtocolTcp;
  if (!tcp && shape.protocol != kProtocolUdp) return 0;
  const size_t field = shape.layer4 + (tcp ? 16 : 6);
  if (field + 2 > length) return 0;
  const uint64_t sum = pseudoHeaderSum(packet, shape.protocol, length - shape.layer4);
  const auto folded = static_cast<uint16_t>(~checksumFinish(sum));
  return loadRaw<uint16_t>(packet + field) == folded ? field : 0;
}

}  // namespace vine
