#include "io/queue_drops.h"

#include <linux/sock_diag.h>
#include <sys/socket.h>

namespace vine {
namespace {

// Often enough for an operator, too rarely to cost anything.
constexpr uint64_t kIntervalMs = 500;

/** Drops since the socket was opened, modulo 2^32; 0 where the kernel does not tell (before Linux 4.12). */
uint32_t dropsOf(int fd) {
  uint32_t info[SK_MEMINFO_VARS] = {};
  socklen_t size = sizeof info;
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &size) != 0) return 0;
  return size > SK_MEMINFO_DROPS * sizeof info[0] ? info[SK_MEMINFO_DROPS] : 0;
}

}  // namespace

QueueDrops::QueueDrops(Counters& counters, uint32_t which, const std::vector<int>& sockets)
    : counters_(counters), which_(which) {
  for (const int fd : sockets) watched_.push_back({fd, dropsOf(fd)});
}

void QueueDrops::sample(uint64_t nowMs) {
  if (nowMs < dueMs_) return;
  dueMs_ = nowMs + kIntervalMs;
  for (Watched& watched : watched_) {
    const uint32_t now = dropsOf(watched.fd);
    counters_.add(which_, static_cast<uint32_t>(now - watched.seen));
    watched.seen = now;
  }
}

}  // namespace vine
