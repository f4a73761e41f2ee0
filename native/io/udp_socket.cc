#include "io/udp_socket.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include "io/endpoint.h"

namespace vine {

namespace {

void setOptions(int fd, bool v6) {
  enlargeBuffers(fd);
  const int on = 1;
  // A v6 socket that also takes IPv4 would hide the v4 socket of the same port.
  if (v6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  // What a path carries is found out by probes (RFC 8899): nothing is to be fragmented unawares.
  setFragmenting(fd, v6, false);
}

/** A size of 0 changes nothing; a kernel that does not know the option refuses it. */
bool canSegment(int fd) {
  const int none = 0;
  return setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &none, sizeof none) == 0;
}

bool coalesce(int fd) {
  const int on = 1;
  return setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on) == 0;
}

}  // namespace

void setFragmenting(int fd, bool v6, bool allowed) {
  if (v6) {
    const int mode = allowed ? IPV6_PMTUDISC_DONT : IPV6_PMTUDISC_PROBE;
    setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &mode, sizeof mode);
  } else {
    const int mode = allowed ? IP_PMTUDISC_DONT : IP_PMTUDISC_PROBE;
    setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &mode, sizeof mode);
  }
}

bool openUdp(const uint8_t* address, size_t length, uint16_t port, UdpSocket* result, Failure* failure) {
  const bool v6 = length == 16;
  const int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(failure, -1, "cannot open a UDP socket");
  setOptions(fd, v6);
  Endpoint local;
  makeEndpoint(address, length, port, fd, &local);
  if (bind(fd, &local.address.any, local.addressLength()) != 0) {
    return fail(failure, fd, "cannot bind UDP port " + std::to_string(port));
  }
  socklen_t size = sizeof local.address;
  if (getsockname(fd, &local.address.any, &size) != 0) return fail(failure, fd, "cannot read the bound port");
  adopt(fd);
  *result = {fd, endpointPort(local), v6 ? 6 : 4, canSegment(fd), coalesce(fd)};
  return true;
}

}  // namespace vine
