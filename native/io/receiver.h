// What fills an engine's descriptors: LAN sockets or UDP sockets.
#pragma once
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/packet_memory.h"

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

/**
 * The arrays that recvmmsg works on, one entry per receive slot, each with its own buffer in the packet memory.
 *
 * How many messages one call asks for follows from the size of the last ones: many small, few large. A batch of 64
 * super-packets would be 4 MB, which no cache holds, and the first packet would wait for the last.
 */
class ReceiveRing {
 public:
  ReceiveRing(const PacketMemory& memory, bool withAddresses)
      : memory_(memory),
        messages_(memory.slots()),
        vectors_(memory.slots()),
        addresses_(withAddresses ? memory.slots() : 0),
        controls_(withAddresses ? memory.slots() : 0),
        preparedFor_(memory.slots(), kUnprepared),
        appetite_(memory.slots()) {}

  /**
   * Receives into slots `first …`, each from `lead` bytes before the place of an IP packet. Returns the number, or −1
   * with errno.
   */
  int receive(int fd, uint32_t first, uint32_t lead) {
    const uint32_t end = std::min(memory_.slots(), first + appetite_);
    for (uint32_t i = first; i < end; i++) {
      if (preparedFor_[i] != lead) prepare(i, lead);
    }
    const int received = recvmmsg(fd, &messages_[first], end - first, MSG_DONTWAIT, nullptr);
    if (received <= 0) return received;
    std::fill_n(preparedFor_.begin() + first, received, kUnprepared);
    adapt(first, static_cast<uint32_t>(received));
    return received;
  }

  uint8_t* data(uint32_t i) const { return static_cast<uint8_t*>(vectors_[i].iov_base); }
  size_t length(uint32_t i) const { return messages_[i].msg_len; }
  bool truncated(uint32_t i) const { return (messages_[i].msg_hdr.msg_flags & MSG_TRUNC) != 0; }
  const sockaddr_storage& from(uint32_t i) const { return addresses_[i]; }

  /** The size of the datagrams (the last may be shorter) that message `i` is a train of; 0 when it is one datagram. */
  size_t segmentBytes(uint32_t i) const {
    const msghdr& header = messages_[i].msg_hdr;
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(const_cast<msghdr*>(&header), c)) {
      if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != UDP_GRO) continue;
      int size = 0;
      std::memcpy(&size, CMSG_DATA(c), sizeof size);
      return size > 0 ? static_cast<size_t>(size) : 0;
    }
    return 0;
  }

 private:
  static constexpr size_t kBatchBytes = 512 * 1024;
  static constexpr uint32_t kLeastAppetite = 8;
  static constexpr uint16_t kUnprepared = 0xffff;

  union Control {
    cmsghdr alignment;
    uint8_t bytes[CMSG_SPACE(sizeof(int))];
  };

  void prepare(uint32_t i, uint32_t lead) {
    preparedFor_[i] = static_cast<uint16_t>(lead);
    vectors_[i] = {memory_.slot(i) + kHeadroom - lead, memory_.slotBytes() - kHeadroom + lead};
    msghdr& header = messages_[i].msg_hdr;
    header = {};
    header.msg_iov = &vectors_[i];
    header.msg_iovlen = 1;
    if (addresses_.empty()) return;
    header.msg_name = &addresses_[i];
    header.msg_namelen = sizeof addresses_[i];
    header.msg_control = controls_[i].bytes;
    header.msg_controllen = sizeof controls_[i].bytes;
  }

  void adapt(uint32_t first, uint32_t received) {
    size_t bytes = 0;
    for (uint32_t i = first; i < first + received; i++) bytes += messages_[i].msg_len;
    const size_t fits = kBatchBytes * received / std::max<size_t>(bytes, 1);
    appetite_ = static_cast<uint32_t>(std::clamp<size_t>(fits, std::min(kLeastAppetite, memory_.slots()), memory_.slots()));
  }

  const PacketMemory& memory_;
  std::vector<mmsghdr> messages_;
  std::vector<iovec> vectors_;
  std::vector<sockaddr_storage> addresses_;
  std::vector<Control> controls_;
  /**
   * By slot, the lead that its entry is ready for. The kernel writes into the entries that it fills and into no others:
   * a packet that comes alone, after a pause, must not wait for a whole array to be fetched into the cache.
   */
  std::vector<uint16_t> preparedFor_;
  uint32_t appetite_;
};

}  // namespace vine
