#pragma once
#include <cstddef>
#include <cstdint>

#include "io/socket_util.h"

namespace vine {

struct UdpSocket {
  int fd;
  uint16_t port;
  int family;  // 4 or 6
  /** UDP_SEGMENT: the kernel cuts a train of equal datagrams that is handed over in one message (Linux 4.18). */
  bool segmentation;
  /** UDP_GRO: datagrams that came as a train are handed over in one message (Linux 5.0). */
  bool coalescing;
};

/** What the packet engine needs of one. */
struct UdpLink {
  int fd;
  bool segmentation;
};

/**
 * Whether the kernel and routers may fragment what leaves by the socket. Without DF only for the moment of a send that
 * needs it: another thread's datagrams of that moment go without DF too, which does no harm.
 */
void setFragmenting(int fd, bool v6, bool allowed);

/** Binds to 4 or 16 address bytes. */
bool openUdp(const uint8_t* address, size_t length, uint16_t port, UdpSocket* socket, Failure* failure);

}  // namespace vine
