// Seals packets for peers and sends them in batches.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <vector>

#include "base/counters.h"
#include "base/packet_memory.h"
#include "offload/segment.h"
#include "session/session_table.h"
#include "io/udp_socket.h"
#include "base/wire.h"

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
  /**
   * Datagrams for one peer that lie one behind the other in the arena, all of one size but the last, which may be
   * shorter: one message with UDP_SEGMENT.
   */
  struct Train {
    uint32_t peer;
    uint32_t count;
    uint32_t each;
    uint32_t bytes;
    bool open;
    bool segmentation;
    /** Larger than the path carries, and not ours to divide: fragmented outside. */
    bool fragmented;
    /** What it leaves by: a socket, or as `Endpoint::fd`. */
    int fd;
    Endpoint endpoint;
  };
  /** Where a message is to be built, and what it needs around it. */
  struct Place {
    uint8_t* out;
    Session* session;
    bool fragmented;
    Endpoint endpoint;
  };
  union Control {
    cmsghdr alignment;
    uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
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
  /** Null for what is none of the engine's UDP sockets. */
  const UdpLink* linkOf(int fd) const;
  void commit(uint32_t peer, const Place& place, size_t length);
  void prepare(uint32_t i, uint8_t* at);
  void sendRun(uint32_t first, uint32_t end);
  void sendByStream(uint32_t first, uint32_t end);
  void account(const Train& train, int error, const iovec& part);
  /** Sends the datagrams of a train that was refused as such. */
  void sendSingly(const Train& train, const iovec& part);

  const PacketMemory& memory_;
  Counters& counters_;
  SessionTable& table_;
  const uint32_t lane_;
  std::vector<UdpLink> sockets_;
  uint64_t nowMs_ = 0;
  /** Held while sessions are in use, from the first seal of a batch to its flush; never while sending. */
  std::shared_lock<FairLock> sessions_;
  /** Sealed datagrams lie one behind the other, as UDP_SEGMENT wants them. */
  std::unique_ptr<uint8_t[]> arena_;
  /** A packet that is to be fragmented. */
  std::vector<uint8_t> whole_;
  size_t used_ = 0;
  uint32_t count_ = 0;
  std::vector<Train> trains_;
  std::vector<mmsghdr> messages_;
  std::vector<iovec> vectors_;
  std::vector<Control> controls_;
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
