// Sends cookie replies to handshake messages that still lie in their slots, many in one system call.
#pragma once
#include <sys/socket.h>

#include <array>
#include <cstdint>

#include "base/counters.h"
#include "base/packet_memory.h"
#include "session/handshake_guard.h"

namespace vine {

class CookieSender {
 public:
  CookieSender(const PacketMemory& memory, Counters& counters) : memory_(memory), counters_(counters) {}

  void send(const int32_t* d);
  void flush();

 private:
  static constexpr uint32_t kBatch = 64;

  const PacketMemory& memory_;
  Counters& counters_;
  HandshakeGuard guard_;
  std::array<std::array<uint8_t, kCookieReplyBytes>, kBatch> replies_{};
  std::array<Endpoint, kBatch> to_{};
  std::array<iovec, kBatch> vectors_{};
  std::array<mmsghdr, kBatch> messages_{};
  uint32_t count_ = 0;
};

}  // namespace vine
