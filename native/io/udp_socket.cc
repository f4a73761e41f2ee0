#include "io/udp_socket.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

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

/** Not what a program that listens to that group would get on the port, either. */
bool receiveNothing(int fd) {
  sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
  const sock_fprog program = {sizeof code / sizeof code[0], code};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

void allowSharing(int fd, bool allowed) {
  const int on = allowed ? 1 : 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
}

/**
 * Binds to a multicast group, for private use (RFC 2365 §6.1, RFC 4291 §2.7), that nobody joins: the first that no other
 * address of this machine with the same port has taken.
 */
bool bindToGroup(int fd, bool v6, uint16_t port) {
  for (uint8_t last = 254; last != 0; last--) {
    const uint8_t group4[4] = {239, 255, 255, last};
    const uint8_t group6[16] = {0xff, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, last};
    Endpoint group;
    makeEndpoint(v6 ? group6 : group4, v6 ? 16 : 4, port, fd, &group);
    if (bind(fd, &group.address.any, group.addressLength()) == 0) return true;
    if (errno != EADDRINUSE) return false;
  }
  return false;
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
 * A second socket for the port of `fd`, which is bound already: without sharing, so that a port that another process has
 * was refused. A socket that is bound to a group has that port and, for what it sends, no address; and it is looked at
 * only for datagrams to the group, so that receiving by `fd` costs what it did. −1 with errno set.
 */
int openCompanion(int fd, bool v6, uint16_t port) {
  const int companion = newSocket(v6, Fragmenting::allowed);
  if (companion < 0) return -1;
  allowSharing(fd, true);
  allowSharing(companion, true);
  const bool bound = receiveNothing(companion) && bindToGroup(companion, v6, port);
  const int error = errno;
  // Nobody else may: the kernel looks at this when another socket asks for the port.
  allowSharing(fd, false);
  allowSharing(companion, false);
  if (bound) return companion;
  close(companion);
  errno = error;
  return -1;
}

/** Empty when the port is bound to no address in particular. */
SourceControl sourceOf(const Endpoint& local) {
  SourceControl source{};
  size_t length = 0;
  const uint8_t* address = endpointBytes(local, &length);
  if (std::all_of(address, address + length, [](uint8_t byte) { return byte == 0; })) return source;
  auto* control = reinterpret_cast<cmsghdr*>(source.bytes);
  if (length == 16) {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, address, length);
    control->cmsg_level = IPPROTO_IPV6;
    control->cmsg_type = IPV6_PKTINFO;
    control->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(control), &info, sizeof info);
    source.length = CMSG_SPACE(sizeof info);
  } else {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, address, length);
    control->cmsg_level = IPPROTO_IP;
    control->cmsg_type = IP_PKTINFO;
    control->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(control), &info, sizeof info);
    source.length = CMSG_SPACE(sizeof info);
  }
  return source;
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
  const int companion = openCompanion(fd, v6, endpointPort(local));
  if (companion < 0) return fail(failure, fd, "cannot share UDP port " + std::to_string(endpointPort(local)));
  adopt(fd, companion);
  *result = {fd, endpointPort(local), v6 ? 6 : 4, canSegment(fd), coalesce(fd)};
  return true;
}

bool shareUdp(int fd, int* shared, Failure* failure) {
  Endpoint local{};
  socklen_t size = sizeof local.address;
  const int companion = companionOf(fd);
  if (companion < 0 || getsockname(fd, &local.address.any, &size) != 0) {
    errno = EBADF;
    return fail(failure, -1, "cannot share what is no UDP port");
  }
  const bool v6 = local.address.any.sa_family == AF_INET6;
  const int socket = newSocket(v6, Fragmenting::never);
  if (socket < 0) return fail(failure, -1, "cannot open a UDP socket");
  const int on = 1;
  // Only now: the first one would not have been refused a port that another program shares.
  bool bound = setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0 &&
               setsockopt(socket, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
  // The companion stands in the way of an address that is any.
  for (const int each : {fd, companion, socket}) allowSharing(each, true);
  bound = bound && bind(socket, &local.address.any, local.addressLength()) == 0;
  const int error = errno;
  for (const int each : {fd, companion, socket}) allowSharing(each, false);
  errno = error;
  if (!bound) return fail(failure, socket, "cannot share UDP port " + std::to_string(endpointPort(local)));
  coalesce(socket);
  adopt(socket);
  *shared = socket;
  return true;
}

UdpLink udpLink(int fd, int receiveFd, bool segmentation) {
  UdpLink link{fd, receiveFd, companionOf(fd), {}, segmentation};
  Endpoint local{};
  socklen_t size = sizeof local.address;
  if (link.fragmentingFd >= 0 && getsockname(fd, &local.address.any, &size) == 0) {
    link.source = sourceOf(local);
  } else {
    link.fragmentingFd = fd;
  }
  return link;
}

}  // namespace vine
