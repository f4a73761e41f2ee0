// A UDP port, which is two sockets: see `openUdp`.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

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

/** IP_PKTINFO or IPV6_PKTINFO: which of the machine's addresses a datagram comes from. */
struct SourceControl {
  alignas(cmsghdr) uint8_t bytes[CMSG_SPACE(sizeof(in6_pktinfo))];
  /** 0: the route chooses. */
  size_t length;
};

/** What the packet engine needs of one. */
struct UdpLink {
  int fd;
  /** By which the engine receives; −1: not from this port. */
  int receiveFd;
  /** For what the kernel and routers may fragment, each message with `source`. */
  int fragmentingFd;
  SourceControl source;
  bool segmentation;
};

/**
 * Binds to 4 or 16 address bytes. What leaves by `fd` is never fragmented: DF is set, and what is larger than the
 * interface's MTU is refused (EMSGSIZE), so that probes find out what a path carries (RFC 8899). Its companion sends,
 * from the same port, what may be fragmented, and receives nothing. Neither setting is ever changed: threads share the
 * sockets.
 */
bool openUdp(const uint8_t* address, size_t length, uint16_t port, UdpSocket* socket, Failure* failure);

/**
 * Opens another socket for the port of `fd`, a socket of `openUdp`, which takes its part of the datagrams from then on:
 * those from one address and port all come by the same socket (SO_REUSEPORT). Nothing is sent by it.
 */
bool shareUdp(int fd, int* shared, Failure* failure);

/** Of a socket that `openUdp` opened; with any other, `fd` stands for its companion too. */
UdpLink udpLink(int fd, int receiveFd, bool segmentation);

}  // namespace vine
