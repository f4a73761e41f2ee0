// As how many IP packets, and bytes of them, a packet reaches its next hop: what is counted for it.
#pragma once
#include <cstddef>
#include <cstdint>

namespace vine {

struct TravelSize {
  uint64_t packets;
  uint64_t bytes;
};

/**
 * As `SplitPlan` and `FragmentPlan` cut it where IP packets up to `mtu` bytes pass, or a kernel by its GSO type. What is not
 * cut counts as it is, however large.
 */
TravelSize travelSize(const uint8_t* packet, size_t length, uint8_t gsoType, size_t gsoSize, size_t mtu);

}  // namespace vine
