// What the kernel dropped before a worker could take it, because the socket's queue was full.
#pragma once
#include <cstdint>
#include <vector>

#include "base/counters.h"

namespace vine {

class QueueDrops {
 public:
  /** Counts the drops of these sockets from now on as `which`. */
  QueueDrops(Counters& counters, uint32_t which, const std::vector<int>& sockets);

  /** Looks at the sockets when the last look is long enough ago. */
  void sample(uint64_t nowMs);

 private:
  struct Watched {
    int fd;
    uint32_t seen;
  };

  Counters& counters_;
  const uint32_t which_;
  std::vector<Watched> watched_;
  uint64_t dueMs_ = 0;
};

}  // namespace vine
