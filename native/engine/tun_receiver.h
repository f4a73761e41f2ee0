// Takes IP packets that the machine itself sends from the TUN devices, and describes them like frames of a LAN.
#pragma once
#include <vector>

#include "base/counters.h"
#include "io/receiver.h"
#include "io/tun_socket.h"

namespace vine {

class TunReceiver final : public Receiver {
 public:
  TunReceiver(const PacketMemory& memory, Counters& counters, const std::vector<TunSocket>& tuns);

  Batch drain() override;
  const std::vector<int>& descriptors() const override { return descriptors_; }

 private:
  bool describe(const TunSocket& tun, uint8_t* message, size_t length, int32_t* d);

  const PacketMemory& memory_;
  Counters& counters_;
  /** Those that it receives from. */
  std::vector<TunSocket> tuns_;
  std::vector<int> descriptors_;
};

}  // namespace vine
