// An engine's counts, in memory that other threads read. One writer, so a plain load and store is enough; relaxed
// atomics only keep a reader from seeing half a number.
#pragma once
#include <cstdint>

#include "base/layout.h"

namespace vine {

class Counters {
 public:
  explicit Counters(uint64_t* memory) : memory_(memory) {}

  void add(uint32_t which, uint64_t amount = 1) {
    const uint64_t value = __atomic_load_n(&memory_[which], __ATOMIC_RELAXED);
    __atomic_store_n(&memory_[which], value + amount, __ATOMIC_RELAXED);
  }

 private:
  uint64_t* memory_;
};

}  // namespace vine
