#pragma once
#include <cstddef>
#include <cstdint>

#include "socket_util.h"

namespace vine {

struct UdpSocket {
  int fd;
  uint16_t port;
  int family;  // 4 or 6
};

/** Binds to 4 or 16 address bytes. */
bool openUdp(const uint8_t* address, size_t length, uint16_t port, UdpSocket* socket, Failure* failure);

}  // namespace vine
