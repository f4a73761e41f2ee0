// Sealed datagrams on their way out: those of one peer, of one size, that follow each other leave in one message, which
// the kernel cuts (UDP_SEGMENT).
#pragma once
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/counters.h"
#include "io/endpoint.h"
#include "io/udp_socket.h"
#include "session/session_table.h"

namespace vine {

/** Of one engine, and one thread. */
class DatagramTrains {
 public:
  DatagramTrains(Counters& counters, const std::vector<UdpLink>& sockets);

  /** Whether one more datagram of `length` bytes can be added before the next `flush`. */
  bool hasRoomFor(size_t length) const;
  /** Where it is to be built. */
  uint8_t* room() const { return arena_.get() + used_; }
  /** The datagram of `length` bytes at `room` joins the last train, or begins a new one. */
  void add(uint32_t peer, const Endpoint& endpoint, size_t length, bool fragmented);
  /** Sends all, in order, and counts it as sent at `nowMs`. */
  void flush(uint64_t nowMs);

 private:
  /** Datagrams that lie one behind the other in the arena, all of one size but the last, which may be shorter. */
  struct Train {
    uint32_t peer;
    uint32_t count;
    uint32_t each;
    uint32_t bytes;
    bool open;
    /** Larger than the path carries, and not ours to divide: fragmented outside. */
    bool fragmented;
    /** The port that it leaves by; null when that is a TCP connection. */
    const UdpLink* link;
    Endpoint endpoint;

    /** What it leaves by: a socket, or as `Endpoint::fd`. */
    int fd() const { return link == nullptr ? endpoint.fd : fragmented ? link->fragmentingFd : link->fd; }
  };
  union Control {
    cmsghdr alignment;
    uint8_t bytes[sizeof(SourceControl::bytes) + CMSG_SPACE(sizeof(uint16_t))];
  };

  /** Null for what is none of the engine's UDP sockets. */
  const UdpLink* linkOf(int fd) const;
  bool join(uint32_t peer, const Endpoint& endpoint, uint32_t bytes, bool fragmented);
  void prepare(uint32_t i, uint8_t* at);
  static size_t writeControl(const Train& train, uint8_t* out);
  void sendRun(uint32_t first, uint32_t end);
  void sendByStream(uint32_t first, uint32_t end);
  void account(const Train& train, int error, const iovec& part);
  /** Sends the datagrams of a train that was refused as such. */
  void sendSingly(const Train& train, const iovec& part);

  Counters& counters_;
  SessionTable& table_;
  const std::vector<UdpLink> sockets_;
  uint64_t nowMs_ = 0;
  /** Datagrams lie one behind the other, as UDP_SEGMENT wants them. */
  std::unique_ptr<uint8_t[]> arena_;
  size_t used_ = 0;
  uint32_t count_ = 0;
  std::vector<Train> trains_;
  std::vector<mmsghdr> messages_;
  std::vector<iovec> vectors_;
  std::vector<Control> controls_;
};

}  // namespace vine
