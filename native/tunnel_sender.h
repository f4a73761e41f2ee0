// Seals packets for peers and sends them in batches.
#pragma once
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <vector>

#include "counters.h"
#include "packet_memory.h"
#include "segment.h"
#include "session_table.h"
#include "wire.h"

namespace vine {

class TunnelSender {
 public:
  TunnelSender(const PacketMemory& memory, Counters& counters, uint32_t lane);

  /** Starts a batch: everything until `flush` is stamped with this time. */
  void begin(uint64_t nowMs) { nowMs_ = nowMs; }
  /** Splits, completes and seals one packet; it leaves now or with `flush`, in order. */
  void send(const int32_t* d);
  void flush();

 private:
  struct Sealed {
    uint32_t peer;
    uint32_t length;
    Endpoint endpoint;
  };
  /** Where a message is to be built, and what it needs around it. */
  struct Place {
    uint8_t* out;
    Session* session;
    Endpoint endpoint;
  };

  /** False when the rest of the packet need not be tried. */
  bool sealSegment(const SplitPlan& plan, uint32_t segment, const int32_t* d, size_t mtu);
  void sealWhole(const int32_t* d);
  /** Room for a message of `total` bytes to the peer, `out` being where it starts. False, and counted: there is no way. */
  bool open(uint32_t peer, size_t total, Place* place);
  /** Seals `payload` bytes at `out + kTransportHeaderBytes`, wraps them for a relay if need be, and takes them in. */
  bool close(uint32_t peer, size_t payload, Place* place);
  uint8_t* reserve(size_t length);
  void commit(uint32_t peer, const Endpoint& endpoint, size_t length);
  void sendRun(uint32_t first, uint32_t end);

  const PacketMemory& memory_;
  Counters& counters_;
  SessionTable& table_;
  const uint32_t lane_;
  uint64_t nowMs_ = 0;
  /** Held while sessions are in use, from the first seal of a batch to its flush; never while sending. */
  std::shared_lock<FairLock> sessions_;
  /** Sealed datagrams lie one behind the other, as UDP_SEGMENT will want them. */
  std::unique_ptr<uint8_t[]> arena_;
  size_t used_ = 0;
  uint32_t count_ = 0;
  std::vector<Sealed> sealed_;
  std::vector<mmsghdr> messages_;
  std::vector<iovec> vectors_;
};

/**
 * Builds a transport message around `length` bytes of plain text that lie at `out + kTransportHeaderBytes`, with room
 * for the tag behind them. False when the session has no counter left.
 */
bool sealMessage(Session* session, uint32_t lane, uint8_t* out, size_t length);

/** What a relay's session adds before a message, and behind it. */
constexpr size_t kRelayLead = kTransportHeaderBytes + kRelayHeaderBytes;
constexpr size_t kRelayOverhead = kRelayLead + kTagBytes;

/**
 * Wraps the message of `length` bytes at `out + kRelayLead` for the relay that `endpoint` names, and makes `endpoint`
 * the relay's own. False when the relay cannot be used now: no session, or it would need a relay itself. With the
 * table's lock held shared.
 */
bool wrapForRelay(uint32_t peer, uint32_t lane, uint64_t nowMs, uint8_t* out, size_t length, Endpoint* endpoint);

}  // namespace vine
