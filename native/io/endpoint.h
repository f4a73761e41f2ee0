// Where a peer's datagrams go: its address, and the socket they leave by.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace vine {

/**
 * A UDP address and the socket to it; or a TCP connection, with its far end as address; or another router that passes
 * messages on. `fd` tells which: a descriptor, or one of two ranges below 0. Compared byte by byte, so every byte is
 * set.
 */
struct Endpoint {
  union Address {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  } address;
  int32_t fd;

  socklen_t addressLength() const {
    return address.any.sa_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  }
  bool operator==(const Endpoint& other) const;

  bool isUdp() const { return fd >= 0; }
  bool isRelay() const { return fd < kRelayBase + kRelayCount; }
  bool isStream() const { return fd < 0 && !isRelay(); }
  uint32_t relayPeer() const { return static_cast<uint32_t>(fd - kRelayBase); }
  uint32_t stream() const { return static_cast<uint32_t>(-1 - fd); }

  static constexpr int32_t kRelayBase = INT32_MIN;
  static constexpr int32_t kRelayCount = 4096;
};
static_assert(sizeof(Endpoint) == 32, "copied as four words");

/** From 4 or 16 address bytes in network order. False for any other length. */
bool makeEndpoint(const uint8_t* bytes, size_t length, uint16_t port, int fd, Endpoint* endpoint);

/** By way of another router, a peer of ours. */
Endpoint relayEndpoint(uint32_t peer);

/** By a TCP connection whose far end is `far`. */
Endpoint streamEndpoint(uint32_t stream, const Endpoint& far);

/** From what recvmmsg wrote. Clears what does not belong to the address (padding, flow label). */
bool receivedEndpoint(const sockaddr_storage& from, int fd, Endpoint* endpoint);

/** The address bytes (4 or 16) and the port, in host order. */
const uint8_t* endpointBytes(const Endpoint& endpoint, size_t* length);
uint16_t endpointPort(const Endpoint& endpoint);

/** An endpoint that any thread may read at any time while another replaces it: a sequence lock. */
class EndpointCell {
 public:
  /** False when none is set. */
  bool load(Endpoint* endpoint) const;
  void store(const Endpoint& endpoint);
  void clear();

 private:
  mutable std::mutex writer_;
  /** Odd while a writer is at work. */
  std::atomic<uint32_t> version_{0};
  std::array<std::atomic<uint64_t>, 4> words_{};
};

}  // namespace vine
