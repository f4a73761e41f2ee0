#include "io/endpoint.h"

#include <arpa/inet.h>
#include <time.h>

#include <cstring>

namespace vine {

bool Endpoint::operator==(const Endpoint& other) const { return std::memcmp(this, &other, sizeof *this) == 0; }

bool makeEndpoint(const uint8_t* bytes, size_t length, uint16_t port, int fd, Endpoint* endpoint) {
  std::memset(endpoint, 0, sizeof *endpoint);
  endpoint->fd = fd;
  if (length == 4) {
    endpoint->address.v4.sin_family = AF_INET;
    endpoint->address.v4.sin_port = htons(port);
    std::memcpy(&endpoint->address.v4.sin_addr, bytes, 4);
    return true;
  }
  if (length == 16) {
    endpoint->address.v6.sin6_family = AF_INET6;
    endpoint->address.v6.sin6_port = htons(port);
    std::memcpy(&endpoint->address.v6.sin6_addr, bytes, 16);
    return true;
  }
  return false;
}

Endpoint relayEndpoint(uint32_t peer) {
  Endpoint endpoint;
  const uint8_t nowhere[4] = {};
  makeEndpoint(nowhere, sizeof nowhere, 0, Endpoint::kRelayBase + static_cast<int32_t>(peer), &endpoint);
  return endpoint;
}

Endpoint streamEndpoint(uint32_t stream, const Endpoint& far) {
  Endpoint endpoint = far;
  endpoint.fd = -1 - static_cast<int32_t>(stream);
  return endpoint;
}

bool receivedEndpoint(const sockaddr_storage& from, int fd, Endpoint* endpoint) {
  if (from.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
    return makeEndpoint(reinterpret_cast<const uint8_t*>(&v4.sin_addr), 4, ntohs(v4.sin_port), fd, endpoint);
  }
  if (from.ss_family != AF_INET6) return false;
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
  makeEndpoint(v6.sin6_addr.s6_addr, 16, ntohs(v6.sin6_port), fd, endpoint);
  // A link-local address means nothing without its link.
  endpoint->address.v6.sin6_scope_id = v6.sin6_scope_id;
  return true;
}

const uint8_t* endpointBytes(const Endpoint& endpoint, size_t* length) {
  if (endpoint.address.any.sa_family == AF_INET6) {
    *length = 16;
    return endpoint.address.v6.sin6_addr.s6_addr;
  }
  *length = 4;
  return reinterpret_cast<const uint8_t*>(&endpoint.address.v4.sin_addr);
}

uint16_t endpointPort(const Endpoint& endpoint) {
  const bool v6 = endpoint.address.any.sa_family == AF_INET6;
  return ntohs(v6 ? endpoint.address.v6.sin6_port : endpoint.address.v4.sin_port);
}

bool EndpointCell::load(Endpoint* endpoint) const {
  for (;;) {
    const uint32_t before = version_.load(std::memory_order_acquire);
    if ((before & 1) == 0) {
      uint64_t copy[4];
      for (size_t i = 0; i < 4; i++) copy[i] = words_[i].load(std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_acquire);
      if (version_.load(std::memory_order_relaxed) == before) {
        std::memcpy(endpoint, copy, sizeof copy);
        return endpoint->address.any.sa_family != AF_UNSPEC;
      }
    }
    // A writer needs nanoseconds; that it is seen at work at all means it lost its processor. Not sched_yield(): a thread
    // with real-time precedence would yield to its equals alone.
    const timespec moment{0, 10000};
    nanosleep(&moment, nullptr);
  }
}

void EndpointCell::store(const Endpoint& endpoint) {
  uint64_t copy[4];
  std::memcpy(copy, &endpoint, sizeof copy);
  const std::lock_guard<std::mutex> guard(writer_);
  const uint32_t version = version_.load(std::memory_order_relaxed);
  version_.store(version + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  for (size_t i = 0; i < 4; i++) words_[i].store(copy[i], std::memory_order_relaxed);
  version_.store(version + 2, std::memory_order_release);
}

void EndpointCell::clear() {
  Endpoint none;
  std::memset(&none, 0, sizeof none);
  store(none);
}

}  // namespace vine
