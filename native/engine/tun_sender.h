// Hands IP packets to the machine itself, through its TUN devices.
#pragma once
#include <cstdint>
#include <vector>

#include "base/counters.h"
#include "base/packet_memory.h"
#include "io/tun_socket.h"

namespace vine {

class TunSender {
 public:
  TunSender(const PacketMemory& memory, Counters& counters, const std::vector<TunSocket>& tuns)
      : memory_(memory), counters_(counters), tuns_(tuns) {}

  /** Whether a port number is one of the TUN devices'. */
  bool has(int32_t index) const { return find(index) != nullptr; }
  /** Writes one packet at once. */
  void send(const int32_t* d);

 private:
  const TunSocket* find(int32_t index) const;

  const PacketMemory& memory_;
  Counters& counters_;
  const std::vector<TunSocket> tuns_;
};

}  // namespace vine
