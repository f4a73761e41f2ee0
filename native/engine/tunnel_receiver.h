// Takes datagrams from the UDP sockets: authenticates and decrypts transport messages, passes handshakes up.
#pragma once
#include <vector>

#include "base/counters.h"
#include "io/receiver.h"
#include "io/stream_table.h"
#include "io/udp_socket.h"
#include "session/handshake_guard.h"
#include "session/session_table.h"

namespace vine {

class TunnelReceiver final : public Receiver {
 public:
  /** `streams`: this engine receives by the process's TCP connections, and tells what becomes of them. */
  TunnelReceiver(const PacketMemory& memory, Counters& counters, uint32_t lane, const std::vector<UdpLink>& ports,
                 bool streams);

  /** What did not fit the descriptors stays in the slots for the next call. */
  Batch drain() override;
  const std::vector<int>& descriptors() const override { return polled_; }

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

  /** One datagram in a slot, and where it came from. */
  struct Datagram {
    uint8_t* data;
    size_t length;
    const Endpoint* source;
  };

  /** Several workers may each have a socket of a port: whichever a message came by, what is sent leaves by `fd`. */
  struct Port {
    int fd;
    int receiveFd;
  };

  void describeEvents(Batch* batch, bool ends);
  void refill(Batch* batch);
  void receiveFromStreams();
  /** False when the slots have run out before its messages. */
  bool receiveFrom(Stream* stream);
  bool receiveFrom(const Port& port, Batch* batch);
  /** Describes the datagrams of slot `slot_` from `at_` on; false when the descriptors have run out before its end. */
  bool describeSlot(Held* held, Batch* batch);
  /** False when the datagram was dealt with here, counted where it has to be. */
  bool describe(const Datagram& datagram, Held* held, int32_t* d);
  bool describeHandshake(const Datagram& datagram, int32_t* d);
  bool describeMessage(const Datagram& datagram, Held* held, int32_t* d);
  /** Null, and counted, when the message is not a new and genuine one of a live session. */
  Session* authenticate(uint8_t* message, size_t length, Held* held);
  /** The flags for the worker, after the session and its peer have noted the message. */
  int32_t noteAuthentic(Session* session, const Endpoint& source);

  const PacketMemory& memory_;
  Counters& counters_;
  SessionTable& table_;
  const uint32_t lane_;
  std::vector<Port> ports_;
  std::vector<int> polled_;
  const bool streams_;
  /** Connections with something to read, and those that have more whole messages than there were slots. */
  std::vector<std::shared_ptr<Stream>> ready_;
  std::vector<StreamEvent> events_;
  /** For slots that were filled from a connection: the message's length and where it came from. */
  struct FromStream {
    size_t length;
    Endpoint source;
  };
  std::vector<FromStream> fromStream_;
  ReceiveRing ring_;
  HandshakeGuard guard_;
  /** By slot: the `fd` of the port that filled it; −1: a connection. */
  std::vector<int> filledBy_;
  /** Slots that hold messages, the one that is next, and how far that one has been read. */
  uint32_t taken_ = 0;
  uint32_t slot_ = 0;
  size_t at_ = 0;
  size_t turn_ = 0;
  uint64_t nowMs_ = 0;
};

}  // namespace vine
