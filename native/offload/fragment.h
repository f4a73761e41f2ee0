// IPv4 fragmentation of what may be fragmented (RFC 791 §3.2), before it is sealed.
#pragma once
#include <cstddef>
#include <cstdint>

namespace vine {

/** How one IPv4 packet leaves as fragments. Refers to the packet's bytes. */
class FragmentPlan {
 public:
  /** False when the packet fits, is not IPv4, says "don't fragment", or its header is not what it claims. */
  bool make(const uint8_t* packet, size_t length, size_t mtu);

  uint32_t count() const { return count_; }
  size_t lengthOf(uint32_t fragment) const;
  /** Writes a whole IP packet with right length, offset and checksum to `out` (`lengthOf` bytes). */
  void write(uint32_t fragment, uint8_t* out) const;

 private:
  size_t payloadOf(uint32_t fragment) const;

  const uint8_t* packet_ = nullptr;
  size_t header_ = 0;
  size_t payload_ = 0;
  size_t each_ = 0;
  uint32_t count_ = 0;
};

}  // namespace vine
