// CLOCK_MONOTONIC is what process.hrtime shows in JavaScript; CLOCK_REALTIME is what the kernel stamps frames with.
#pragma once
#include <time.h>

#include <cstdint>

namespace vine {

inline uint64_t monotonicMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

inline int64_t realtimeNs() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace vine
