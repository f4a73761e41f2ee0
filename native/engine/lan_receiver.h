// Takes IP frames from the LAN sockets and describes them.
#pragma once
#include <vector>

#include "base/counters.h"
#include "io/lan_socket.h"
#include "io/receiver.h"

namespace vine {

class LanReceiver final : public Receiver {
 public:
  LanReceiver(const PacketMemory& memory, Counters& counters, const std::vector<LanSocket>& lans);

  Batch drain() override;
  const std::vector<int>& descriptors() const override { return descriptors_; }

 private:
  bool receiveFrom(size_t which, Batch* batch);
  bool describe(const LanSocket& lan, uint32_t slot, int32_t* d);

  const PacketMemory& memory_;
  Counters& counters_;
  std::vector<LanSocket> lans_;
  /** By LAN: it has gone down, and nothing has come since. */
  std::vector<bool> wentDown_;
  std::vector<int> descriptors_;
  ReceiveRing ring_;
  size_t turn_ = 0;
};

}  // namespace vine
