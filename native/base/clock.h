// CLOCK_MONOTONIC: what process.hrtime shows in JavaScript.
#pragma once
#include <time.h>

#include <cstdint>

namespace vine {

inline uint64_t monotonicMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

}  // namespace vine
