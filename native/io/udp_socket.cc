#include "io/udp_socket.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/endpoint.h"

namespace vine {
namespace {

enum class Fragmenting : uint8_t { never, allowed };

void setFragmenting(int fd, bool v6, Fragmenting fragmenting) {
  const bool allowed = fragmenting == Fragmenting::allowed;
  if (v6) {
    const int mode = allowed ? IPV6_PMTUDISC_DONT : IPV6_PMTUDISC_PROBE;
    setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &mode, sizeof mode);
  } else {
    const int mode = allowed ? IP_PMTUDISC_DONT : IP_PMTUDISC_PROBE;
    setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &mode, sizeof mode);
  }
}

/** −1 with errno set. */
int newSocket(bool v6, Fragmenting fragmenting) {
  const int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  enlargeBuffers(fd);
  const int on = 1;
  // A v6 socket that also takes IPv4 would hide the v4 socket of the same port.
  if (v6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  setFragmenting(fd, v6, fragmenting);
  return fd;
}

bool sharePort(int fd) {
  const int on = 1;
  return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
}

/** All that comes for the port goes to the socket that was bound first (socket(7)). */
bool receiveByFirst(int fd) {
  sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
  const sock_fprog program = {sizeof code / sizeof code[0], code};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) == 0;
}

/** Nothing is queued, also not before `receiveByFirst` and while the port is being closed. */
bool receiveNothing(int fd) {
  sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
  const sock_fprog program = {sizeof code / sizeof code[0], code};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
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

/**
 * A second socket at the port of `fd`, which is bound already: without sharing, so that a port that another process has
 * was refused. −1 with errno set.
 */
int openCompanion(int fd, const Endpoint& local) {
  const int companion = newSocket(local.address.any.sa_family == AF_INET6, Fragmenting::allowed);
  if (companion < 0) return -1;
  if (receiveNothing(companion) && sharePort(fd) && sharePort(companion) &&
      bind(companion, &local.address.any, local.addressLength()) == 0 && receiveByFirst(companion)) {
    // Which of the two a datagram is for the kernel decides only after it has joined it to a train.
    coalesce(companion);
    return companion;
  }
  const int error = errno;
  close(companion);
  errno = error;
  return -1;
}

}  // namespace

bool openUdp(const uint8_t* address, size_t length, uint16_t port, UdpSocket* result, Failure* failure) {
  const bool v6 = length == 16;
  const int fd = newSocket(v6, Fragmenting::never);
  if (fd < 0) return fail(failure, -1, "cannot open a UDP socket");
  Endpoint local;
  makeEndpoint(address, length, port, fd, &local);
  if (bind(fd, &local.address.any, local.addressLength()) != 0) {
    return fail(failure, fd, "cannot bind UDP port " + std::to_string(port));
  }
  socklen_t size = sizeof local.address;
  if (getsockname(fd, &local.address.any, &size) != 0) return fail(failure, fd, "cannot read the bound port");
  const int companion = openCompanion(fd, local);
  if (companion < 0) return fail(failure, fd, "cannot share UDP port " + std::to_string(endpointPort(local)));
  adopt(fd, companion);
  *result = {fd, endpointPort(local), v6 ? 6 : 4, canSegment(fd), coalesce(fd)};
  return true;
}

}  // namespace vine
