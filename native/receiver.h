// What fills an engine's slots: LAN sockets or UDP sockets.
#pragma once
#include <sys/socket.h>

#include <cstdint>
#include <vector>

#include "packet_memory.h"

namespace vine {

struct Batch {
  /** Descriptors filled. */
  uint32_t filled = 0;
  /** Messages taken from the sockets, those counted and dropped included. */
  uint32_t taken = 0;
  /** errno of a socket that is broken beyond use; 0 when all are well. */
  int broken = 0;
};

class Receiver {
 public:
  virtual ~Receiver() = default;
  /** Takes what is there, without waiting. */
  virtual Batch drain() = 0;
  virtual const std::vector<int>& descriptors() const = 0;
};

/** The arrays that recvmmsg works on, one entry per receive slot, each with its own buffer in the packet memory. */
class ReceiveRing {
 public:
  ReceiveRing(const PacketMemory& memory, bool withAddresses)
      : memory_(memory),
        messages_(memory.slots()),
        vectors_(memory.slots()),
        addresses_(withAddresses ? memory.slots() : 0) {}

  /**
   * Receives into slots `first …`, each from `lead` bytes before the place of an IP packet. Returns the number, or −1
   * with errno.
   */
  int receive(int fd, uint32_t first, uint32_t lead) {
    const uint32_t room = memory_.slots() - first;
    for (uint32_t i = first; i < memory_.slots(); i++) {
      vectors_[i] = {memory_.slot(i) + kHeadroom - lead, memory_.slotBytes() - kHeadroom + lead};
      msghdr& header = messages_[i].msg_hdr;
      header = {};
      header.msg_iov = &vectors_[i];
      header.msg_iovlen = 1;
      if (!addresses_.empty()) {
        header.msg_name = &addresses_[i];
        header.msg_namelen = sizeof addresses_[i];
      }
    }
    return recvmmsg(fd, &messages_[first], room, MSG_DONTWAIT, nullptr);
  }

  uint8_t* data(uint32_t i) const { return static_cast<uint8_t*>(vectors_[i].iov_base); }
  size_t length(uint32_t i) const { return messages_[i].msg_len; }
  bool truncated(uint32_t i) const { return (messages_[i].msg_hdr.msg_flags & MSG_TRUNC) != 0; }
  const sockaddr_storage& from(uint32_t i) const { return addresses_[i]; }

 private:
  const PacketMemory& memory_;
  std::vector<mmsghdr> messages_;
  std::vector<iovec> vectors_;
  std::vector<sockaddr_storage> addresses_;
};

}  // namespace vine
