// Takes datagrams from the UDP sockets: authenticates and decrypts transport messages, passes handshakes up.
#pragma once
#include <vector>

#include "counters.h"
#include "handshake_guard.h"
#include "receiver.h"
#include "session_table.h"

namespace vine {

class TunnelReceiver final : public Receiver {
 public:
  TunnelReceiver(const PacketMemory& memory, Counters& counters, uint32_t lane, const std::vector<int>& sockets);

  Batch drain() override;
  const std::vector<int>& descriptors() const override { return sockets_; }

  /**
   * Opens the transport message that lies in the packet memory at `offset` and came by way of peer `relay`; fills `d`
   * as for any other. False, and counted, when it is not a new and genuine one.
   */
  bool openRelayed(size_t offset, size_t length, uint32_t relay, int32_t* d);

 private:
  /** The session whose mutex is held; messages of one session mostly come in runs. */
  class Held {
   public:
    void take(Session* session);

   private:
    Session* session_ = nullptr;
    std::unique_lock<std::mutex> lock_;
  };

  bool receiveFrom(int fd, Batch* batch);
  /** False when the datagram was dealt with here, counted where it has to be. */
  bool describe(int fd, uint32_t slot, Held* held, int32_t* d);
  bool describeHandshake(int fd, uint32_t slot, uint32_t type, int32_t* d);
  bool describeMessage(uint8_t* message, size_t length, const Endpoint& source, Held* held, int32_t* d);
  /** Null, and counted, when the message is not a new and genuine one of a live session. */
  Session* authenticate(uint8_t* message, size_t length, Held* held);
  /** The flags for the worker, after the session and its peer have noted the message. */
  int32_t noteAuthentic(Session* session, const Endpoint& source);

  const PacketMemory& memory_;
  Counters& counters_;
  SessionTable& table_;
  const uint32_t lane_;
  std::vector<int> sockets_;
  ReceiveRing ring_;
  HandshakeGuard guard_;
  size_t turn_ = 0;
  uint64_t nowMs_ = 0;
};

}  // namespace vine
