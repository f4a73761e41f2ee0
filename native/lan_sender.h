// Writes packets to LANs as Ethernet frames, in batches.
#pragma once
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "counters.h"
#include "lan_socket.h"
#include "packet_memory.h"
#include "segment.h"

namespace vine {

class LanSender {
 public:
  LanSender(const PacketMemory& memory, Counters& counters, const std::vector<LanSocket>& lans);

  /** Queues one packet; it leaves now or with `flush`, in order. Its bytes must stay until then. */
  void send(const int32_t* d);
  void flush();

 private:
  /** virtio-net header and Ethernet header. */
  using FrameHeader = std::array<uint8_t, 24>;

  const LanSocket* find(uint32_t index) const;
  void sendWhole(const LanSocket& lan, const int32_t* d, const uint8_t* packet, size_t length);
  void sendOffloaded(const LanSocket& lan, const int32_t* d, const uint8_t* packet, size_t length,
                     const Offload& offload);
  void sendSplit(const LanSocket& lan, const int32_t* d, const uint8_t* packet, size_t length,
                 const Offload& offload);
  /** The header of the frame to be queued next, Ethernet part filled, virtio part zero. */
  FrameHeader& startFrame(const LanSocket& lan, const int32_t* d, const uint8_t* packet);
  void queue(const LanSocket& lan, const uint8_t* packet, size_t length);

  const PacketMemory& memory_;
  Counters& counters_;
  std::vector<LanSocket> lans_;
  /** For segments made here, where the LAN cannot take super-packets. */
  std::unique_ptr<uint8_t[]> arena_;
  size_t used_ = 0;
  uint32_t count_ = 0;
  int fd_ = -1;
  std::vector<FrameHeader> headers_;
  std::vector<mmsghdr> messages_;
  std::vector<std::array<iovec, 2>> vectors_;
};

}  // namespace vine
