// Cuts packets for peers to what their paths carry, and seals them.
#pragma once
#include <cstdint>
#include <shared_mutex>
#include <vector>

#include "base/counters.h"
#include "base/packet_memory.h"
#include "base/wire.h"
#include "engine/datagram_trains.h"
#include "offload/segment.h"
#include "session/session_table.h"

namespace vine {

class TunnelSender {
 public:
  TunnelSender(const PacketMemory& memory, Counters& counters, uint32_t lane, const std::vector<UdpLink>& sockets);

  /** Starts a batch: everything until `flush` is stamped with this time. */
  void begin(uint64_t nowMs) { nowMs_ = nowMs; }
  /** Splits, completes and seals one packet; it leaves now or with `flush`, in order. */
  void send(const int32_t* d);
  void flush();

 private:
  /** Where a message is to be built, and what it needs around it. */
  struct Place {
    uint8_t* out;
    Session* session;
    bool fragmented;
    Endpoint endpoint;
  };

  /** False when the rest of the packet need not be tried. */
  bool sealSegment(const SplitPlan& plan, uint32_t segment, const int32_t* d, size_t mtu);
  bool sealFragments(const SplitPlan& plan, uint32_t segment, const int32_t* d, size_t mtu, bool* sealed);
  /** Seals an IP packet of `length` bytes that `write` puts where it belongs. */
  template <typename Write>
  bool sealPacket(const int32_t* d, size_t mtu, size_t length, Write write);
  void sealWhole(const int32_t* d);
  /** Room for a message of `total` bytes to the peer, `out` being where it starts. False, and counted: there is no way. */
  bool open(uint32_t peer, size_t total, Place* place);
  /** Seals `payload` bytes at `out + kTransportHeaderBytes`, wraps them for a relay if need be, and takes them in. */
  bool close(uint32_t peer, size_t payload, Place* place);
  uint8_t* reserve(size_t length);

  const PacketMemory& memory_;
  Counters& counters_;
  SessionTable& table_;
  const uint32_t lane_;
  uint64_t nowMs_ = 0;
  /** Held while sessions are in use, from the first seal of a batch to its flush; never while sending. */
  std::shared_lock<FairLock> sessions_;
  DatagramTrains trains_;
  /** A packet that is to be fragmented. */
  std::vector<uint8_t> whole_;
};

}  // namespace vine
