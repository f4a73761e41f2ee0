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

/** Compared byte by byte, so every byte is set: see `normalise`. */
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
};
static_assert(sizeof(Endpoint) == 32, "copied as four words");

/** From 4 or 16 address bytes in network order. False for any other length. */
bool makeEndpoint(const uint8_t* bytes, size_t length, uint16_t port, int fd, Endpoint* endpoint);

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
