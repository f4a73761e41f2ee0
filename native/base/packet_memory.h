// The packet slots and the descriptors of one engine. Shared with JavaScript: it is freed when the engine and both
// array buffers have let go.
#pragma once
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/layout.h"

namespace vine {

class PacketMemory {
 public:
  /** Null when there is not enough memory. `capacity` receive descriptors. */
  static std::shared_ptr<PacketMemory> allocate(uint32_t slots, uint32_t slotBytes, uint32_t capacity) {
    auto memory = std::shared_ptr<PacketMemory>(new PacketMemory(slots, slotBytes, capacity));
    return memory->map() ? memory : nullptr;
  }
  ~PacketMemory() {
    if (packets_ != nullptr) munmap(packets_, packetBytes() + descriptorBytes());
  }
  PacketMemory(const PacketMemory&) = delete;
  PacketMemory& operator=(const PacketMemory&) = delete;

  /** Receive slots; `kScratchSlots` more follow them. */
  uint32_t slots() const { return slots_; }
  uint32_t slotBytes() const { return slotBytes_; }
  /** Receive descriptors; `kScratchSlots` more follow them. */
  uint32_t capacity() const { return capacity_; }
  uint32_t allDescriptors() const { return capacity_ + kScratchSlots; }
  size_t packetBytes() const { return size_t{slots_ + kScratchSlots} * slotBytes_; }
  size_t descriptorBytes() const { return size_t{allDescriptors()} * kDescriptorWords * sizeof(int32_t); }

  uint8_t* packets() const { return packets_; }
  uint8_t* slot(uint32_t i) const { return packets_ + size_t{i} * slotBytes_; }
  int32_t* descriptors() const { return reinterpret_cast<int32_t*>(packets_ + packetBytes()); }
  int32_t* descriptor(uint32_t i) const { return descriptors() + size_t{i} * kDescriptorWords; }

  /** The packet that a descriptor names, or null when it does not lie within the memory. */
  const uint8_t* packetOf(const int32_t* d, size_t* length) const {
    const auto at = static_cast<uint32_t>(d[word::offset]);
    const auto bytes = static_cast<uint32_t>(d[word::length]);
    if (at > packetBytes() || bytes > packetBytes() - at) return nullptr;
    *length = bytes;
    return packets_ + at;
  }

 private:
  PacketMemory(uint32_t slots, uint32_t slotBytes, uint32_t capacity)
      : slots_(slots), slotBytes_(slotBytes), capacity_(capacity) {}

  // Pages come zeroed and only as they are touched: large slots that see small packets cost little.
  bool map() {
    void* at = mmap(nullptr, packetBytes() + descriptorBytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                    -1, 0);
    if (at == MAP_FAILED) return false;
    packets_ = static_cast<uint8_t*>(at);
    return true;
  }

  const uint32_t slots_;
  const uint32_t slotBytes_;
  const uint32_t capacity_;
  uint8_t* packets_ = nullptr;
};

}  // namespace vine
