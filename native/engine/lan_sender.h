// Writes packets to LANs as Ethernet frames, in batches.
#pragma once
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/counters.h"
#include "base/packet_memory.h"
#include "io/lan_socket.h"
#include "offload/coalesce.h"
#include "offload/segment.h"

namespace vine {

class LanSender {
 public:
  LanSender(const PacketMemory& memory, Counters& counters, const std::vector<LanSocket>& lans);

  /** Queues one packet; it leaves now or with `flush`, in order within its flow. Bytes and `d` must stay until then. */
  void send(const int32_t* d);
  void flush();

 private:
  /** virtio-net header, Ethernet header, and the longest IPv6 and TCP headers that a bundle has. */
  using FrameHeader = std::array<uint8_t, 24 + 40 + 60>;

  const LanSocket* find(uint32_t index) const;
  void sendBundle(const Bundle& bundle);
  void sendSuperPacket(const Bundle& bundle);
  void sendPieces(const Bundle& bundle);
  void sendWhole(const LanSocket& lan, const int32_t* d, const uint8_t* packet, size_t length);
  void sendOffloaded(const LanSocket& lan, const int32_t* d, const uint8_t* packet, size_t length,
                     const Offload& offload);
  void sendSplit(const LanSocket& lan, const int32_t* d, const uint8_t* packet, size_t length,
                 const Offload& offload);
  /** The header of the frame to be queued next, Ethernet part filled, virtio part zero. */
  FrameHeader& startFrame(const LanSocket& lan, const int32_t* d, const uint8_t* packet, size_t parts = 1);
  /** The frame's header as the first part. */
  void beginParts(const LanSocket& lan, size_t ipHeaderBytes);
  void addPart(const uint8_t* data, size_t length);
  void queue(const LanSocket& lan, const uint8_t* packet, size_t length);
  void flushFrames();
  void account(uint32_t i, int error);

  const PacketMemory& memory_;
  Counters& counters_;
  const std::vector<LanSocket> lans_;
  Coalescer coalescer_;
  /** For segments made here, where the LAN cannot take super-packets. */
  std::unique_ptr<uint8_t[]> arena_;
  size_t used_ = 0;
  uint32_t count_ = 0;
  int fd_ = -1;
  std::vector<FrameHeader> headers_;
  std::vector<mmsghdr> messages_;
  /** By frame: the bundle that it carries, null for other frames. */
  std::vector<const Bundle*> carried_;
  std::vector<iovec> parts_;
  size_t partsUsed_ = 0;
};

}  // namespace vine
